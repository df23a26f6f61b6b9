"""The checker of repeats reads what bytes prove, and finds a connection that began too early."""

import gzip
import zlib
from collections.abc import Sequence

import pytest

from tests.clients.wires import Had, Heard, Overlap, Proof, Published, earliest, gapless, heard, was_bound
from tests.support.fault_proxy import Chunk, Direction, Wire

HEAD = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
REPLY = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
OVERLAP = Overlap(seconds=1, events=20)


def frame(opcode: int, payload: bytes, *, masked: bool = False) -> bytes:
    """A frame as it is on the wire."""
    length = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2, "big")
    if not masked:
        return bytes([0x80 | opcode]) + length + payload
    length = bytes([length[0] | 0x80]) + length[1:]
    return (
        bytes([0x80 | opcode]) + length + b"abcd" + bytes(b ^ b"abcd"[i % 4] for i, b in enumerate(payload))
    )


def fill(number: int) -> bytes:
    """An event on the wire, longer than a short frame."""
    return frame(1, b'{"t":%d,"x":"%s"}' % (number, b"y" * 150))


def wire(*sent: tuple[float, Direction, bytes]) -> Wire:
    """A connection on which this passed."""
    return Wire(0, 0.0, marked=0, ended=99.0, chunks=[Chunk(*each) for each in sent])


def ping(payload: bytes) -> bytes:
    """From the gateway."""
    return frame(0x9, payload)


def pong(payload: bytes) -> bytes:
    """From a client."""
    return frame(0xA, payload, masked=True)


class TestBytes:
    """What is read from a connection."""

    def test_a_receipt_stands_for_what_went_before_its_ping(self) -> None:
        """Also where frames are cut into pieces; what came after the Ping is not had by it."""
        down = REPLY + fill(1) + fill(2) + ping(b"17") + fill(3)
        found = heard(
            wire(
                (1.0, "up", HEAD),
                (1.1, "down", down[:90]),
                (1.2, "down", down[90:]),
                (1.5, "up", pong(b"17")),
            )
        )
        assert list(found.fills) == [1, 2, 3]
        assert list(found.proofs) == [Proof(2, 1.0, 1.5)]
        assert (found.opened, found.ended) == (1.0, 99.0)

    @pytest.mark.parametrize("answer", [pong(b"18"), pong(b""), pong(b"17")[:-1]])
    def test_another_pong_or_a_part_of_one_proves_nothing(self, answer: bytes) -> None:
        """Only the payload that was asked for counts, and only a whole frame."""
        passed = wire((1.0, "up", HEAD), (1.1, "down", REPLY + fill(1) + ping(b"17")), (1.2, "up", answer))
        assert not heard(passed).proofs

    def test_an_empty_pong_counts_with_the_next(self) -> None:
        """It may have been sent unasked; gzip is read as well."""
        packed = frame(2, gzip.compress(b'{"td":7}'))
        passed = wire(
            (1.0, "up", HEAD),
            (1.1, "down", REPLY + packed + ping(b"")),
            (1.2, "up", pong(b"")),
            (2.1, "down", ping(b"")),
            (2.2, "up", pong(b"")),
        )
        assert list(heard(passed).proofs) == [Proof(7, 1.0, 2.2)]

    def test_compressed_messages_are_read(self) -> None:
        """A client that has its frames compressed is read as any other, one message after the other."""
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)

        def packed(text: bytes) -> bytes:
            payload = deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH)
            framed = frame(1, payload.removesuffix(b"\0\0\xff\xff"))
            return bytes([framed[0] | 0x40]) + framed[1:]

        passed = wire((1.0, "up", HEAD), (1.1, "down", REPLY + packed(b'{"t":7}') + packed(b'{"t":8}')))
        assert list(heard(passed).fills) == [7, 8]

    def test_the_next_question_says_by_when_an_answer_was_taken(self) -> None:
        """And is asked no sooner than that answer, nor a second after the question before."""
        passed = wire(
            (1.0, "up", HEAD),
            (1.1, "down", REPLY + fill(1) + ping(b"1")),
            (1.2, "up", pong(b"1")),
            (2.5, "down", fill(2) + ping(b"2")),
            (3.9, "up", pong(b"2")),
            (4.0, "down", ping(b"3")),
            (4.1, "up", pong(b"3")),
        )
        inf = float("inf")
        expected = [Proof(1, 1.0, 1.2, 2.5), Proof(2, 2.0, 3.9, 4.0), Proof(2, 3.9, 4.1, inf)]
        assert list(heard(passed).proofs) == expected

    def test_a_stream_is_bound_by_a_whole_handshake(self) -> None:
        """And where the client asks on the socket, by a whole request."""
        asked = frame(1, b"{}", masked=True)
        assert not was_bound(wire((1.0, "up", HEAD[:-1])), asks=False)
        assert was_bound(wire((1.0, "up", HEAD)), asks=False)
        assert not was_bound(wire((1.0, "up", HEAD + asked[:-1])), asks=True)
        assert was_bound(wire((1.0, "up", HEAD + asked)), asks=True)


def told(opened: float, ended: float, *proofs: tuple[int, float, float]) -> Heard:
    """A connection with these receipts, each taken as soon as it came."""
    return Heard(opened, ended, [], [Proof(*each, taken=each[-1]) for each in proofs])


PUBLISHED = {number: Published(number / 100, number / 100) for number in range(1, 2001)}
"""A hundred fills a second."""
SETTLED = told(0.0, 9.0, (300, 3.0, 3.01), (600, 6.0, 6.01), (900, 8.9, 8.91))


def bounds(*connections: Heard, kills: Sequence[float] = ()) -> list[int]:
    """How early each may begin."""
    return earliest(connections, PUBLISHED, OVERLAP, kills)


class TestBounds:
    """How early a connection may begin."""

    def test_the_first_begins_where_it_likes(self) -> None:
        """Nothing is known before it."""
        assert bounds(told(5.0, 6.0)) == [1]

    def test_settled_is_what_was_had_for_the_overlap(self) -> None:
        """The last receipt was asked for long enough after the one before it."""
        assert SETTLED.had(20.0, 1) == Had(confirmed=900, settled=600)
        assert SETTLED.had(8.0, 1) == Had(confirmed=600, settled=300)
        assert SETTLED.had(3.2, 1) == Had()

    def test_a_slow_gateway_is_given_the_time_that_it_took(self) -> None:
        """A receipt that it can have taken late is not old yet; nor does it remember each of two at once."""
        late = [Proof(300, 3.0, 3.01, 6.2), Proof(600, 6.0, 6.21, 6.3), Proof(900, 7.25, 7.3, 9.0)]
        assert Heard(0.0, 9.0, [], late).had(9.0, 1) == Had(confirmed=900, settled=300)
        assert Heard(0.0, 9.0, [], [*late[:2], Proof(900, 7.1, 7.3, 9.0)]).had(9.0, 1) == Had(900, 0)
        late[2] = Proof(900, 7.5, 7.6, 9.0)
        assert Heard(0.0, 9.0, [], late).had(9.0, 1) == Had(confirmed=900, settled=300)

    def test_the_next_begins_no_earlier_than_what_was_not_settled(self) -> None:
        """Neither earlier than the overlap before what was confirmed, in seconds or events."""
        assert bounds(SETTLED, told(10.0, 11.0)) == [1, 601]
        quick = told(0.0, 9.0, (880, 1.0, 1.01), (885, 3.0, 3.01))
        assert bounds(quick, told(10.0, 11.0)) == [1, 785]  # a second before 885, as fills were published
        assert earliest([quick, told(10.0, 11.0)], PUBLISHED, Overlap(0, 300), ()) == [1, 586]

    def test_a_connection_that_brought_nothing_gives_nothing_away(self) -> None:
        """What was settled before it stays so."""
        assert bounds(SETTLED, told(10.0, 10.1), told(11.0, 12.0)) == [1, 601, 601]

    def test_who_was_open_or_ended_meanwhile_counts(self) -> None:
        """A predecessor that the gateway thinks open holds the place; one that had ended does not."""
        before = told(0.0, 5.0)
        late = told(4.0, 9.0, (300, 5.0, 5.01), (600, 7.0, 7.01))
        after = told(10.0, 11.0)
        assert bounds(before, late, after) == [1, 1, 1]
        assert bounds(told(0.0, 3.0), late, after) == [1, 1, 301]

    def test_a_kill_takes_back_what_was_not_kept(self) -> None:
        """Confirmations of the last moments may be gone; those before are not."""
        assert bounds(SETTLED, told(12.0, 13.0), kills=[9.0]) == [1, 301]
        assert bounds(SETTLED, told(12.0, 13.0), kills=[5.0]) == [1, 1]


def test_gaps_are_found() -> None:
    """A fill left out, twice or backwards."""
    assert gapless([])
    assert gapless([4, 5, 6])
    assert not gapless([4, 6])
    assert not gapless([4, 4])
    assert not gapless([5, 4])
