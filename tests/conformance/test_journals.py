import asyncio

from listenkey.base.clock import DAY, HOUR, MINUTE
from listenkey.core.position import JournalView
from listenkey.core.records import Account, Event, StreamId
from listenkey.store.base import Appended, NotAppended, Store, Submission
from tests.conformance.homes import Home, Recorder
from tests.conformance.making import START, api_key, key_request, listen_key, new_key


def numbered(stream: StreamId, first: int, last: int) -> list[Submission]:
    """Events whose payload says their number."""
    return [Submission(stream, b"%d" % number) for number in range(first, last + 1)]


def read_all(store: Store, stream: StreamId, limit: int = 7) -> list[Event]:
    """The whole of a journal's current epoch, in portions."""
    view = store.read_journal(stream)
    assert view is not None
    events: list[Event] = []
    while page := store.read_events(stream, view.epoch, events[-1].offset if events else 0, limit):
        assert len(page) <= limit
        events += page
    return events


def epoch_of(store: Store, stream: StreamId) -> str:
    """The current epoch."""
    view = store.read_journal(stream)
    assert view is not None
    return view.epoch


async def test_events_get_offsets_in_the_order_of_submission(
    store: Store, recorder: Recorder, alice: Account
) -> None:
    """Offsets count from 1 without a hole, over many calls at once and over several streams in one call."""
    orders, fills = StreamId(alice.id, "orders"), StreamId(alice.id, "fills")
    calls = [
        store.append([Submission(orders, b"a"), Submission(fills, b"b"), Submission(orders, b"c")], START),
        store.append([Submission(orders, b"d")], START + 1),
        store.append([], START + 1),
        store.append([Submission(fills, b"e")], START + 2),
    ]
    answers = [answer for call in calls for answer in await call]
    epochs = {orders: epoch_of(store, orders), fills: epoch_of(store, fills)}
    assert epochs[orders] != epochs[fills]
    assert answers == [
        Appended(epochs[orders], 1),
        Appended(epochs[fills], 1),
        Appended(epochs[orders], 2),
        Appended(epochs[orders], 3),
        Appended(epochs[fills], 2),
    ]
    assert read_all(store, orders) == [
        Event(1, START, b"a"),
        Event(2, START, b"c"),
        Event(3, START + 1, b"d"),
    ]
    assert read_all(store, fills) == [Event(1, START, b"b"), Event(2, START + 2, b"e")]
    assert [item for item in recorder.told if isinstance(item, tuple) and item[0] == orders] == [
        (orders, epochs[orders], event) for event in read_all(store, orders)
    ]
    assert recorder.offsets(fills) == [1, 2]


async def test_the_observer_hears_before_the_caller(home: Home) -> None:
    """When an append is acked, the observer knows of the event, and reading it from within works."""
    seen: list[tuple[int, list[Event], bool]] = []

    class Reading(Recorder):
        def appended(self, stream: StreamId, epoch: str, events: object) -> None:
            view = store.read_journal(stream)
            assert view is not None
            seen.append((view.head, store.read_events(stream, epoch, 0, 10), call.done()))

    store = home.open()
    store.start(Reading())
    account = await store.add_account("alice", START)
    call = store.append(numbered(StreamId(account.id, "orders"), 1, 2), START)
    await call
    assert seen == [(2, [Event(1, START, b"1"), Event(2, START, b"2")], False)]
    await store.close()


async def test_an_observer_that_fails_harms_nobody(home: Home) -> None:
    """Faults of the observer are reported; callers get their answers, and readers every event."""
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))

    class Failing(Recorder):
        def appended(self, stream: StreamId, epoch: str, events: object) -> None:
            raise ZeroDivisionError

        def keys_ended(self, ended: object) -> None:
            raise ZeroDivisionError

    store = home.open()
    store.start(Failing())
    account = await store.add_account("alice", START)
    holder = await store.add_api_key(api_key(account, "one"), START)
    key = listen_key(1, holder, START)
    await store.create_key(new_key(key, START))
    orders, fills = StreamId(account.id, "orders"), StreamId(account.id, "fills")
    calls = [
        store.append([*numbered(orders, 1, 2), *numbered(fills, 1, 2)], START),
        store.close_key(key_request(key, START)),
        store.append([*numbered(orders, 3, 3), *numbered(fills, 3, 3)], START),
    ]
    await asyncio.gather(*calls)
    await store.append(numbered(orders, 4, 4), START)
    assert [event.offset for event in read_all(store, orders)] == [1, 2, 3, 4]
    assert [event.offset for event in read_all(store, fills)] == [1, 2, 3]
    assert [type(fault["exception"]) for fault in faults] == [ZeroDivisionError] * 6
    await store.close()


async def test_a_cancelled_append_is_told_all_the_same(
    store: Store, recorder: Recorder, alice: Account
) -> None:
    """Who stops waiting does not undo an event: the observer hears of it, and it is read."""
    stream = StreamId(alice.id, "orders")
    calls = [store.append(numbered(stream, number, number), START) for number in (1, 2, 3)]
    calls[1].cancel()
    await calls[2]
    assert recorder.offsets(stream) == [1, 2, 3]
    assert [event.payload for event in read_all(store, stream)] == [b"1", b"2", b"3"]


async def test_a_long_append_is_one_piece_to_the_caller(
    store: Store, recorder: Recorder, alice: Account
) -> None:
    """Thousands of events in one call, beside small ones, keep their order and get an answer each."""
    stream, other = StreamId(alice.id, "orders"), StreamId(alice.id, "fills")
    long = store.append(numbered(stream, 1, 3_000), START)
    short = store.append([Submission(other, b"x"), Submission(stream, b"last")], START)
    answers = await long
    assert [answer.offset for answer in answers if isinstance(answer, Appended)] == list(range(1, 3_001))
    assert [answer.offset for answer in await short if isinstance(answer, Appended)] == [1, 3_001]
    assert [event.payload for event in read_all(store, stream, 512)] == [
        *(b"%d" % number for number in range(1, 3_001)),
        b"last",
    ]
    assert recorder.offsets(stream) == list(range(1, 3_002))


async def test_each_event_is_refused_by_itself(store: Store, alice: Account) -> None:
    """An event for an account that is not there takes no other one along and leaves no hole."""
    stream, nowhere = StreamId(alice.id, "orders"), StreamId(alice.id + 1, "orders")
    answers = await store.append(
        [Submission(stream, b"1"), Submission(nowhere, b"x"), Submission(stream, b"2")], START
    )
    assert isinstance(answers[1], NotAppended)
    assert answers[1].code == "unknown_account"
    assert [event.offset for event in read_all(store, stream)] == [1, 2]
    assert store.read_journal(nowhere) is None


async def test_an_id_is_journaled_once(store: Store, recorder: Recorder, alice: Account) -> None:
    """An id that comes again gives the first offset, or a conflict for another payload, in one call too."""
    stream, other = StreamId(alice.id, "orders"), StreamId(alice.id, "fills")
    epoch = epoch_of(store, stream)
    calls = [
        store.append(
            [
                Submission(stream, b"a", "one"),
                Submission(stream, b"a", "one"),
                Submission(stream, b"b", "one"),
            ],
            START,
        ),
        store.append([Submission(stream, b"a", "one"), Submission(stream, b"a", "two")], START),
        store.append([Submission(other, b"z", "one"), Submission(stream, b"a")], START),
    ]
    first, second, third = [await call for call in calls]
    assert first[:2] == [Appended(epoch, 1), Appended(epoch, 1, repeated=True)]
    assert isinstance(first[2], NotAppended)
    assert first[2].code == "id_conflict"
    assert second == [Appended(epoch, 1, repeated=True), Appended(epoch, 2)]
    assert third == [Appended(epoch_of(store, other), 1), Appended(epoch, 3)]
    assert recorder.offsets(stream) == [1, 2, 3]


async def test_an_id_is_known_after_a_restart_and_a_kill(home: Home) -> None:
    """A publisher that tries again after the gateway went down, in whatever way, gets the first offset."""
    store = home.open()
    store.start(Recorder())
    account = await store.add_account("alice", START)
    stream = StreamId(account.id, "orders")
    (first,) = await store.append([Submission(stream, b"a", "one")], START)
    killed = home.after_kill()
    await store.close()
    for place in (home, killed):
        store = place.open()
        store.start(Recorder())
        again, conflict = await store.append(
            [Submission(stream, b"a", "one"), Submission(stream, b"b", "one")], START
        )
        assert isinstance(first, Appended)
        assert again == Appended(first.epoch, 1, repeated=True)
        assert isinstance(conflict, NotAppended)
        await store.close()


async def test_an_id_is_known_for_a_day_and_as_long_as_its_event(store: Store, alice: Account) -> None:
    """Trimming forgets no id of an event that is kept, and none of the last 24 hours; older ones go."""
    stream = StreamId(alice.id, "orders")
    await store.append([Submission(stream, b"a", "one")], START)

    async def again(now: int) -> Appended:
        (answer,) = await store.append([Submission(stream, b"a", "one")], now)
        assert isinstance(answer, Appended)
        return answer

    await store.trim_journals(START + 1, 10, START + DAY)
    assert store.read_events(stream, epoch_of(store, stream), 0, 10) == []
    assert (await again(START + DAY)).repeated
    await store.trim_journals(START, 10, START + 3 * DAY)
    assert (await again(START + 3 * DAY)).repeated
    await store.trim_journals(START + 1, 10, START + DAY + 1)
    assert await again(START + 3 * DAY) == Appended(epoch_of(store, stream), 2)


async def test_a_journal_has_its_epoch_before_its_first_event(home: Home) -> None:
    """Who looks first gets an epoch that the first event keeps, also over a kill in between."""
    store = home.open()
    store.start(Recorder())
    account = await store.add_account("alice", START)
    stream = StreamId(account.id, "orders")
    view = store.read_journal(stream)
    assert view is not None
    assert view == JournalView(view.epoch, 1, 0)
    assert store.read_events(stream, view.epoch, 0, 10) == []
    killed = home.after_kill()
    await store.close()
    store = (killed if home.keeps_epochs else home).open()
    store.start(Recorder())
    assert store.read_journal(stream) == view
    await store.append(numbered(stream, 1, 1), START)
    assert store.read_journal(stream) == JournalView(view.epoch, 1, 1)
    await store.close()


async def test_events_outlast_restart_and_kill(home: Home, recorder: Recorder) -> None:
    """What was acked is read again after a clean end and after a kill, and the offsets go on."""
    store = home.open()
    store.start(recorder)
    account = await store.add_account("alice", START)
    streams = [StreamId(account.id, f"stream-{number}") for number in range(3)]
    for number in range(1, 40):
        await store.append([Submission(streams[number % 3], b"%d" % number)], START + number)
    kept = {stream: read_all(store, stream) for stream in streams}
    epochs = {stream: epoch_of(store, stream) for stream in streams}
    killed = home.after_kill()
    await store.close()
    for place, goes_on in ((home, True), (killed, home.keeps_epochs)):
        store = place.open()
        store.start(Recorder())
        assert store.read_latest_time() == START + 39
        for stream in streams:
            assert store.read_events(stream, epochs[stream], 0, 100) == kept[stream]
            (answer,) = await store.append([Submission(stream, b"more")], START + 50)
            assert isinstance(answer, Appended)
            assert (answer.epoch == epochs[stream]) == goes_on
            assert answer.offset == (len(kept[stream]) + 1 if goes_on else 1)
        assert list(store.verify()) == []
        await store.close()


async def test_a_past_epoch_is_read_until_it_is_trimmed(home: Home) -> None:
    """Where a kill below full durability begins a new epoch, the old one is read for its time."""
    store = home.open()
    store.start(Recorder())
    account = await store.add_account("alice", START)
    stream = StreamId(account.id, "orders")
    await store.append(numbered(stream, 1, 5), START)
    old = store.read_journal(stream)
    assert old is not None
    killed = home.after_kill()
    await store.close()
    store = killed.open()
    store.start(Recorder())
    if not home.keeps_epochs:
        current = store.read_journal(stream)
        assert current is not None
        assert current == JournalView(current.epoch, 1, 0)
        assert current.epoch != old.epoch
        assert await store.trim_journals(START, 3, START + 1) == 2
        assert store.read_journal(stream, old.epoch) == JournalView(old.epoch, 3, 5)
        assert [event.offset for event in store.read_events(stream, old.epoch, 0, 10)] == [3, 4, 5]
        assert await store.trim_journals(START + 1, 3, START + 1) == 3
        assert store.read_journal(stream, old.epoch) is None
        assert store.read_journal(stream) == current
    else:
        assert store.read_journal(stream) == old
        assert store.read_journal(stream, old.epoch) == old
    assert store.read_journal(stream, "another") is None
    assert store.read_events(stream, "another", 0, 10) == []
    await store.close()


async def test_reading_starts_and_stops_where_asked(store: Store, alice: Account) -> None:
    """Events come from right after the given offset, as many as wanted, and none beyond the head."""
    stream = StreamId(alice.id, "orders")
    await store.append(numbered(stream, 1, 20), START)
    epoch = epoch_of(store, stream)

    def offsets(after: int, limit: int) -> list[int]:
        return [event.offset for event in store.read_events(stream, epoch, after, limit)]

    assert offsets(0, 3) == [1, 2, 3]
    assert offsets(18, 10) == [19, 20]
    assert offsets(20, 10) == []
    assert offsets(2**62, 10) == []
    assert offsets(0, 0) == []


async def test_trimming_goes_by_age_and_by_count(store: Store, alice: Account) -> None:
    """Events that are too old go, and of the others all but the newest; heads and epochs stay."""
    busy, quiet, empty = (StreamId(alice.id, name) for name in ("busy", "quiet", "empty"))
    for hour in range(10):
        now = START + hour * HOUR
        await store.append([*numbered(busy, 3 * hour + 1, 3 * hour + 3), *numbered(quiet, hour, hour)], now)
    now = START + 10 * HOUR
    before = {stream: epoch_of(store, stream) for stream in (busy, quiet, empty)}
    assert await store.trim_journals(START + 4 * HOUR, 10, now) == 20 + 4
    assert store.read_journal(busy) == JournalView(before[busy], 21, 30)
    assert store.read_journal(quiet) == JournalView(before[quiet], 5, 10)
    assert store.read_journal(empty) == JournalView(before[empty], 1, 0)
    assert [event.offset for event in read_all(store, busy)] == list(range(21, 31))
    assert [event.offset for event in store.read_events(quiet, before[quiet], 0, 3)] == [5, 6, 7]
    assert await store.trim_journals(START + 4 * HOUR, 10, now) == 0
    assert await store.trim_journals(now, 10, now) == 16
    assert store.read_journal(quiet) == JournalView(before[quiet], 11, 10)
    assert store.read_latest_time() == now
    (answer,) = await store.append(numbered(quiet, 11, 11), now)
    assert answer == Appended(before[quiet], 11)
    assert list(store.verify()) == []


async def test_trimming_a_long_journal_disturbs_nobody(store: Store, alice: Account) -> None:
    """While thousands of events go, others are journaled and read, and what is read has no hole."""
    stream, other = StreamId(alice.id, "orders"), StreamId(alice.id, "fills")
    for first in range(1, 6_000, 100):
        await store.append([*numbered(stream, first, first + 99), *numbered(other, first, first)], START)
    trim = store.trim_journals(START, 500, START)
    epoch = epoch_of(store, stream)
    while not trim.done():
        await store.append(numbered(stream, 0, 0), START)
        offsets = [event.offset for event in store.read_events(stream, epoch, 0, 10_000)]
        assert offsets == list(range(offsets[0], offsets[-1] + 1))
    assert await trim >= 5_500
    assert list(store.verify()) == []


async def test_a_trim_minds_what_comes_meanwhile(home: Home) -> None:
    """What comes in the middle of a trim is neither lost nor in the way of a later start."""
    store = home.open()
    store.start(Recorder())
    late = START + HOUR
    for number in range(12):
        account = await store.add_account(f"account-{number}", START)
        stream = StreamId(account.id, "orders")
        await store.append(numbered(stream, 1, 20), START)
        trim = store.trim_journals(late, 1_000, START)
        for _ in range(number):
            await store.append(numbered(stream, 0, 0), START)
        if number % 2:
            await store.append(numbered(stream, 0, 0), START)
            await store.remove_account(account.name, START)
        assert await trim >= 20
        if not number % 2:
            view = store.read_journal(stream)
            assert view is not None
            assert len(read_all(store, stream)) == view.head - view.oldest + 1
        killed = home.after_kill().open()
        assert list(killed.verify()) == []
        await killed.close()
    await store.trim_journals(late, 1_000, START)
    assert list(store.verify()) == []
    await store.close()


async def test_an_account_that_is_removed_leaves_no_events(store: Store, alice: Account) -> None:
    """The events of a removed account are forgotten by the next trim, however young they are; others stay."""
    bob = await store.add_account("bob", START)
    gone, kept = StreamId(alice.id, "orders"), StreamId(bob.id, "orders")
    await store.append([*numbered(gone, 1, 50), *numbered(kept, 1, 5)], START)
    await store.remove_account("alice", START)
    assert await store.trim_journals(START - DAY, 1_000, START) == 50
    assert await store.trim_journals(START - DAY, 1_000, START) == 0
    assert [event.offset for event in read_all(store, kept)] == [1, 2, 3, 4, 5]
    assert list(store.verify()) == []


async def test_the_times_of_a_journal_never_fall(store: Store, alice: Account) -> None:
    """An event that carries an earlier time than the one before it gets that one's."""
    stream = StreamId(alice.id, "orders")
    for now in (START + MINUTE, START, START + 2 * MINUTE):
        await store.append(numbered(stream, 1, 1), now)
    assert [event.time for event in read_all(store, stream)] == [
        START + MINUTE,
        START + MINUTE,
        START + 2 * MINUTE,
    ]


async def test_any_payload_is_kept_as_it_is(store: Store, alice: Account) -> None:
    """Empty, large and odd bytes come back unchanged."""
    stream = StreamId(alice.id, "orders")
    payloads = [b"", b"\x00\xff", "ключ".encode(), b"x" * 1_048_576]
    await store.append([Submission(stream, payload) for payload in payloads], START)
    assert [event.payload for event in read_all(store, stream)] == payloads


async def test_a_page_is_bounded_by_its_bytes(store: Store, alice: Account) -> None:
    """A reader of large events does not hold hundreds of them in memory: a page ends with the event that
    fills it, one is given at least, and page by page all of them come, however rows lie in the store."""
    one, other = StreamId(alice.id, "orders"), StreamId(alice.id, "fills")
    for number in range(40):
        await store.append([Submission(one, b"%02d" % number * 50), Submission(other, b"x")], START + number)
    epoch = epoch_of(store, one)
    found: list[Event] = []
    for most_bytes in (1, 100, 101, 250, 1000, 10_000):
        page = store.read_events(one, epoch, 0, 30, most_bytes)
        assert [event.offset for event in page] == list(range(1, min(-(-most_bytes // 100), 30) + 1))
    while page := store.read_events(one, epoch, len(found), 30, 250):
        found += page
    assert found == store.read_events(one, epoch, 0, 100)
    assert len(found) == 40


async def test_a_gap_takes_an_offset_like_an_event(home: Home) -> None:
    """What a source could not get is told in its place: to the observer, to who reads, after a kill; ids hold
    for it, it counts for retention, and no event around it is lost."""
    store, recorder = home.open(), Recorder()
    store.start(recorder)
    account = await store.add_account("alice", START)
    stream = StreamId(account.id, "orders")
    found = [Submission(stream, b"1"), Submission(stream, b"{}", "away", gap=True), Submission(stream, b"2")]
    first = await store.append(found, START)
    again = await store.append([found[1], Submission(stream, b"3")], START)
    assert [answer.offset for answer in first if isinstance(answer, Appended)] == [1, 2, 3]
    assert again[0] == Appended(epoch_of(store, stream), 2, repeated=True)
    expected = [Event(1, START, b"1"), Event(2, START, b"{}", gap=True), Event(3, START, b"2")]
    expected.append(Event(4, START, b"3"))
    assert read_all(store, stream) == expected
    assert [told[2] for told in recorder.told if len(told) == 3] == expected
    killed = home.after_kill().open()
    killed.start(Recorder())
    epoch = epoch_of(store, stream)
    assert killed.read_events(stream, epoch, 0, 10) == expected
    assert list(killed.verify()) == []
    assert await killed.trim_journals(0, 3, START) == 1
    assert [event.gap for event in killed.read_events(stream, epoch, 0, 10)] == [True, False, False]
    await killed.close()
    await store.close()
