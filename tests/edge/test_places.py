"""Places of sockets, without one."""

import asyncio
from unittest.mock import Mock

from listenkey.edge.admission import when_settled
from listenkey.edge.places import Places, Seat, Seats
from listenkey.service.limits import Verdict
from tests.edge.gate import until


def test_a_seat_is_one_place_until_it_is_given_back():
    """Given back twice it is not two places: else an address could have more sockets than it may."""
    places = Places(1)
    seat = Seat.take(places, "here")
    assert Seat.take(places, "here") is None
    seat.give_back()
    seat.give_back()
    assert Seat.take(places, "here") is not None
    assert Seat.take(places, "here") is None
    assert Seat.take(places, "elsewhere") is not None


def test_a_key_frees_one_place_of_two():
    """Who has shown a key is still one of the stream's sockets, until it is gone."""
    stream, without_key = Places(1), Places(1)
    seats = Seats(Seat.take(stream, "here"), Seat.take(without_key, "here"))
    seats.has_key()
    assert without_key.take("here")
    assert not stream.take("here")
    seats.give_back()
    assert stream.take("here")
    assert not without_key.take("here"), "it was free once, not twice"


async def test_a_peer_that_does_not_wait_leaves_its_place():
    """A count that never becomes durable, as on a full disk, keeps no place for who has gone."""
    places, durable = Places(1), asyncio.get_running_loop().create_future()
    opens = Mock()
    waiting = when_settled(Mock(), Verdict(None, durable=(durable,)), opens, Seat.take(places, "here"))
    waiting.connection_lost(None)
    assert places.take("here")
    durable.set_result(None)
    await asyncio.sleep(0)
    opens.assert_not_called()


async def test_who_talks_and_does_not_wait_is_cut_off():
    """Bytes before the 101 are kept for the socket, and not without end."""
    transport, durable = Mock(), asyncio.get_running_loop().create_future()
    waiting = when_settled(transport, Verdict(None, durable=(durable,)), Mock(), Seats())
    waiting.data_received(b"x" * 65_536)
    transport.abort.assert_not_called()
    waiting.data_received(b"x")
    transport.abort.assert_called_once_with()
    waiting.connection_lost(None)


async def test_a_fault_of_ours_ends_a_socket_that_waits():
    """Its peer is cut off instead of waiting for a 101 that never comes, and its place is free again."""
    transport, durable, places = Mock(), asyncio.get_running_loop().create_future(), Places(1)
    opens = Mock(side_effect=RuntimeError("a fault"))
    when_settled(transport, Verdict(None, durable=(durable,)), opens, Seat.take(places, "here"))
    durable.set_result(None)
    await until(lambda: transport.abort.called)
    transport.set_protocol.assert_not_called()
    assert places.take("here")
