"""Writes the history of a world of deliveries: bots tell what they were given, and a gateway's process is
watched at the few places where it decides."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from listenkey.base.clock import SECOND, Micros
from listenkey.core.consumer import SHARED, ConsumerId, Cursor, Reach
from listenkey.core.position import Position
from listenkey.core.records import StreamId
from listenkey.service.vault import digest_of
from tests.world.gateway import Process
from tests.world.history import Bounds, Drop, Event, Heard, History, Place, Reading, Receipt, Start, Stream

if TYPE_CHECKING:
    from tests.world.bots import Bot, Socket
    from tests.world.delivery import World

ACCOUNTS = ("alice", "bob")
KEPT_WITHIN = SECOND
"""Cursors are in the store so long after they moved."""


class Recorder(History):
    """The history, as everybody tells it."""

    def __init__(self, world: "World", reach: Reach) -> None:
        super().__init__(Bounds(reach.overlap, reach.longest, reach.most_events))
        self.world = world
        self.reach = reach
        self.kept: dict[ConsumerId, Place] = {}
        """Cursors that the store has to have."""
        self._readings: dict[tuple[str, str], Reading] = {}
        self._epochs: dict[Stream, list[str]] = {}
        self._told_logs = 0
        self._watch: Watch | None = None

    # Bots tell -----------------------------------------------------------------------------------------

    def reading(self, bot: "Bot", topic: str) -> Reading:
        """What a bot reads."""
        found = self._readings.get((bot.name, topic))
        if found is None:
            stream = bot.account, bot.product.stream
            found = Reading(f"{bot.name} {topic}".strip(), stream, bot.product.wants(topic), bot.name)
            self._readings[bot.name, topic] = found
            self.readings.append(found)
        return found

    def opened(self, socket: "Socket") -> None:
        for topic in socket.parts:
            heard = Heard(socket.number, socket.bound, socket.taken.setdefault(topic, []))
            self.reading(socket.bot, topic).sockets.append(heard)

    def heard(self, bot: "Bot", event: dict[str, Any]) -> None:
        if (event["o"], event["s"]) != (bot.account, bot.product.stream):
            self.foreign.append(f"{bot.name} was sent {event}")

    def handled(self, bot: "Bot", topic: str, number: int) -> None:
        self.reading(bot, topic).handled.add(number)

    def dropped(self, bot: "Bot", topic: str, number: int, taken: Micros) -> None:
        self.reading(bot, topic).drops.append(Drop(number, taken, self.world.loop.wall()))

    # The gateway tells ---------------------------------------------------------------------------------

    def watch(self, process: Process) -> None:
        """A process has opened its store: from now on, what it decides is written down."""
        if self._watch is not None:
            self.kept.update(self._watch.outlasting())
        self.take_over(process)
        self._watch = Watch(self, process)

    def epoch(self, stream: StreamId, name: str) -> int:
        """Which epoch of a journal it is, in the order in which they were seen."""
        names = self._epochs.setdefault(name_of(stream), [])
        if name not in names:
            names.append(name)
        return names.index(name)

    def epochs_since(self, stream: StreamId, number: int, process: Process) -> "list[Epoch]":
        """The epochs of a journal from one on: number, oldest offset, and the times of all events ever."""
        times: dict[int, list[Micros]] = {}
        for event in self.journals.get(name_of(stream), ()):
            times.setdefault(event.place[0], []).append(event.time)
        found = []
        for later, name in enumerate(self._epochs[name_of(stream)]):
            view = process.store.read_journal(stream, name)
            if later >= number and view is not None:
                found.append((later, view.oldest, times.get(later, [])))
        return found

    def appended(self, stream: StreamId, epoch: str, events: Sequence[Any]) -> None:
        """Events are in a journal."""
        number, journal = self.epoch(stream, epoch), self.journals.setdefault(name_of(stream), [])
        for event in events:
            payload = msgspec.json.decode(event.payload)
            journal.append(Event(payload["n"], (number, event.offset), event.time, payload["e"]))

    def take_over(self, process: Process) -> None:
        """Write down what a store holds that its last process did not come to tell, and what the log says."""
        for bot in self.world.bots:
            stream = StreamId(ACCOUNTS.index(bot.account) + 1, bot.product.stream)
            self._take_journal(process, stream)
            for key in bot.keys:
                found = process.store.find_key(digest_of(key))
                if found is not None and found.state != "active":
                    self.ended_keys[key] = found.ended_at
            for topic in bot.product.parts:
                self.reading(bot, topic).begun = bot.begun_at
        entries = self.world.logs.entries
        for entry in entries[self._told_logs :]:
            if entry["event"] == "events_passed_over":
                self._take_log(entry)
        self._told_logs = len(entries)

    def _take_journal(self, process: Process, stream: StreamId) -> None:
        view = process.store.read_journal(stream)
        assert view is not None
        self.epoch(stream, view.epoch)
        journal = self.journals.setdefault(name_of(stream), [])
        for number, epoch in enumerate(self._epochs[name_of(stream)]):
            had = max((event.place[1] for event in journal if event.place[0] == number), default=0)
            self.appended(stream, epoch, process.store.read_events(stream, epoch, had, 1 << 30))

    def _take_log(self, entry: Any) -> None:
        for bot in self.world.bots:
            if entry["api_key"] not in {bot.api_key.id, bot.keeper.id}:
                continue
            number = self._epochs[bot.account, entry["stream"]].index(entry["epoch"])
            first, last = (number, entry["first"]), (number, entry["last"])
            for part in bot.product.parts:
                if entry["place"] in {SHARED, part, f"events={part}"} or part in bot.product.topics[1:]:
                    self.reading(bot, part).passed.append((first, last))


def name_of(stream: StreamId) -> Stream:
    return ACCOUNTS[stream.account_id - 1], stream.stream


class Watch:
    """Stands beside one process, and between some of its parts."""

    def __init__(self, recorder: Recorder, process: Process) -> None:
        self.recorder, self.process = recorder, process
        self._start: Start | None = None
        self._since: dict[Any, tuple[Any, str, int, Place]] = {}
        self._moved: list[tuple[Micros, ConsumerId, Place]] = []
        consumers, streams, store = process.gateway.consumers, process.gateway.streams, process.store
        self._appended, streams.appended = streams.appended, self.appended
        self._open, consumers.open = consumers.open, self.open
        self._subscribe, streams.subscribe = streams.subscribe, self.subscribe
        self._confirm, streams.confirm = streams.confirm, self.confirm
        self._put_cursors, store.put_cursors = store.put_cursors, self.put_cursors

    def appended(self, stream: StreamId, epoch: str, events: Any) -> None:
        """Events were committed."""
        self.recorder.appended(stream, epoch, events)
        self._appended(stream, epoch, events)

    def open(self, key: Any, stream: StreamId, place: str, address: str) -> Any:
        """A reader begins."""
        if not self.process.alive:
            return self._open(key, stream, place, address)
        holder = f"{key.user}@{address}" if self.recorder.world.by_address else key.user
        consumer_id = ConsumerId(stream.account_id, stream.stream, holder, place)
        shared = replace(consumer_id, place=SHARED)
        cursors = {each: self._cursor(stream, each) for each in (consumer_id, shared)}
        opened = self._open(key, stream, place, address)
        consumer_id = opened[1].consumer.id
        cursor = cursors[consumer_id]
        self._start = self._started(stream, consumer_id, cursor, opened[0][0])
        self._note(opened[1].consumer)
        return opened

    def _cursor(self, stream: StreamId, consumer_id: ConsumerId) -> Cursor | None:
        """Where a place is; of a new one, where the lowest of the reader's others is."""
        known = self.process.gateway.consumers._open.get(consumer_id)
        if known is not None:
            known.forget_ended(self.process.gateway.clock.now() - self.recorder.reach.longest)
            return known.cursor
        place = self.process.store.find_place(consumer_id)
        if place is not None:
            return place.cursor
        others = self.process.store.read_places(consumer_id).values()
        if not others:
            return None
        epoch = min((self.recorder.epoch(stream, each.epoch), each.epoch) for each in others)[1]
        begin, confirmed, settled = (
            min(getattr(each, name) for each in others if each.epoch == epoch)
            for name in ("begin", "confirmed", "settled")
        )
        return Cursor(epoch, begin, confirmed, settled)

    def _started(
        self, stream: StreamId, consumer_id: ConsumerId, cursor: Cursor | None, opening: Any
    ) -> Start:
        recorder, process = self.recorder, self.process
        view = process.store.read_journal(stream)
        assert view is not None
        if cursor is None:
            cursor = Cursor(view.epoch, view.head, view.head, view.head)
        number = recorder.epoch(stream, cursor.epoch)
        epochs = recorder.epochs_since(stream, number, process)
        now = process.gateway.clock.now()
        return Start(
            time=recorder.world.loop.wall(),
            place=(recorder.epoch(stream, opening.epoch), opening.after),
            head=(recorder.epoch(stream, view.epoch), view.head),
            wanted=naive_start(cursor, epochs, recorder.reach, now),
            cursor=(number, cursor.confirmed),
            kept=recorder.kept.get(consumer_id, (0, 0)),
            oldest={epoch: oldest for epoch, oldest, _ in epochs},
        )

    def subscribe(self, outlet: Any, *args: Any, **kwargs: Any) -> Any:
        """A socket begins to be sent a stream."""
        subscription = self._subscribe(outlet, *args, **kwargs)
        if self.process.alive:
            assert self._start is not None
            socket = outlet._transport.wire.client
            part = subscription.topic or "/".join(sorted(subscription.events or ()))
            self.recorder.reading(socket.bot, part).starts.append(self._start)
            taken = socket.taken.setdefault(part, [])
            since = self.recorder.epoch(subscription.stream, subscription.epoch), subscription.next - 1
            self._since[subscription] = socket, part, len(taken), since
        return subscription

    def confirm(self, subscription: Any, place: Position, *times: Micros) -> None:
        """A socket is taken to have something."""
        self._confirm(subscription, place, *times)
        if self.process.alive:
            socket, part, before, since = self._since[subscription]
            upto = self.recorder.epoch(subscription.stream, place.epoch), place.offset
            taken = len(socket.taken[part]) - before
            reading = self.recorder.reading(socket.bot, part)
            reading.receipts.append(Receipt(socket.number, upto, since, taken))
            self._note(subscription.reader.consumer)

    def _note(self, consumer: Any) -> None:
        self._moved.append(
            (self.recorder.world.loop.wall(), consumer.id, self._place(consumer.id, consumer.cursor))
        )

    def _place(self, consumer_id: ConsumerId, cursor: Cursor) -> Place:
        stream = StreamId(consumer_id.account_id, consumer_id.stream)
        return self.recorder.epoch(stream, cursor.epoch), cursor.confirmed

    def put_cursors(self, cursors: Any, now: Micros) -> Any:
        """Cursors are being kept."""
        future = self._put_cursors(cursors, now)
        future.add_done_callback(lambda done: done.cancelled() or self._keep(cursors))
        return future

    def _keep(self, cursors: list[tuple[ConsumerId, Cursor]]) -> None:
        for consumer_id, cursor in cursors:
            self.recorder.kept[consumer_id] = self._place(consumer_id, cursor)

    def outlasting(self) -> dict[ConsumerId, Place]:
        """The cursors that the next process has to find: those of an orderly end, or of a moment before."""
        until = (
            self.process.died_at - KEPT_WITHIN if self.process.died_at else self.recorder.world.loop.wall()
        )
        kept = dict(self.recorder.kept)
        for time, consumer_id, place in self._moved:
            if time <= until:
                kept[consumer_id] = max(place, kept.get(consumer_id, place))
        return kept


Epoch = tuple[int, int, list[Micros]]


def naive_start(cursor: Cursor, epochs: list[Epoch], reach: Reach, now: Micros) -> Place:
    """Back from the head, event by event, while it is wanted and within the bounds. `epochs`: those from the
    cursor's on."""
    number, oldest, own = epochs[0]
    place, sent = (epochs[-1][0], len(epochs[-1][2])), 0
    if cursor.confirmed > len(own):
        return -1, -1
    since = own[cursor.confirmed - 1] - reach.overlap if cursor.confirmed >= oldest else now
    for epoch, kept, times in reversed(epochs):
        for offset in range(len(times), kept - 1, -1):
            time = times[offset - 1]
            if epoch == number:
                again = offset > cursor.settled or offset > cursor.confirmed - reach.overlap_events
                if offset <= cursor.begin or not (again or time > since):
                    return place
            if sent == reach.most_events or time < now - reach.longest:
                return place
            place, sent = (epoch, offset - 1), sent + 1
    return place
