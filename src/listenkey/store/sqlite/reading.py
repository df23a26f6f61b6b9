"""Journals as the event loop's thread reads them: what was notified, never less and never with a hole."""

from collections.abc import Sequence

from listenkey.base.errors import StoreDamaged
from listenkey.core.position import JournalView
from listenkey.core.records import Event, StreamId
from listenkey.store.sqlite.database import Database
from listenkey.store.sqlite.epochs import first_epoch
from listenkey.store.sqlite.journal import Journal, unpack

_TRIES = 3


class Journals:
    """All journals that were asked for since the start; the rest is in the file."""

    def __init__(self, db: Database, incarnation: bytes) -> None:
        self._db = db
        self._incarnation = incarnation
        self._known: dict[int, dict[str, Journal]] = {}

    def find(self, account: int, stream: str) -> Journal | None:
        """The current journal of a stream, or one without events; None without the account."""
        streams = self._known.get(account)
        journal = None if streams is None else streams.get(stream)
        if journal is None:
            journal = self._load(account, stream)
            if journal is not None:
                self._known.setdefault(account, {})[stream] = journal
        return journal

    def _load(self, account: int, stream: str) -> Journal | None:
        if not self._db.rows("SELECT 1 FROM account WHERE id = ? AND removed_at IS NULL", (account,)):
            return None
        rows = self._db.rows(
            "SELECT epoch, id, head, oldest FROM journal"
            " WHERE account = ? AND stream = ? AND state = 'current'",
            (account, stream),
        )
        if rows:
            return Journal(account, stream, *rows[0])
        return Journal(account, stream, first_epoch(self._incarnation, account, stream))

    def forget_account(self, account: int) -> None:
        """An account was removed."""
        self._known.pop(account, None)

    def show_oldest(self, account: int, stream: str, journal_id: int, oldest: int) -> None:
        """A journal was trimmed."""
        journal = self._known.get(account, {}).get(stream)
        if journal is not None and journal.id == journal_id:
            journal.oldest = max(journal.oldest, oldest)

    def view_past(self, stream: StreamId, epoch: str) -> JournalView | None:
        """A past epoch that is still kept."""
        past = self._find_past(stream, epoch)
        return None if past is None else past.view()

    def read_epochs(self, stream: StreamId) -> list[str]:
        """The past epochs and the current one."""
        journal = self.find(stream.account_id, stream.stream)
        if journal is None:
            return []
        past = self._db.rows(
            "SELECT epoch FROM journal WHERE account = ? AND stream = ? AND state = 'past' ORDER BY id",
            (stream.account_id, stream.stream),
        )
        return [*(epoch for (epoch,) in past), journal.epoch]

    def _find_past(self, stream: StreamId, epoch: str) -> Journal | None:
        rows = self._db.rows(
            "SELECT id, head, oldest FROM journal"
            " WHERE account = ? AND stream = ? AND epoch = ? AND state = 'past'",
            (stream.account_id, stream.stream, epoch),
        )
        return Journal(stream.account_id, stream.stream, epoch, *rows[0]) if rows else None

    def read(
        self, stream: StreamId, epoch: str, after: int, limit: int, most_bytes: int | None = None
    ) -> list[Event]:
        """Events above `after` from the lowest that is kept, contiguous, up to `limit`, and until they fill
        `most_bytes`."""
        journal = self.find(stream.account_id, stream.stream)
        if journal is not None and journal.epoch != epoch:
            journal = self._find_past(stream, epoch)
        if journal is None:
            return []
        for _ in range(_TRIES):
            first = max(after + 1, journal.oldest)
            events = self._read_range(journal, first, min(journal.head, first + limit - 1), most_bytes)
            if events is not None:
                return events
            # Trimmed meanwhile: the file knows it already, the notification is on its way.
            self._refresh_oldest(journal)
        raise StoreDamaged(f"journal {journal.id} lacks events above offset {after}", "run `journal verify`")

    def _refresh_oldest(self, journal: Journal) -> None:
        for (oldest,) in self._db.rows("SELECT oldest FROM journal WHERE id = ?", (journal.id,)):
            journal.oldest = max(journal.oldest, oldest)

    def _read_range(
        self, journal: Journal, first: int, last: int, most_bytes: int | None
    ) -> list[Event] | None:
        """Events `first` to `last` or as many as fit, or None where some of them are not there."""
        events: list[Event] = []
        while first <= last:
            seqs = self._locate(journal, first, last)
            if not seqs:
                return None
            found, most_bytes = self._fetch(journal, seqs, most_bytes)
            is_full = most_bytes is not None and most_bytes <= 0
            wanted = len(found) if is_full else len(seqs)
            if not found or len(found) != wanted:
                return None
            if found[0].offset != first or found[-1].offset != first + wanted - 1:
                return None
            events = events + found if events else found
            if is_full:
                break
            first += wanted
        return events

    def _locate(self, journal: Journal, first: int, last: int) -> Sequence[int]:
        """The rows of `first` and some events after it, none beyond `last`."""
        if first > journal.indexed:
            start = first - journal.indexed - 1
            return journal.tail[start : last - journal.indexed]
        runs = self._db.rows(
            "SELECT first_offset, last_offset, first_seq, seqs FROM log_run"
            " WHERE journal = ? AND last_offset >= ? ORDER BY last_offset LIMIT 1",
            (journal.id, first),
        )
        if not runs or runs[0][0] > first:
            return ()
        run_first, run_last, first_seq, packed = runs[0]
        seqs = unpack(first_seq, run_last - run_first + 1, packed)
        return seqs[first - run_first : last - run_first + 1]

    def _fetch(
        self, journal: Journal, seqs: Sequence[int], most_bytes: int | None
    ) -> tuple[list[Event], int | None]:
        """The events of rows, or as many as fit, and how many bytes are left."""
        lowest, highest = seqs[0], seqs[-1]
        sql = "SELECT offset, time, gap IS NOT NULL, payload FROM log WHERE seq = ?"
        values: Sequence[Sequence[int]] = [(seq,) for seq in seqs]
        if highest - lowest < 4 * len(seqs):
            sql = (
                "SELECT offset, time, gap IS NOT NULL, payload FROM log"
                " WHERE seq BETWEEN ? AND ? AND journal = ?"
            )
            values = [(lowest, highest, journal.id)]
        if most_bytes is None:
            rows = self._db.rows_of_each(sql, values)
        else:
            rows, most_bytes = self._db.rows_within(most_bytes, sql, values)
        return [Event(offset, at, payload, gap == 1) for offset, at, gap, payload in rows], most_bytes
