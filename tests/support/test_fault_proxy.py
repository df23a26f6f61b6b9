"""The faults that other tests order are what they are said to be."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.fault_proxy import KINDS, UPGRADE, Direction, FaultProxy

PATIENCE = 30.0


def address_of(proxy: FaultProxy) -> tuple[str, int]:
    """Where the proxy listens."""
    return "127.0.0.1", int(proxy.url.rpartition(":")[2])


class Pair:
    """A connection through the proxy: what a client has, and what a listener accepted."""

    def __init__(self, proxy: FaultProxy, listener: socket.socket) -> None:
        self.client = socket.create_connection(address_of(proxy), PATIENCE)
        self.client.sendall(UPGRADE)
        self.server, _ = listener.accept()
        self.server.settimeout(PATIENCE)
        assert self.server.recv(len(UPGRADE), socket.MSG_WAITALL) == UPGRADE

    def close(self) -> None:
        """Both ends."""
        self.client.close()
        self.server.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Something that accepts."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(PATIENCE)
        yield made


@pytest.fixture
def proxy(listener: socket.socket) -> Iterator[FaultProxy]:
    """The relay before it."""
    with FaultProxy(f"http://127.0.0.1:{listener.getsockname()[1]}", hush=0.3) as made:
        yield made


def read_all(end: socket.socket) -> tuple[bytes, bool]:
    """What comes until the end, and whether that was an RST."""
    got = b""
    while True:
        try:
            data = end.recv(4096)
        except ConnectionResetError:
            return got, True
        if not data:
            return got, False
        got += data


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("kind", ["reset", "finish"])
def test_cut_at_the_very_byte(
    kind: str, direction: Direction, proxy: FaultProxy, listener: socket.socket
) -> None:
    """The receiver has so many bytes and not one more, and both ends hear of it."""
    with contextlib.closing(Pair(proxy, listener)) as pair:
        sender, receiver = (pair.client, pair.server) if direction == "up" else (pair.server, pair.client)
        order = proxy.cut(kind, direction, after=7, patience=PATIENCE)
        sender.sendall(b"abcd")
        assert receiver.recv(4, socket.MSG_WAITALL) == b"abcd"
        sender.sendall(b"efghijkl")
        cut = order.result(PATIENCE)
        assert (cut.kind, cut.direction) == (kind, direction)
        assert cut.passed == 7 + (len(UPGRADE) if direction == "up" else 0)
        got, was_reset = read_all(receiver)
        assert b"efg".startswith(got)  # an RST may overtake the last bytes
        assert was_reset == (kind == "reset")
        assert proxy.wires[0].carried(direction).endswith(b"abcdefg")
        read_all(sender)
    assert proxy.cuts == [cut]


def test_a_half_open_connection_is_open_to_the_listener(proxy: FaultProxy, listener: socket.socket) -> None:
    """The client is cut off; the listener may send for a while, and nobody tells it."""
    with contextlib.closing(Pair(proxy, listener)) as pair:
        cut = proxy.cut("half_open", "down", after=0).result(PATIENCE)
        assert read_all(pair.client) == (b"", True)
        pair.server.sendall(b"into the void")
        assert read_all(pair.server) == (b"", True)
        assert time.monotonic() - cut.at >= 0.3
    assert proxy.wires[0].carried("down") == b""


def test_silence_is_heard_by_neither(proxy: FaultProxy, listener: socket.socket) -> None:
    """Nothing passes in either direction; only after a while both are cut off."""
    with contextlib.closing(Pair(proxy, listener)) as pair:
        cut = proxy.cut("silent", "up", after=3).result
        pair.client.sendall(b"abcdef")
        assert pair.server.recv(3, socket.MSG_WAITALL) == b"abc"
        at = cut(PATIENCE).at
        pair.server.sendall(b"into the void")
        assert read_all(pair.client) == (b"", True)
        assert read_all(pair.server) == (b"", True)
        assert time.monotonic() - at >= 0.3


def test_an_order_waits_for_a_connection_and_not_for_ever(proxy: FaultProxy, listener: socket.socket) -> None:
    """It holds for the next connection, and is carried out at some byte where too few pass."""
    order = proxy.cut("reset", "down", after=1_000_000, patience=0.1)
    assert not order.done()
    with contextlib.closing(Pair(proxy, listener)) as pair:
        pair.server.sendall(b"a little")
        cut = order.result(PATIENCE)
        assert cut.passed <= len(b"a little")
        assert read_all(pair.server)[1]


def test_an_order_outlives_a_connection_that_ends_by_itself(
    proxy: FaultProxy, listener: socket.socket
) -> None:
    """What could not be cut is not counted as cut; the next connection is."""
    order = proxy.cut("reset", "down", after=1, patience=PATIENCE)
    with contextlib.closing(Pair(proxy, listener)) as pair:
        pair.server.close()
        assert read_all(pair.client)[0] == b""
    assert not order.done()
    with contextlib.closing(Pair(proxy, listener)) as pair:
        pair.server.sendall(b"x")
        assert order.result(PATIENCE).wire == 1


def test_unmarked_connections_are_left_alone(proxy: FaultProxy, listener: socket.socket) -> None:
    """A call beside the stream passes whole, both ways, whatever is ordered for streams."""
    order = proxy.cut("reset", "up", after=0)
    with socket.create_connection(address_of(proxy), PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        server, _ = listener.accept()
        with server:
            assert read_all(server) == (b"GET / HTTP/1.1\r\n\r\n", False)
            server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        assert read_all(client) == (b"HTTP/1.1 200 OK\r\n\r\n", False)
    assert not order.done()
    assert proxy.marked == []


def test_a_listener_that_is_gone_is_refused_to_the_client(listener: socket.socket) -> None:
    """As without the proxy: the client sees the connection fail, and may come again."""
    with FaultProxy(f"http://127.0.0.1:{listener.getsockname()[1]}") as proxy:
        address = listener.getsockname()
        listener.close()
        with (
            pytest.raises(ConnectionResetError),  # which may come as early as from the connecting
            socket.create_connection(address_of(proxy), PATIENCE) as client,
        ):
            client.recv(1)
        with socket.create_server(address) as again:
            again.settimeout(PATIENCE)
            Pair(proxy, again).close()


def test_the_dice_are_seeded(listener: socket.socket) -> None:
    """A seed gives the same faults again, of every kind and in both directions."""
    runs = []
    for _ in range(2):
        with FaultProxy(f"http://127.0.0.1:{listener.getsockname()[1]}", hush=0.01, seed=5) as proxy:
            for _ in range(20):
                order = proxy.cut_somewhere(patience=0.0)
                with socket.create_connection(address_of(proxy), PATIENCE) as client:
                    client.sendall(UPGRADE)
                    order.result(PATIENCE)
            runs.append([(cut.kind, cut.direction) for cut in proxy.cuts])
    assert runs[0] == runs[1]
    assert {kind for kind, _ in runs[0]} == set(KINDS)
    assert {direction for _, direction in runs[0]} == {"up", "down"}
