"""Whatever the program has a name for is in the reference: errors, metrics, calls, close codes."""

import ast
import json
import re
from typing import Any, get_args

import pytest

from listenkey.base import errors
from listenkey.core.position import Gap, GapReason, Missing, Position
from listenkey.core.records import Event
from listenkey.dialect.registry import load_dialects
from listenkey.edge.native_outlets import _CLOSES, _ENDS
from listenkey.wire import native
from tests.support.gateway import Gateway
from tools import gen
from tools.tracked import ROOT

SOURCE = ROOT / "src" / "listenkey"
REFERENCE = ROOT / "docs" / "reference"


def page(name: str) -> str:
    """The text of a reference page."""
    return (REFERENCE / name).read_text(encoding="utf-8")


def in_code(text: str) -> set[str]:
    """What a page sets in code type."""
    return set(re.findall(r"`([^`\n]+)`", text))


def error_codes() -> set[str]:
    """Every code that our errors, refusals and refused lines carry."""
    codes = {each.code for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "code")}
    for path in SOURCE.rglob("*.py"):
        if path.parent.name == "config":  # its problems are lines of `config check`, and have no code
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                if isinstance(node.func, ast.Name) and node.func.id in {"Problem", "NotAppended"}:
                    given += node.args[:1]
                codes |= {str(each.value) for each in given if isinstance(each, ast.Constant)}
    return {code for code in codes if re.fullmatch("[a-z_]+", code)}


def test_generated_pages_are_current(capsys):
    """Settings, commands and dialects read as the program has them today."""
    assert gen.check(ROOT, gen.GENERATORS) == 0, capsys.readouterr().err


def test_every_error_code_is_in_the_reference():
    """Whoever meets a code can look it up."""
    found = error_codes()
    assert {"unauthorized", "store_locked", "unknown_account", "no_server", "id_conflict"} <= found
    assert found - in_code(page("errors.md")) == set()


def test_the_reference_of_errors_has_no_code_that_nobody_gives():
    """A code in a table that the program no longer knows would be waited for in vain."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    rows = [line for line in page("errors.md").splitlines() if line.startswith("| `")]
    codes = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert {code for code in codes if f'"{code}"' not in source} == set()


def test_every_metric_is_in_the_reference_and_none_besides():
    """A dashboard is built from this page: what only counts up is not taken for what goes up and down."""
    with Gateway() as gateway:
        text = gateway.admin_call("GET", "/metrics").text
    families = set(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    kind, documented = "", set()
    for line in page("metrics.md").splitlines():
        if line.startswith("## "):
            kind = line.removeprefix("## ").removesuffix("s").lower()
        documented |= {(name, kind) for name in in_code(line) if name.startswith("listenkey_")}
    assert documented == families


def test_every_call_of_the_admin_listener_is_in_the_reference():
    """Method and path, as one would look for them."""
    text = page("admin-api.md")
    routes = admin_routes()
    assert ("POST", "/v1/publish") in routes
    missing = []
    for method, path in routes:
        wanted = re.sub(r"(?:\\\*)+", lambda _: r"\{[a-z]+\}", re.escape(f"{method} {path}")) + r"[`?]"
        if not re.search(wanted, text):
            missing.append((method, path))
    assert missing == []


def test_no_call_is_in_the_reference_that_the_admin_listener_does_not_have():
    """Whoever follows the page gets no 404."""
    known = {f"{method} {re.sub(r'[*]+', '*', path)}" for method, path in admin_routes()}
    named = re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`?\s]*)", page("admin-api.md"))
    assert len(named) > 20
    assert {re.sub(r"\{[a-z]+\}", "*", call) for call in named} - {"GET /docs/"} <= known


def admin_routes() -> list[tuple[str, str]]:
    """The routes that the admin application adds, from its own table and constructor."""
    source = ast.parse((SOURCE / "edge" / "admin" / "app.py").read_text(encoding="utf-8"))
    routes = []
    for node in ast.walk(source):
        if isinstance(node, ast.Dict):
            keys = [key for key in node.keys if isinstance(key, ast.Tuple)]
            routes += [
                tuple(part.value for part in key.elts if isinstance(part, ast.Constant)) for key in keys
            ]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_add":
            routes.append(tuple(part.value for part in node.args[:2] if isinstance(part, ast.Constant)))
    return [(route[0], route[1]) for route in routes if len(route) == 2]


def test_every_end_of_the_native_stream_is_in_the_reference_with_its_code():
    """The reader of a closed stream finds what it means and what to do."""
    text = page("native-stream.md")
    assert _ENDS
    for reason in _ENDS.values():
        assert re.search(rf"^\| `{reason}` \| {_CLOSES[reason][0]} \|", text, re.MULTILINE), reason


def test_every_message_of_the_native_stream_is_shown_with_its_fields():
    """The examples have the fields of what is sent, of each kind, and no others."""
    here, there = Position("k3f9", 19), Position("q7d2", 1)
    sent = [
        native.position_json(here, 0),
        native.event_json("k3f9", Event(1, 0, b"{}")),
        native.gap_json(Gap("k3f9", 12, 15, "retention")),
        native.gap_json(Gap("k3f9", 19, None, "epoch", there)),
        native.event_json("k3f9", Event(20, 0, native.missing_json(Missing("disconnected", 1, 2)), gap=True)),
        native.end_json("expired"),
    ]
    shown = [fields(json.loads(line.replace("{…}", "{}"))) for line in messages("native-stream.md")]
    assert {fields(json.loads(message)) for message in sent} == set(shown)
    text = page("native-stream.md")
    assert all(f"**{kind}**" in text for kind in get_args(native.Kind))


def messages(name: str) -> list[str]:
    """The messages that a page shows, a line each."""
    block = page(name).partition("## Messages")[2].split("```")[1]
    return [line for line in block.splitlines() if line.startswith("{")]


def fields(message: dict[str, Any]) -> tuple[str, ...]:
    """The names of a message's fields, those inside a gap or an end included."""
    inside = [f"{name}.{each}" for name in ("gap", "end") for each in message.get(name, ())]
    return tuple(sorted((*message, *inside)))


def test_every_close_code_is_in_one_place():
    """Who has nothing but a number finds it: the venues' and the native stream's."""
    text = page("close-codes.md")
    for dialect in load_dialects().values():
        for close in dialect.closes:
            assert re.search(
                rf"^\| {close.code}.*{re.escape(close.reason)}.*`{dialect.name}`", text, re.MULTILINE
            )
    for reason in _ENDS.values():
        assert re.search(rf"^\| `{reason}` \| {_CLOSES[reason][0]} \|", text, re.MULTILINE), reason


@pytest.mark.parametrize("reason", get_args(GapReason))
def test_every_gap_reason_is_explained(reason):
    """Both where it is looked up and where it is understood."""
    concept = (ROOT / "docs" / "concepts" / "journal-and-positions.md").read_text(encoding="utf-8")
    assert f"| `{reason}` |" in page("native-stream.md")
    assert f"| `{reason}` |" in concept
