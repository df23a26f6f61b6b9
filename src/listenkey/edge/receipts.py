"""Receipts of one venue socket: up to where its client's library surely has each subscription."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from listenkey.base.clock import Micros
from listenkey.core.receipts import Proof, Receipts

if TYPE_CHECKING:
    from listenkey.service.outlet import Subscription

Mark: TypeAlias = "tuple[tuple[Subscription, int], ...]"
"""How far each subscription had been sent when a sign of life was asked for."""


class SocketReceipts:
    """What was asked of the client, and what its answers confirm."""

    __slots__ = ("_beat", "_confirm", "_receipts")

    def __init__(self, proof: Proof, confirm: "Callable[[Subscription, int], None]") -> None:
        self._receipts: Receipts[Mark] = Receipts(proof)
        self._beat: tuple[str, Mark] | None = None
        self._confirm = confirm

    def due_at(self, subscriptions: "Iterable[Subscription]") -> Micros | None:
        """When to send a Ping: None while nothing is unconfirmed, or none may be sent."""
        if not any(_unconfirmed(each) for each in subscriptions):
            return None
        return self._receipts.asks_at()

    def ask(self, subscriptions: "Iterable[Subscription]", now: Micros) -> bytes:
        """The payload of a Ping that goes out now, after everything that was sent."""
        return self._receipts.ask(_mark(subscriptions), now)

    def ponged(self, payload: bytes) -> None:
        """A Pong came, asked for or not."""
        mark = self._receipts.answered(payload)
        if mark is not None:
            self._take(mark)

    def beat(self, beat_id: str, subscriptions: "Iterable[Subscription]") -> None:
        """A heartbeat with an id goes out now."""
        self._beat = beat_id, _mark(subscriptions)

    def beat_answered(self, beat_id: str) -> None:
        """A heartbeat came back; only the id of the last one proves anything."""
        if self._beat is not None and self._beat[0] == beat_id:
            mark, self._beat = self._beat[1], None
            self._take(mark)

    def _take(self, mark: Mark) -> None:
        for subscription, offset in mark:
            self._confirm(subscription, offset)


def _unconfirmed(subscription: "Subscription") -> bool:
    reader = subscription.reader
    return reader is not None and reader.confirmed < subscription.next - 1


def _mark(subscriptions: "Iterable[Subscription]") -> Mark:
    return tuple((each, each.next - 1) for each in subscriptions if each.reader is not None)
