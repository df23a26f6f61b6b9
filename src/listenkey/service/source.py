"""A journal as the source that fills it sees it: what goes in, its end, and up to where it is whole."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from listenkey.base.clock import Micros
from listenkey.core.position import Missing
from listenkey.core.records import Event, StreamId
from listenkey.service.clock import ServiceClock
from listenkey.service.publish import Problem, Publisher
from listenkey.service.upstreams import Mark
from listenkey.store.base import Appended, Store

_PAGE: Final = 512


class SourceJournal:
    """One journal, and its mark: what the source itself says of up to where it is whole. That is kept beside
    it, and a crash takes it back a little at most."""

    def __init__(
        self, store: Store, clock: ServiceClock, publisher: Publisher, account: str, stream: str
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._account = account
        self._stream = stream
        self.now: Callable[[], Micros] = clock.now

    async def publish(self, found: Sequence[tuple[bytes | Missing, str | None]]) -> list[Appended | Problem]:
        """Journal events and gaps with their ids, in their order and in one commit; an answer each."""
        return await self._publisher.publish_all(self._account, self._stream, found)

    def read_mark(self) -> Mark:
        """The mark that was kept last; an empty one where there is none."""
        stream = self._find()
        text = None if stream is None else self._store.read_setting(_mark_name(stream))
        if text is None:
            return Mark()
        at, _, holdings = text.partition(b"\n")
        return Mark(at.decode(), holdings)

    async def keep_mark(self, mark: Mark) -> None:
        """Keep a mark. Errors: `StoreError`."""
        stream = self._find()
        if stream is not None:
            text = b"%b\n%b" % (mark.at.encode(), mark.holdings)
            await self._store.put_setting(_mark_name(stream), text, self.now())

    def read_back(self) -> Iterator[Event]:
        """What was journaled, the newest first, gaps too, over the epochs that are kept."""
        stream = self._find()
        if stream is None:
            return
        for epoch in reversed(self._store.read_epochs(stream)):
            view = self._store.read_journal(stream, epoch)
            end = 0 if view is None else view.head
            while view is not None and end >= view.oldest:
                start = max(view.oldest, end - _PAGE + 1)
                yield from reversed(self._store.read_events(stream, epoch, start - 1, end - start + 1))
                end = start - 1

    def _find(self) -> StreamId | None:
        account = self._store.find_account(self._account)
        return None if account is None else StreamId(account.id, self._stream)


def _mark_name(stream: StreamId) -> str:
    return f"source:{stream.account_id}:{stream.stream}"
