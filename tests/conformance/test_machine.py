"""Whole lives of a store by chance, held against the model: many requests a commit, restarts and kills."""

import asyncio
import os
import shutil
import tempfile
from asyncio import Future
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from listenkey.base.clock import HOUR, MINUTE
from listenkey.base.errors import Refused
from listenkey.core.keylife import IssuePolicy
from listenkey.core.position import JournalView
from listenkey.core.records import Account, ApiKey, Event, ListenKey, StreamId
from listenkey.store.base import Appended, EndedKey, NotAppended, Store, Submission
from tests.conformance.homes import HOMES, Home, Recorder
from tests.conformance.making import START, api_key, key_request, listen_key, new_key
from tests.conformance.model import Epoch, Model, Refusal

T = TypeVar("T")

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where files cost nothing: no life of these ends by a power cut."""

KINDS = st.sampled_from([("space", ""), ("space", "BTCUSDT"), ("other", "")])
POLICIES: st.SearchStrategy[IssuePolicy] = st.sampled_from(
    ["same_extended", "new_coexists", "new_replaces", "new_evicts_oldest", "refuse_over"]
)
PICK = st.integers(0, 2**16)
SPANS = st.sampled_from([0, 1, MINUTE, HOUR - 1, HOUR])
EVENTS = st.lists(
    st.tuples(
        PICK,
        st.sampled_from([b"a", b"b"]),
        st.sampled_from([None, None, "one", "two"]),
        st.sampled_from([False, False, True]),
    ),
    max_size=6,
)


class Lives(RuleBasedStateMachine):
    """A store and its model. Requests are compared when they are awaited, which chance decides."""

    home_name = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        self.home: Home = HOMES[self.home_name](self.folder)
        self.model = Model()
        self.recorder = Recorder()
        self.now, self.latest = START, 0
        self.last_key_id = 0
        self.names = 0
        self.pending: list[tuple[Future[Any], object]] = []
        self.epochs: dict[StreamId, list[str]] = {}
        self.ever: list[ListenKey] = []
        self.ever_api_keys: list[ApiKey] = []
        self.store: Store
        self.open()

    def open(self) -> None:
        """Open the store where it is."""

        async def begin() -> None:
            self.store = self.home.open()
            self.store.start(self.recorder)

        self.loop.run_until_complete(begin())
        assert self.store.read_latest_time() == self.latest

    def teardown(self) -> None:
        """Nothing is left behind."""
        self.settle()
        assert list(self.store.verify()) == []
        self.loop.run_until_complete(self.store.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    # How requests are made and compared -----------------------------------------------------------

    def wait(self, future: Awaitable[T]) -> T:
        """The answer of one request."""

        async def answer() -> T:
            return await future

        return self.loop.run_until_complete(answer())

    def ask(self, request: Callable[[], Future[Any]], expected: Callable[[], object]) -> None:
        """Make a request of the store and of the model."""
        self.latest = max(self.latest, self.now)
        self.pending.append((request(), _outcome(expected)))

    def settle(self) -> None:
        """Compare all answers so far."""
        for future, expected in self.pending:
            try:
                answer: object = self.wait(future)
            except Refused as refusal:
                answer = Refusal(refusal.code).args
            assert self._plain(answer) == expected
        self.pending = []

    def _plain(self, answer: object) -> object:
        if isinstance(answer, list) and all(isinstance(item, Appended | NotAppended) for item in answer):
            return [
                item.code if isinstance(item, NotAppended) else (item.epoch, item.offset, item.repeated)
                for item in answer
            ]
        return answer

    def pick(self, things: list[T], number: int) -> T | None:
        """One of some things."""
        return things[number % len(things)] if things else None

    # Accounts and API keys ------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """An account with an API key, so that most requests have somebody to act for."""
        self.add_account("a")
        self.add_api_key(0)
        self.add_api_key(0)

    @rule(name=st.sampled_from("abc"))
    def add_account(self, name: str) -> None:
        """A name is free or taken."""
        self.settle()
        self.latest = max(self.latest, self.now)
        future = self.store.add_account(name, self.now)
        if name in self.model.accounts:
            with pytest.raises(Refused):
                self.wait(future)
            return
        account = self.wait(future)
        assert account == Account(account.id, name, self.now)
        assert account.id not in {stream.account_id for stream in self.epochs}
        self.model.accounts[name] = account

    @rule(name=st.sampled_from("abc"))
    def remove_account(self, name: str) -> None:
        """An account goes, or is not there."""
        self.ask(
            lambda: self.store.remove_account(name, self.now),
            lambda: self.model.remove_account(name, self.now),
        )

    @rule(number=PICK)
    def add_api_key(self, number: int) -> None:
        """An account gets another API key."""
        account = self.pick(list(self.model.accounts.values()), number)
        if account is not None:
            self.names += 1
            made = api_key(account, f"{self.names:03}")
            self.model.api_keys[made.id] = made
            self.ever_api_keys.append(made)
            self.ask(lambda: self.store.add_api_key(made, self.now), lambda: made)

    @rule(number=PICK)
    def revoke_api_key(self, number: int) -> None:
        """An API key goes, or went before."""
        gone = self.pick(self.ever_api_keys, number)
        assert gone is not None
        self.ask(
            lambda: self.store.revoke_api_key(gone.id, self.now),
            lambda: self.model.revoke_api_key(gone.id, self.now),
        )

    # Keys -----------------------------------------------------------------------------------------

    @rule(
        number=PICK,
        kind=KINDS,
        policy=POLICIES,
        most=st.integers(1, 3),
        lifetime=st.sampled_from([MINUTE, HOUR]),
    )
    def create_key(
        self, number: int, kind: tuple[str, str], policy: IssuePolicy, most: int, lifetime: int
    ) -> None:
        """A key is asked for, perhaps with an API key that is gone."""
        holder = self.pick(self.ever_api_keys, number)
        assert holder is not None
        self.last_key_id += 1
        fresh = listen_key(
            self.last_key_id, holder, self.now, key_space=kind[0], scope=kind[1], lifetime=lifetime
        )
        self.ever.append(fresh)
        request = new_key(fresh, self.now, policy, most)
        self.ask(lambda: self.store.create_key(request), lambda: self.model.create(request))

    @precondition(lambda self: self.ever)
    @rule(number=PICK, by=PICK, named=st.booleans(), lifetime=st.sampled_from([MINUTE, HOUR]))
    def extend_key(self, number: int, by: int, named: bool, lifetime: int) -> None:
        """A key is extended by whoever."""
        request = key_request(
            self.ever[number % len(self.ever)],
            self.now,
            by=self.ever_api_keys[by % len(self.ever_api_keys)].id,
            named=named,
            lifetime=lifetime,
        )
        self.ask(lambda: self.store.extend_key(request), lambda: self.model.extend(request))

    @precondition(lambda self: self.ever)
    @rule(number=PICK, named=st.booleans())
    def close_key(self, number: int, named: bool) -> None:
        """A key is closed by its holder."""
        request = key_request(self.ever[number % len(self.ever)], self.now, named=named)
        self.ask(lambda: self.store.close_key(request), lambda: self.model.close(request))

    @precondition(lambda self: self.ever)
    @rule(number=PICK)
    def close_key_by_id(self, number: int) -> None:
        """The operator closes a key."""
        key_id = self.ever[number % len(self.ever)].id
        self.ask(
            lambda: self.store.close_key_by_id(key_id, self.now),
            lambda: self.model.close_by_id(key_id, self.now),
        )

    @rule(limit=st.integers(1, 4))
    def expire_keys(self, limit: int) -> None:
        """Overdue keys end, in whatever order, as many as asked for."""
        self.settle()
        self.latest = max(self.latest, self.now)
        overdue = self.model.overdue(self.now)
        ended = self.wait(self.store.expire_keys(self.now, limit))
        assert len(ended) == min(limit, len(overdue))
        for end in ended:
            assert end == EndedKey(self.model.expire(end.key.id, self.now), "expired")

    @rule(leap=SPANS)
    def grant_grace(self, leap: int) -> None:
        """The clock leaps."""
        before, after = self.now, self.now + leap
        self.ask(
            lambda: self.store.grant_grace(after, after + MINUTE, before, 2**62),
            lambda: self.model.grant_grace(after, after + MINUTE, before),
        )

    # Journals and time ----------------------------------------------------------------------------

    @rule(events=EVENTS)
    def append(self, events: list[tuple[int, bytes, str | None, bool]]) -> None:
        """Events for whoever, also for accounts that are gone."""
        holders = {key.account_id for key in self.ever_api_keys}
        streams = [StreamId(account, name) for account in sorted(holders) for name in ("orders", "fills")]
        submissions = [
            Submission(streams[number % len(streams)], payload, event_id, gap)
            for number, payload, event_id, gap in events
        ]
        for stream in streams:
            self.look(stream)
        self.ask(
            lambda: self.store.append(submissions, self.now),
            lambda: [self._appended(submission) for submission in submissions],
        )

    def _appended(self, submission: Submission) -> object:
        answer = self.model.append(submission, self.now)
        if isinstance(answer, str):
            return answer
        number, offset, repeated = answer
        return self.epochs[submission.stream][number], offset, repeated

    def look(self, stream: StreamId) -> None:
        """Learn a journal's epoch where it is new."""
        known = self.epochs.setdefault(stream, [])
        epochs = self.model.journals.get(stream, [Epoch()])
        view = self.store.read_journal(stream)
        if view is not None and len(known) < len(epochs):
            assert view.epoch not in known
            known.append(view.epoch)

    @rule(span=SPANS, most=st.integers(0, 5))
    def trim(self, span: int, most: int) -> None:
        """Old events go."""
        self.settle()
        self.latest = max(self.latest, self.now)
        assert self.wait(self.store.trim_journals(self.now - span, most, self.now)) == self.model.trim(
            self.now - span, most
        )

    @rule(span=SPANS)
    def pass_time(self, span: int) -> None:
        """Time goes on."""
        self.now += span

    # Ends and looks -------------------------------------------------------------------------------

    @rule()
    def reopen(self) -> None:
        """The process ends and starts in good order."""
        self.loop.run_until_complete(self.store.close())
        self.open()

    @rule()
    def kill(self) -> None:
        """The process is killed; everything that was acked is there."""
        self.settle()
        found = self.home.after_kill()
        self.loop.run_until_complete(self.store.close())
        self.home = found
        if not self.home.keeps_epochs:
            self.model.start_new_epochs()
            for stream, known in self.epochs.items():
                if stream not in self.model.journals:
                    known.clear()
        self.open()
        for stream in self.epochs:
            self.look(stream)

    @rule()
    def compare(self) -> None:
        """Everything that can be read is as the model has it."""
        self.settle()
        self._compare_keys()
        self._compare_accounts()
        for stream, known in self.epochs.items():
            self._compare_journal(stream, known)
        assert _in_order(self.recorder) == _told(self.model)
        assert self.store.read_latest_time() == self.latest

    def _compare_keys(self) -> None:
        keys = [key for _, key in sorted(self.model.keys.items())]
        assert self.store.read_keys(None, None, None, 0, 10_000) == keys
        for key in self.ever:
            assert self.store.find_key(key.digest) == self.model.keys.get(key.id)
        for state, count in self.store.count_keys().items():
            assert count == sum(key.state == state for key in keys)
        due = self.store.read_next_expiry()
        expiries = [key.expires_at for key in keys if key.state == "active"]
        assert (due is None) == (not expiries)
        assert due is None or due <= min(expiries)
        for key in keys:
            assert {user.id for user in self.store.read_key_users(key.id)} == self.model.users[key.id]

    def _compare_accounts(self) -> None:
        assert self.store.read_accounts("", 100) == [
            account for _, account in sorted(self.model.accounts.items())
        ]
        assert self.store.read_api_keys(None, "", 1_000) == [
            key for _, key in sorted(self.model.api_keys.items())
        ]
        for api_key_ in self.ever_api_keys:
            assert self.store.find_api_key(api_key_.key) == self.model.api_keys.get(api_key_.id)

    def _compare_journal(self, stream: StreamId, known: list[str]) -> None:
        if stream.account_id not in {account.id for account in self.model.accounts.values()}:
            assert self.store.read_journal(stream) is None
            return
        epochs = self.model.journals.get(stream, [Epoch()])
        assert len(epochs) == len(known)
        for epoch, name in zip(epochs, known, strict=True):
            head = len(epoch.events)
            view = self.store.read_journal(stream, name)
            # A past epoch without events may be kept or not; it makes no difference to a reader.
            if view is not None or epoch.oldest <= head or epoch is epochs[-1]:
                assert view == JournalView(name, epoch.oldest, head)
            assert self.store.read_events(stream, name, 0, 10_000) == [
                Event(offset, *epoch.events[offset - 1]) for offset in range(epoch.oldest, head + 1)
            ]

    @invariant()
    def reads_have_no_hole(self) -> None:
        """At any moment, whatever is on its way, a journal reads as one piece up to its head."""
        for stream in self.epochs:
            view = self.store.read_journal(stream)
            if view is not None:
                events = self.store.read_events(stream, view.epoch, 0, 10_000)
                assert [event.offset for event in events] == list(range(view.oldest, view.head + 1))


def _outcome(expected: Callable[[], object]) -> object:
    try:
        return expected()
    except Refusal as refusal:
        return refusal.args


def _told(model: Model) -> list[object]:
    return _by_ends([*model.told])


def _in_order(recorder: Recorder) -> list[object]:
    return _by_ends(
        [
            (item.key.id, item.cause) if isinstance(item, EndedKey) else (item[0], item[2].offset)
            for item in recorder.told
        ]
    )


def _by_ends(told: list[Any]) -> list[object]:
    """What was told, with events of different streams between two ends in whatever order."""
    order: list[object] = []
    between: dict[StreamId, list[int]] = {}
    for first, second in told:
        if isinstance(first, StreamId):
            between.setdefault(first, []).append(second)
            continue
        order += [between, (first, second)]
        between = {}
    return [*order, between]


@pytest.mark.parametrize(
    "home_name, examples", [("sqlite", 20), ("sqlite-hasty", 90), ("sqlite-relaxed", 60)]
)
def test_a_store_does_what_the_model_does(home_name: str, examples: int) -> None:
    """Whatever is asked of it in whatever order, a store answers, keeps and tells what the model does."""
    run(home_name, examples, steps=40)


@pytest.mark.soak
@pytest.mark.parametrize("home_name", sorted(HOMES))
def test_a_store_does_what_the_model_does_for_long(home_name: str) -> None:
    """The same over many longer lives."""
    run(home_name, examples=2_000, steps=120)


def run(home_name: str, examples: int, steps: int) -> None:
    """Let lives of a store run."""

    class LivesHere(Lives):
        pass

    LivesHere.home_name = home_name
    how = settings(max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True)
    run_state_machine_as_test(LivesHere, settings=how)  # type: ignore[no-untyped-call]
