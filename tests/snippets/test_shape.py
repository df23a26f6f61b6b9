"""What holds for every program of every product, without running any."""

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from listenkey.reference import describe
from listenkey.reference.describe import Product
from listenkey.reference.program import Program
from listenkey.reference.snippets import programs
from listenkey.reference.snippets.literals import LITERALS, comment
from listenkey.reference.snippets.render import OURS, languages
from tests.snippets.running import PRODUCTS, environment, make, write
from tests.snippets.toolchains import LONG, TOOLCHAINS, present

HOSTILE = "a'b\"c\\d$e${f}#{g}$(h)`i`%s%d{j}[k]\\u000a?>*/ -- // # é€\tl\n\\(m)??/\\"
ALL = [(product, program) for product in PRODUCTS for program in programs(product)]


def test_every_call_and_stream_has_its_programs() -> None:
    """A dialect added later has all its programs by itself: every call and every stream."""
    lived = [each.life for each in languages() if each.life is not None]
    for product in PRODUCTS:
        made = Counter(each.of for each in programs(product))
        for call in product.calls:
            assert made[call.kind] == len(languages())
        for stream in product.streams:
            plain = (
                stream.codec == "text"
                and stream.heartbeat.kind == "protocol_ping"
                and not stream.subscriptions
            )
            ours = 1
            assert made[f"life:{stream.name}"] == ours + sum(plain or not each.plain for each in lived)
        assert len({each.file for each in programs(product)}) == made.total()


@pytest.mark.parametrize("product, program", ALL, ids=[program.file for _, program in ALL])
def test_nothing_is_left_open(product: Product, program: Program) -> None:
    """A program that is copied has no place that somebody still has to fill in, and no ragged edges."""
    assert not re.search(r"\{%|\{\{ | %\}|Undefined", program.text)
    assert program.text.endswith("\n")
    assert not program.text.endswith("\n\n")
    assert not re.search(r"[ \t]\n|\n\n\n\n", program.text)
    assert max(map(len, program.text.splitlines())) <= 160
    called = program.language != OURS.language and not program.of.startswith("method:")
    assert (product.calls[0].path in program.text) == called
    assert program.needs
    assert bool(program.executed) != bool(program.why_not)


def test_signed_where_the_venue_wants_it() -> None:
    """Programs for a venue that checks signatures sign; others ask for no secret that they do not need."""
    for product, program in ALL:
        if program.of.startswith("method:"):
            continue  # there the way of signing is the reader's choice
        signed = product.calls[0].signature != "ignored"
        assert ("API_SECRET" in program.text) == signed, program.file


def test_what_is_said_to_be_executed_is() -> None:
    """A page says of exactly those programs that they were run which these tests run."""
    assert {each.language for each in languages() if each.rest.executed} == set(TOOLCHAINS)
    lived = {each.language for each in languages() if each.life is not None and each.life.executed}
    assert lived <= set(TOOLCHAINS)


def test_comments_end_where_they_should() -> None:
    """A product's title cannot break out of the comment that it stands in."""
    assert re.fullmatch(r"[\w .,:;()'+-]*", comment(HOSTILE))


def test_values_keep_their_place() -> None:
    """Whatever a dialect's header, path or symbol is, a program says exactly that."""
    product = _hostile()
    for program in programs(product):
        if program.language == "python":
            said = {
                each.value for each in ast.walk(ast.parse(program.text)) if isinstance(each, ast.Constant)
            }
            assert any(isinstance(each, str) and HOSTILE in each for each in said), program.file


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "language",
    [pytest.param(each, marks=[pytest.mark.toolchain] if each in LONG else []) for each in TOOLCHAINS],
)
def test_text_survives_its_language(tmp_path: Path, language: str) -> None:
    """Each language reads the text that was meant: no quote, dollar or backslash of it does anything."""
    present(language)
    row = next(each for each in languages() if each.language == language)
    toolchain = TOOLCHAINS[language]
    text = toolchain.print.format(literal=LITERALS[row.literal](HOSTILE))
    program = msgspec.structs.replace(ALL[0][1], file=f"literal{row.suffix}", text=text)
    file = write(toolchain, tmp_path / "literal", program)
    make(toolchain, [file])
    command = toolchain.command(toolchain.run, file)
    done = subprocess.run(command, env=environment(toolchain), capture_output=True, check=True)
    assert done.stdout.decode() == HOSTILE


def _hostile() -> Product:
    """A product whose every value is as bad as it gets."""
    product = next(each for each in PRODUCTS if each.name == "binance-margin-isolated")
    dialect = product.dialect
    operations = tuple(
        msgspec.structs.replace(each, path="/" + HOSTILE, scope_parameter=HOSTILE)
        for each in dialect.operations
    )
    auth = msgspec.structs.replace(dialect.auth, header=HOSTILE)
    return describe.describe(
        msgspec.structs.replace(dialect, operations=operations, auth=auth, title=HOSTILE)
    )
