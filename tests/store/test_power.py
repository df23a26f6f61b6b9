"""Power cuts at any moment: what was acked is there, what is there is whole."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from listenkey.base.clock import HOUR
from listenkey.base.errors import StoreError
from listenkey.core.keylife import Changed, Issued, IssueRefused, NotLive
from listenkey.core.records import ApiKey, ListenKey, StreamId
from listenkey.store.base import Appended, Store, Submission
from listenkey.store.sqlite import open_sqlite
from listenkey.store.sqlite.database import Durability
from listenkey.store.sqlite.pace import DEFAULT
from tests.conformance.homes import HASTY, Recorder
from tests.conformance.making import START, api_key, key_request, listen_key, new_key
from tests.store.power import Disk, PowerVFS

NAMES = ("alice", "bob")


class Witness:
    """Somebody who uses a store and remembers what was acked while there was power."""

    def __init__(self, disk: Disk, random: Random) -> None:
        self.disk = disk
        self.random = random
        self.events: dict[tuple[StreamId, str], dict[int, bytes]] = {}
        self.ids: dict[str, tuple[StreamId, Appended, bytes]] = {}
        self.keys: dict[int, ListenKey] = {}
        self.unsure: set[int] = set()
        self.oldest: dict[tuple[StreamId, str], int] = {}

    async def live(self, store: Store) -> None:
        """Use the store until the power goes."""
        holders = store.read_api_keys(None, "", 10)
        now, number = START, 0
        while not self.disk.is_cut:
            now, number = now + HOUR // 8, number + 1
            holder = self.random.choice(holders)
            await asyncio.gather(
                self._publish(store, holder, now, number),
                self._publish(store, holder, now, number + 10_000),
                self._use_keys(store, holder, now, number),
            )
            if number % 5 == 0:
                await self._trim(store, now)

    async def _publish(self, store: Store, holder: ApiKey, now: int, number: int) -> None:
        streams = [StreamId(holder.account_id, name) for name in ("orders", "fills")]
        submissions = [
            Submission(
                self.random.choice(streams),
                b"%d-%d " % (number, part) * self.random.choice([1, 100, 900]),
                f"{number}-{part}" if self.random.random() < 0.3 else None,
            )
            for part in range(self.random.randrange(1, 12))
        ]
        answers = await store.append(submissions, now)
        if self.disk.is_cut:
            return
        for submission, answer in zip(submissions, answers, strict=True):
            assert isinstance(answer, Appended)
            self.events.setdefault((submission.stream, answer.epoch), {})[answer.offset] = submission.payload
            if submission.id is not None:
                self.ids[submission.id] = submission.stream, answer, submission.payload

    async def _use_keys(self, store: Store, holder: ApiKey, now: int, number: int) -> None:
        fresh = listen_key(number, holder, now)
        active = [key for key in self.keys.values() if key.state == "active"]
        changes = [store.create_key(new_key(fresh, now, "new_coexists"))]
        self.unsure = {number, *(key.id for key in active if key.expires_at <= now)}
        mine = [key for key in active if key.holder == holder.id]
        if mine:
            key = self.random.choice(mine)
            self.unsure.add(key.id)
            change = self.random.choice([store.extend_key, store.close_key])
            changes.append(change(key_request(key, now)))  # type: ignore[arg-type]
        answers = await asyncio.gather(*changes)
        expired = await store.expire_keys(now, 100)
        if not self.disk.is_cut:
            self.unsure = set()
            self.keys |= {end.key.id: end.key for end in expired}
            for answer in answers:
                self._note(answer)

    def _note(self, answer: Issued | IssueRefused | Changed | NotLive) -> None:
        if isinstance(answer, Issued | Changed):
            self.keys[answer.key.id] = answer.key
        ended = answer.ended if isinstance(answer, Issued) else ()
        if isinstance(answer, NotLive) and answer.ended is not None:
            ended = (answer.ended,)
        self.keys |= {key.id: key for key in ended}

    async def _trim(self, store: Store, now: int) -> None:
        # Whether a trim took hold before the cut does not matter: its bound holds from its asking on.
        for (stream, epoch), events in self.events.items():
            self.oldest[stream, epoch] = max(events) - 30 + 1
        await store.trim_journals(0, 30, now)

    def check(self, store: Store, *, all_acked: bool) -> None:
        """Everything that was acked is there, and nothing is torn."""
        assert [account.name for account in store.read_accounts("", 10)] == list(NAMES)
        for (stream, epoch), events in self.events.items():
            view = store.read_journal(stream, epoch)
            if view is None:
                assert not all_acked
                continue
            kept = store.read_events(stream, epoch, 0, 100_000)
            assert [event.offset for event in kept] == list(range(view.oldest, view.head + 1))
            for event in kept:
                assert events.get(event.offset, event.payload) == event.payload
            if all_acked:
                assert view.head >= max(events)
                assert view.oldest <= max(1, self.oldest.get((stream, epoch), 1), view.head - 30 + 1)
        for key in self.keys.values() if all_acked else ():
            found = store.find_key(key.digest)
            assert found is not None
            assert key.id in self.unsure or found == key

    async def go_on(self, store: Store, *, epochs_go_on: bool) -> None:
        """Ids are still known, and journals grow where they ended."""
        for event_id, (stream, first, payload) in self.ids.items() if epochs_go_on else ():
            (again,) = await store.append([Submission(stream, payload, event_id)], START)
            assert again == Appended(first.epoch, first.offset, repeated=True)
        for stream, epoch in self.events:
            before = store.read_journal(stream)
            if before is None:
                assert not epochs_go_on
                continue
            assert (before.epoch == epoch) == epochs_go_on
            (answer,) = await store.append([Submission(stream, b"on")], START)
            assert answer == Appended(before.epoch, before.head + 1)


async def leave_a_store(folder: Path, durability: Durability) -> None:
    """An earlier run that ended well."""
    store = open_sqlite(folder, durability=durability, pace=HASTY)
    store.start(Recorder())
    for name in NAMES:
        account = await store.add_account(name, START)
        await store.add_api_key(api_key(account, name), START)
        await store.append([Submission(StreamId(account.id, "orders"), b"early")], START)
    await store.close()


async def live_through_a_cut(folder: Path, seed: int, durability: Durability) -> int:
    """One life: used until the cut, found as the cut left it, checked. How many events were acked."""
    random = Random(seed)
    disk = Disk(cut_after=random.choice([random.randrange(40, 200), random.randrange(40, 1_500)]))
    vfs = PowerVFS(f"power-{seed}-{durability}", disk)
    witness = Witness(disk, random)
    before, after = folder / f"before-{seed}", folder / f"after-{seed}"
    await leave_a_store(before, durability)
    pace = random.choice([HASTY, DEFAULT])
    store = open_sqlite(before, durability=durability, vfs=f"power-{seed}-{durability}", pace=pace)
    store.start(Recorder())
    await witness.live(store)
    disk.leave(after, random)
    await store.close()
    vfs.unregister()
    store = open_sqlite(after, durability=durability, pace=HASTY)
    store.start(Recorder())
    witness.check(store, all_acked=durability == "full")
    assert list(store.verify()) == []
    await witness.go_on(store, epochs_go_on=durability == "full")
    assert list(store.verify()) == []
    await store.close()
    return sum(len(events) for events in witness.events.values())


@pytest.mark.parametrize("part", range(4))
async def test_nothing_acked_is_lost_by_a_power_cut(tmp_path: Path, part: int) -> None:
    """At full durability, whatever the disk loses that was not synced, all that was acked is there."""
    acked = [await live_through_a_cut(tmp_path, seed, "full") for seed in range(part * 10, part * 10 + 10)]
    assert sum(acked) > 100


async def test_below_full_durability_lost_history_gets_a_new_epoch(tmp_path: Path) -> None:
    """At relaxed durability a cut may lose what was acked; what is left is whole, under a new epoch."""
    acked = [await live_through_a_cut(tmp_path, seed, "relaxed") for seed in range(15)]
    assert sum(acked) > 100


@pytest.mark.soak
@pytest.mark.parametrize("durability", ["full", "relaxed"])
async def test_many_power_cuts(tmp_path: Path, durability: Durability) -> None:
    """The same at a thousand other moments."""
    for seed in range(1_000, 2_000):
        await live_through_a_cut(tmp_path, seed, durability)


async def test_a_disk_that_lies_is_found_out(tmp_path: Path) -> None:
    """The trial of the trial: where syncs do nothing, acked events are lost, and the check says so."""

    class Liar(Disk):
        def synced(self, name: str) -> None:
            return

    found_out = 0
    for seed in range(5):
        random = Random(seed)
        disk = Liar(cut_after=400)
        vfs = PowerVFS(f"liar-{seed}", disk)
        witness = Witness(disk, random)
        await leave_a_store(tmp_path / f"before-{seed}", "full")
        store = open_sqlite(tmp_path / f"before-{seed}", vfs=f"liar-{seed}", pace=HASTY)
        store.start(Recorder())
        await witness.live(store)
        disk.leave(tmp_path / f"after-{seed}", random)
        await store.close()
        vfs.unregister()
        try:
            store = open_sqlite(tmp_path / f"after-{seed}", pace=HASTY)
            store.start(Recorder())
            witness.check(store, all_acked=True)
            await store.close()
        except (AssertionError, StoreError):
            found_out += 1
    assert found_out == 5
