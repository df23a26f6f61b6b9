"""Holds a gateway against its model: what is stored, what sockets heard, what readers were told."""

from dataclasses import dataclass, field
from typing import Any

from listenkey.core.position import Gap, Position
from listenkey.core.records import StreamId
from tests.service.house import Frame, House, Watcher
from tests.world.model import Epoch, Model, Stream


@dataclass
class Socket:
    """A venue socket of a key that is open since so much had been told."""

    watcher: Watcher
    number: int
    stream: Stream
    since: int


@dataclass
class Reader:
    """A native reader, over all its sockets."""

    stream: Stream
    start: Position
    watcher: Watcher | None = None
    got: list[Any] = field(default_factory=list)

    def all(self) -> list[Any]:
        return self.got + (self.watcher.got if self.watcher else [])

    def hang_up(self) -> Position:
        """Where the reader is when its socket is gone."""
        self.got, self.watcher = self.all(), None
        place = self.start
        for item in self.got:
            place = after(item, place)
        return place


def after(item: Any, place: Position) -> Position:
    if isinstance(item, Frame):
        return Position(item.epoch, item.offset)
    if item.next is not None:
        return Position(item.next.epoch, item.next.offset - 1)
    return Position(item.epoch, item.last)


class Inspector:
    """Looks, and changes nothing."""

    house: House
    model: Model
    relaxed: bool
    strings: dict[int, str]
    sockets: list[Socket]
    readers: list[Reader]
    streams: list[Stream]
    epochs: dict[Stream, dict[int, str]]
    """Names of each stream's histories, by their number."""
    latest: int

    @property
    def now(self) -> int:
        return self.house.gateway.clock.now()

    async def check(self) -> None:
        """Everything that was promised, as far as it has come."""
        await self.house.drain()
        assert self.now >= self.latest, (
            "I5: time never runs back; over a restart, no further than what was persisted"
        )
        self.latest = self.now
        wrong = differences(self.stored(), self.foreseen(self.model))
        assert not wrong, wrong[:3]
        self.note_epochs()
        for number, string in self.strings.items():
            live = self.house.resolve(string)
            assert (live is not None) == self.model.is_live(number, self.now), "I1, I2, I5"
            assert live is None or live.key.id == number
        for socket in self.sockets:
            self.check_socket(socket, self.model)
        for reader in self.readers:
            if reader.watcher is not None:
                self.check_reader(reader)

    # What is stored --------------------------------------------------------------------------------

    def stored(self, *, past: bool = False) -> dict[Any, Any]:
        """Keys and journals as they are in the store; with `past` also past histories and who uses keys."""
        found: dict[Any, Any] = {
            key.id: (key.account, key.key_space, key.scope, key.state, key.expires_at, key.ended_at)
            for key in self.house.store.read_keys(None, None, None, 0, 10_000)
        }
        if past:
            read_users = self.house.store.read_key_users
            for number in [number for number, key in found.items() if key[3] == "active"]:
                found["users", number] = {user.id for user in read_users(number)}
        for stream in self.streams:
            for number in self._histories(stream, past):
                kept = self._read(stream, self.epochs.get(stream, {}).get(number))
                if kept:
                    found[stream, number] = kept
        return found

    def _read(self, stream: Stream, epoch: str | None) -> list[tuple[int, bytes]]:
        stream_id = self.stream_id(stream)
        view = self.house.store.read_journal(stream_id, epoch)
        if view is None:
            return []
        events = self.house.store.read_events(stream_id, view.epoch, 0, 10_000)
        assert [event.offset for event in events] == list(range(view.oldest, view.head + 1)), "no hole"
        return [(event.offset, event.payload) for event in events]

    def stream_id(self, stream: Stream) -> StreamId:
        account = self.house.store.find_account(stream[0])
        assert account is not None
        return StreamId(account.id, stream[1])

    def _histories(self, stream: Stream, past: bool) -> list[int]:
        """Numbers of a stream's histories; the current one's is -1."""
        return [*self.epochs.get(stream, {}), -1] if past else [-1]

    def foreseen(self, model: Model, *, past: bool = False) -> dict[Any, Any]:
        """The same, as the model has it."""
        wanted: dict[Any, Any] = {
            number: (key.account, key.space, key.scope, key.state, key.expires_at, key.ended_at)
            for number, key in model.keys.items()
        }
        if past:
            wanted |= {("users", number): model.keys[number].users for number in model.active()}
        for stream in self.streams:
            epochs = model.journals.get(stream, [Epoch()])
            for number in self._histories(stream, past):
                epoch = epochs[number]
                kept = list(enumerate(epoch.payloads[epoch.oldest - 1 :], epoch.oldest))
                if kept:
                    wanted[stream, number] = kept
        return wanted

    def note_epochs(self) -> None:
        """Learn the names of what is current, and see that no name ever changes."""
        for stream in self.streams:
            view = self.house.store.read_journal(self.stream_id(stream))
            assert view is not None
            number = len(self.model.journals.get(stream, [Epoch()])) - 1
            assert self.epoch_name(stream, number, view.epoch) == view.epoch

    def epoch_name(self, stream: Stream, number: int, seen: str) -> str:
        """The name of a stream's epoch, which is what it was when it was first seen."""
        names = self.epochs.setdefault(stream, {})
        assert number in names or seen not in names.values(), "an epoch's name is never used again"
        return names.setdefault(number, seen)

    def forget_empty_epochs(self) -> None:
        """A history in which nothing happened may have another name after an unclean end."""
        for stream, names in self.epochs.items():
            epochs = self.model.journals.get(stream, [Epoch()])
            for number in [number for number in names if number >= len(epochs) or not epochs[number].head]:
                del names[number]

    # What was heard --------------------------------------------------------------------------------

    def check_socket(self, socket: Socket, model: Model, *, cut: bool = False) -> None:
        """I2, I3: all that was committed between its opening and the end of its key, in order, no more."""
        events, reason = model.heard(socket.since, socket.number, [socket.stream])
        got = socket.watcher.events
        if not cut:
            assert socket.watcher.reasons == ([reason] if reason else [])
            assert len(got) == len(events)
        for frame, (epoch, offset) in zip(got, events[: len(got)], strict=True):
            assert frame.offset == offset
            assert frame.epoch == self.epoch_name(socket.stream, epoch, frame.epoch)
            payloads = self.model.journals[socket.stream][epoch].payloads
            assert payloads[offset - 1] == bytes(frame), "I3: nothing is sent that is not in the journal"

    def check_reader(self, reader: Reader) -> None:
        """I4: from its start to the head every event once, or a gap that names what really cannot be had."""
        epochs = self.model.journals.get(reader.stream, [Epoch()])
        numbers = {name: number for number, name in self.epochs[reader.stream].items()}
        place = reader.start
        for item in reader.all():
            if isinstance(item, Gap):
                self._check_gap(item, place, epochs, numbers)
            else:
                assert (item.epoch, item.offset) == (place.epoch, place.offset + 1)
                assert epochs[numbers[item.epoch]].payloads[item.offset - 1] == bytes(item)
            place = after(item, place)
        view = self.house.store.read_journal(self.stream_id(reader.stream))
        assert view is not None
        assert place == Position(view.epoch, view.head), "I4: the reader has come to the head"

    def _check_gap(self, gap: Gap, place: Position, epochs: list[Epoch], numbers: dict[str, int]) -> None:
        assert gap.epoch == place.epoch
        assert gap.first == place.offset + 1, "a gap begins where the reader stands"
        if gap.reason == "retention":
            assert gap.last is not None
            assert gap.last < epochs[numbers[gap.epoch]].oldest, (
                "only what is forgotten is said to be missing"
            )
            return
        assert (gap.reason, gap.last) == ("epoch", None)
        assert gap.next is not None
        assert gap.next.offset == 1
        number = numbers.get(gap.epoch)
        assert number is None or self.relaxed, "only an unclean end below full durability breaks a history"
        assert number is None or gap.first > epochs[number].head or not epochs[number].kept


def differences(actual: dict[Any, Any], foreseen: dict[Any, Any]) -> list[str]:
    """What is otherwise than it should be."""
    return [
        f"{name}: {actual.get(name)}, not {foreseen.get(name)}"
        for name in actual.keys() | foreseen.keys()
        if actual.get(name) != foreseen.get(name)
    ]
