"""Appending events, inside the writer's transaction."""

from collections.abc import Sequence

from listenkey.base.clock import Micros
from listenkey.store.base import Appended, NotAppended, Submission
from listenkey.store.sqlite.journal import Journal, digest_of
from listenkey.store.sqlite.transaction import Transaction

UNKNOWN_ACCOUNT = NotAppended("unknown_account", "there is no such account")
STORE_FULL = NotAppended("store_full", "the disk has no room; the event was not journaled")


def append(
    tx: Transaction, targets: Sequence[Journal | None], submissions: Sequence[Submission], now: Micros
) -> list[Appended | NotAppended]:
    """Append what can be; an answer each. A target is None where the account was gone at the outset."""
    answers: list[Appended | NotAppended] = []
    for journal, submission in zip(targets, submissions, strict=True):
        if journal is None or not tx.ensure(journal):
            answers.append(UNKNOWN_ACCOUNT)
        elif submission.id is None:
            answers.append(
                Appended(journal.epoch, tx.log(journal, now, submission.payload, None, submission.gap))
            )
        else:
            answers.append(_append_once(tx, journal, submission, submission.id, now))
    return answers


def _append_once(
    tx: Transaction, journal: Journal, submission: Submission, event_id: str, now: Micros
) -> Appended | NotAppended:
    digest = digest_of(submission.payload)
    found = _find(tx, journal, event_id)
    if found is None:
        offset = tx.log_once(journal, now, submission.payload, event_id, digest, submission.gap)
        return Appended(journal.epoch, offset)
    epoch, offset, first = found
    if first != digest:
        return NotAppended("id_conflict", f"this id was used for another event, {epoch}:{offset}")
    return Appended(epoch, offset, repeated=True)


def _find(tx: Transaction, journal: Journal, event_id: str) -> tuple[str, int, bytes] | None:
    recent = journal.recent.get(event_id)
    if recent is not None:
        offset, _, digest = recent
        return journal.epoch, offset, digest
    found = tx.db.rows(
        "SELECT epoch, offset, digest FROM event_id WHERE account = ? AND stream = ? AND id = ?",
        (journal.account, journal.stream, event_id),
    )
    for epoch, offset, digest in found:
        return epoch, offset, digest
    return None


def refuse_all(submissions: Sequence[Submission]) -> list[Appended | NotAppended]:
    """The answers on a full disk."""
    return [STORE_FULL] * len(submissions)
