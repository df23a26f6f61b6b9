"""Where something goes wrong: each program says why, gives back what it has, and ends there."""

from collections.abc import Callable
from typing import Any

from tests.chilkat.conftest import PRODUCTS, Bench, programs_of
from tests.chilkat.test_programs import language_of

REFUSING = "1"  # a port at which nobody listens


def run(bench: Bench, of: str, change: Callable[[str], str]) -> list[dict[str, Any]]:
    """All programs of one kind, with something changed in them."""
    product = PRODUCTS["binance-spot"]
    todo = [each for each in programs_of("binance-spot") if each.of == of]
    return bench.perform([(language_of(each), change(bench.text(each, product))) for each in todo])


def unreachable(bench: Bench) -> Callable[[str], str]:
    """The gateway at another port."""
    port = bench.tap.url.rpartition(":")[2]
    return lambda text: text.replace(port, REFUSING)


def no_socket(bench: Bench) -> Callable[[str], str]:
    """The socket alone at another port."""
    port = bench.tap.url.rpartition(":")[2]
    return lambda text: text.replace(port, REFUSING).replace(f":{REFUSING}/", f":{port}/")


def no_path(text: str) -> str:
    """The socket alone below a prefix that there is not."""
    lines = text.splitlines()
    return "\n".join(line if "://" in line else line.replace("/binance-spot", "/nowhere") for line in lines)


def test_a_call_that_does_not_arrive_is_explained(bench: Bench) -> None:
    """Who has the wrong address reads the library's own account of it."""
    for result in run(bench, "create", unreachable(bench)):
        assert not result["error"], (result["language"], result["error"])
        assert result["left"], result["language"]
        assert "ChilkatLog:" in result["printed"][0], result["language"]


def test_a_key_that_is_refused_is_explained(bench: Bench) -> None:
    """Who has the wrong API key reads what the server says, and no socket is tried."""
    for result in run(bench, "life:binance-spot", lambda text: text.replace("key-binance-spot", "wrong")):
        assert not result["error"], (result["language"], result["error"])
        assert result["left"], result["language"]
        assert "-2015" in result["printed"][0], result["language"]


def test_a_socket_that_does_not_connect_is_explained(bench: Bench) -> None:
    """Everything that the REST half made is given back."""
    for result in run(bench, "life:binance-spot", no_socket(bench)):
        assert not result["error"], (result["language"], result["error"])
        assert result["left"], result["language"]
        assert "ChilkatLog:" in result["printed"][0], result["language"]


def test_a_handshake_that_is_refused_is_explained(bench: Bench) -> None:
    """A wrong path shows the status and the header, and not a hanging read."""
    for result in run(bench, "life:binance-spot", no_path):
        assert not result["error"], (result["language"], result["error"])
        assert result["left"], result["language"]
        assert result["printed"][0] == "404", result["language"]
