"""Fill the templates: a product and a language in, whole programs out."""

import functools
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Final

import jinja2
import msgspec

from listenkey.reference.describe import Product
from listenkey.reference.program import Program
from listenkey.reference.snippets import plan
from listenkey.reference.snippets.literals import LITERALS, comment
from listenkey.reference.snippets.methods import WAYS, asked

_KINDS: Final = ("create", "extend", "close")


class Kit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one kind of program of a language stands on."""

    needs: str
    executed: str = ""
    why_not: str = ""
    plain: bool = False
    """Only for sockets where every message is an event's text and nothing has to be sent."""


class Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One language, as `languages.toml` has it."""

    language: str
    title: str
    lexer: str
    suffix: str
    literal: str
    """Which of `literals.LITERALS` writes its text."""
    rest: Kit
    life: Kit | None = None
    """None where no library for sockets is at hand."""


OURS: Final = Language(
    language="listenkey",
    title="Python, by our client",
    lexer="python",
    suffix="-listenkey.py",
    literal="either",
    rest=Kit("Python 3.11 or newer; pip install listenkey", "Python 3.11"),
)
"""For streams alone: our client makes the calls by itself."""
_KEYED: Final = frozenset(("rsa", "ed25519"))
"""Ways of signing that no library of Python's own knows."""
_KEY_NEEDS: Final = " cryptography; an API key that `listenkey apikey add --public-key` gave the public key"


class _Languages(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    language: tuple[Language, ...]


@functools.cache
def languages() -> tuple[Language, ...]:
    """All languages, in the order in which pages show them."""
    data = files(__package__).joinpath("languages.toml").read_bytes()
    return msgspec.toml.decode(data, type=_Languages).language


@functools.cache
def _templates() -> jinja2.Environment:
    # Programs are no HTML: what they quote is written by `literals`.
    return jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701
    )


def programs(product: Product) -> Sequence[Program]:
    """Every program of a product: calls, then streams, in all languages; then methods of WebSocket APIs."""
    return tuple(_rests(product)) + tuple(_lives(product)) + tuple(_methods(product))


def _rests(product: Product) -> Iterator[Program]:
    for call in sorted(product.calls, key=lambda each: _KINDS.index(each.kind)):
        for language in languages():
            text = _fill(language, "rest", plan.rest(product, call))
            yield _program(language, language.rest, f"{product.name}-{call.kind}", text, call.kind)


def _lives(product: Product) -> Iterator[Program]:
    for stream in product.streams:
        given = plan.life(product, stream)
        if given is None:
            continue
        name, of = stream.prefix.strip("/"), f"life:{stream.name}"
        text = (
            _templates()
            .get_template("listenkey.life")
            .render(it=given, name=stream.name, q=LITERALS["either"], say=comment)
        )
        yield _program(OURS, OURS.rest, name, text, of)
        for language in languages():
            kit = language.life
            if kit is not None and (given.plain or not kit.plain):
                yield _program(language, kit, name, _fill(language, "life", given), of)


def _methods(product: Product) -> Iterator[Program]:
    python = next(each for each in languages() if each.language == "python")
    template = _templates().get_template("python.method")
    for each in asked(product):
        way = each.plan.way
        text = template.render(it=each.plan, q=LITERALS[python.literal], say=comment, ways=WAYS)
        more = way in _KEYED
        yield Program(
            f"python-{way}" if way else "python",
            f"Python, {WAYS[way]}" if way else "Python",
            python.lexer,
            each.file + python.suffix,
            text,
            each.of,
            "Python 3.10 or newer; pip install websockets" + (_KEY_NEEDS if more else ""),
            f"Python 3.11, websockets 17{', cryptography 50' if more else ''}",
        )


def _program(language: Language, kit: Kit, name: str, text: str, of: str) -> Program:
    return Program(
        language.language,
        language.title,
        language.lexer,
        name + language.suffix,
        text,
        of,
        kit.needs,
        kit.executed,
        kit.why_not,
    )


def _fill(language: Language, kind: str, given: plan.Rest | plan.Life) -> str:
    template = _templates().get_template(f"{language.language}.{kind}")
    return template.render(it=given, q=LITERALS[language.literal], say=comment)
