"""The how-to page on dialect files, taken at its word."""

import re
from pathlib import Path

import msgspec
import pytest

from listenkey.dialect import history, model
from listenkey.dialect.model import Dialect
from listenkey.dialect.registry import load_dialects
from listenkey.wire.routes import OperationRoute, build_routes

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-venue.md"
PIECE = re.compile(r"<!-- acme\.toml -->\n```toml\n(.*?)```", re.DOTALL)
STRUCTURES = [
    each
    for each in (vars(model) | vars(history)).values()
    if isinstance(each, type) and issubclass(each, msgspec.Struct) and not each.__name__.startswith("_")
]


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dialect]:
    """All dialects, with that of the page."""
    pieces = PIECE.findall(PAGE.read_text(encoding="utf-8"))
    file = tmp_path_factory.mktemp("acme") / "acme.toml"
    file.write_text("\n".join(pieces), encoding="utf-8")
    return load_dialects([str(file)])


def test_page_loads(acme: dict[str, Dialect]) -> None:
    """The file of the page passes the check and says what the page says it does."""
    dialect = acme["acme"]
    assert [stream.name for stream in dialect.streams] == ["acme-orders"]
    assert {operation.kind for operation in dialect.operations} == {"create", "extend", "close"}


def test_page_is_reachable(acme: dict[str, Dialect]) -> None:
    """The venue of the page is served at the root and under its name, beside the built-in ones."""
    routes = build_routes(acme, {})
    for prefix in ("", "/acme"):
        route = routes.rest("", "", "POST", f"{prefix}/user/v1/listen-key")
        assert isinstance(route, OperationRoute)
        assert route.dialect.name == "acme"
        socket = routes.socket("", "", f"{prefix}/user/ws/KEY")
        assert socket is not None
        assert [candidate.stream for candidate in socket.candidates] == ["acme-orders"]


@pytest.mark.parametrize("structure", STRUCTURES)
def test_page_names_every_field(structure: type[msgspec.Struct]) -> None:
    """Whatever a dialect file may say is on the page."""
    words = set(re.findall(r"\w+", PAGE.read_text(encoding="utf-8")))
    assert set(structure.__struct_fields__) - words == set()
