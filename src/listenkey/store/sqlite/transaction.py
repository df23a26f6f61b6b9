"""What the members of one batch share: the database, and what is told once it commits.

A member checks first and writes afterwards, so that a refused one has nothing to take back. Whatever lies in
memory here is of the batch; the writer's lasting memory changes in `commit` only.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import repeat
from typing import Final, TypeAlias

from listenkey.base.clock import Micros
from listenkey.core.records import Event, KeyState, StreamId
from listenkey.store.base import EndedKey, Observer
from listenkey.store.sqlite.database import Database, Value
from listenkey.store.sqlite.journal import Journal
from listenkey.store.sqlite.pace import Pace

ROWS_A_STATEMENT: Final = 64
"""Each run of a statement gives up the interpreter's lock and waits for it again; so many rows share one."""


FIRST_ID: Final[tuple[int, str, str]] = (0, "", "")


class Group:
    """Events of one journal, appended by one batch and told together."""

    __slots__ = ("events", "journal", "seqs")

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.events: list[Event] = []
        self.seqs: list[int] = []


Segment: TypeAlias = dict[Journal, Group]
"""What was appended between two ends of keys."""


class Memory:
    """What the writer remembers from batch to batch; as committed."""

    def __init__(self, db: Database, pace: Pace) -> None:
        self.pace = pace
        newest = db.rows("SELECT seq, time FROM log ORDER BY seq DESC LIMIT 1")
        self.indexed = db.read_meta("indexed")
        seq, at = newest[0] if newest else (0, 0)
        self.seq = max(int(seq), self.indexed)
        self.event_time: Micros = at
        self.saved_time = db.read_meta("time")
        self.time: Micros = max(self.saved_time, self.event_time)
        self.journal_id: int = db.value("SELECT coalesce(max(id), 0) FROM journal")
        self.incarnation: bytes = db.value("SELECT value FROM meta WHERE name = 'incarnation'")
        self.unindexed: dict[Journal, None] = {}
        self.ids_seen = FIRST_ID
        """How far old ids of events were looked for; the next trim goes on from there."""
        self.removed: set[int] = set()
        self.counts: dict[KeyState, int] = {"active": 0, "closed": 0, "expired": 0}
        self.counts["active"] = db.value("SELECT count(*) FROM listen_key WHERE state = 'active'")
        for state, count in db.rows(
            "SELECT state, count(*) FROM listen_key WHERE state <> 'active' GROUP BY state"
        ):
            self.counts[state] = count


class Transaction:
    """One batch, from BEGIN to COMMIT or ROLLBACK."""

    def __init__(self, db: Database, memory: Memory) -> None:
        self.db = db
        self.memory = memory
        self.time = memory.time
        self.event_time = memory.event_time
        self.seq = memory.seq
        self.news: list[Segment | list[EndedKey]] = []
        """What to tell the observer, in order."""
        self.on_loop: list[Callable[[], None]] = []
        """Changes of what the event loop remembers; made before anybody is told."""
        self.on_commit: list[Callable[[], None]] = []
        """Changes of what the writer remembers."""
        self.counts: dict[KeyState, int] = {}
        self.removed: set[int] = set()
        self._segment: Segment = {}
        self._rows: list[Value] = []
        self._gaps: list[int] = []
        self._ids: list[tuple[Journal, str]] = []
        self._new: list[Journal] = []

    def begin(self) -> None:
        """Take the database's write lock."""
        self.db.execute("BEGIN IMMEDIATE")

    def at(self, now: Micros) -> None:
        """Note the time that a member carries."""
        self.time = max(self.time, now)

    # Events ---------------------------------------------------------------------------------------

    def is_removed(self, account: int) -> bool:
        """Whether the account went while this process ran. Ids are never given out twice."""
        return account in self.removed or account in self.memory.removed

    def ensure(self, journal: Journal) -> bool:
        """Give the journal its row where it has none; False where its account is gone."""
        if self.is_removed(journal.account):
            return False
        if journal.id:
            return True
        account = (journal.account,)
        if not self.db.rows("SELECT 1 FROM account WHERE id = ? AND removed_at IS NULL", account):
            return False
        journal.id = self.memory.journal_id + len(self._new) + 1
        self._new.append(journal)
        self.db.execute(
            "INSERT INTO journal VALUES(?, ?, ?, ?, 'current', 0, 1, 1)",
            (journal.id, journal.account, journal.stream, journal.epoch),
        )
        return True

    def log(
        self, journal: Journal, now: Micros, payload: bytes, event_id: str | None = None, gap: bool = False
    ) -> int:
        """Append an event to a journal that has its row; its offset. Times never fall within the log."""
        self.event_time = at = max(now, self.event_time)
        self.seq = seq = self.seq + 1
        offset = journal.next
        journal.next = offset + 1
        group = self._segment.get(journal)
        if group is None:
            group = self._segment[journal] = Group(journal)
        group.events.append(Event(offset, at, payload, gap))
        if gap:
            self._gaps.append(seq)
        group.seqs.append(seq)
        self._rows += (seq, journal.id, offset, at, event_id, payload)
        return offset

    def log_once(
        self,
        journal: Journal,
        now: Micros,
        payload: bytes,
        event_id: str,
        digest: bytes,
        gap: bool = False,
    ) -> int:
        """The same for an event with an id that the journal does not know."""
        offset = self.log(journal, now, payload, event_id, gap)
        journal.recent[event_id] = (offset, self.event_time, digest)
        self._ids.append((journal, event_id))
        return offset

    # Keys -----------------------------------------------------------------------------------------

    def count(self, state: KeyState, change: int) -> None:
        """Note that so many more keys are in a state."""
        self.counts[state] = self.counts.get(state, 0) + change

    def tell_ended(self, ended: list[EndedKey]) -> None:
        """Have the observer told of ended keys, after the events that were appended before."""
        if ended:
            self._close_segment()
            self.news.append(ended)

    def _close_segment(self) -> None:
        if self._segment:
            self.news.append(self._segment)
            self._segment = {}

    # The end --------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Make the batch durable, then part of the writer's memory. Raises `apsw.Error` where that failed."""
        self._close_segment()
        _insert_rows(self.db, self._rows)
        for seq in self._gaps:  # so rare that the rows of events need not name the column
            self.db.execute("UPDATE log SET gap = 1 WHERE seq = ?", (seq,))
        memory = self.memory
        # The newest event says the time as well, and saves a page.
        saves_time = self.time > memory.saved_time and not (self._rows and self.event_time >= self.time)
        if saves_time:
            self.db.write_meta("time", self.time)
        self.db.execute("COMMIT")
        if saves_time:
            memory.saved_time = self.time
        memory.seq, memory.event_time = self.seq, self.event_time
        memory.time = max(self.time, self.event_time)
        memory.journal_id += len(self._new)
        memory.removed |= self.removed
        for state, change in self.counts.items():
            memory.counts[state] += change
        for group in self.groups():
            group.journal.unindexed.extend(group.seqs)
            memory.unindexed[group.journal] = None
        for change_memory in self.on_commit:
            change_memory()

    def rollback(self) -> None:
        """Take everything back."""
        for group in reversed(self.groups()):
            group.journal.next = group.events[0].offset
        for journal, event_id in self._ids:
            del journal.recent[event_id]
        for journal in self._new:
            journal.id = 0
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")

    def groups(self) -> list[Group]:
        """Everything appended, in the order of being told."""
        told = [item for item in self.news if isinstance(item, dict)]
        return [group for segment in (*told, self._segment) for group in segment.values()]


def tell(observer: Observer, news: Sequence[Segment | list[EndedKey]]) -> Iterator[Exception]:
    """On the event loop's thread: remember and pass on what a batch brought; the observer's faults."""
    for item in news:
        if isinstance(item, list):
            yield from _faults(partial(observer.keys_ended, item))
            continue
        for journal, group in item.items():
            journal.tail.extend(group.seqs)
            journal.head += len(group.events)
        for journal, group in item.items():
            stream = StreamId(journal.account, journal.stream)
            yield from _faults(partial(observer.appended, stream, journal.epoch, group.events))


def _faults(hear: Callable[[], None]) -> Iterator[Exception]:
    try:
        hear()
    except Exception as error:  # noqa: BLE001 - what the store remembers must not depend on who listens
        yield error


@cache
def _insert(rows: int) -> str:
    return "INSERT INTO log(seq, journal, offset, time, id, payload) VALUES" + ",".join(
        repeat("(?,?,?,?,?,?)", rows)
    )


def _insert_rows(db: Database, values: list[Value]) -> None:
    rows, start, size = len(values) // 6, 0, ROWS_A_STATEMENT
    while start < rows:
        while size > rows - start:
            size //= 2
        db.execute(_insert(size), values[start * 6 : (start + size) * 6])
        start += size
