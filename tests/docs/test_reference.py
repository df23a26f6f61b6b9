"""Whatever the program has a name for is in the reference: errors, metrics, calls, close codes."""

import ast
import re

import pytest

from listenkey.base import errors
from listenkey.edge.native_outlets import _CLOSES, _ENDS
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
    """A dashboard is built from this page."""
    with Gateway() as gateway:
        text = gateway.admin_call("GET", "/metrics").text
    families = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    documented = {name for name in in_code(page("metrics.md")) if name.startswith("listenkey_")}
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


@pytest.mark.parametrize("reason", ["retention", "epoch", "ahead"])
def test_every_gap_reason_is_explained(reason):
    """Both where it is looked up and where it is understood."""
    concept = (ROOT / "docs" / "concepts" / "journal-and-positions.md").read_text(encoding="utf-8")
    assert f"| `{reason}` |" in page("native-stream.md")
    assert f"| `{reason}` |" in concept
