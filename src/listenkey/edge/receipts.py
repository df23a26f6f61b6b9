"""Receipts of one venue socket: up to where its client's library surely has each subscription."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from listenkey.base.clock import Micros
from listenkey.core.position import Position
from listenkey.core.receipts import Proof, Receipts

if TYPE_CHECKING:
    from listenkey.service.outlet import Subscription

Confirm: TypeAlias = "Callable[[Subscription, Position, Micros, Micros], None]"
"""Told of a subscription up to where it is had, when that was asked, and when it was answered."""


class _Mark(msgspec.Struct, frozen=True):
    """How far each subscription had been sent when a sign of life was asked for."""

    asked: Micros
    sent: tuple[tuple["Subscription", Position], ...]


class SocketReceipts:
    """What was asked of the client, and what its answers confirm."""

    __slots__ = ("_beat", "_confirm", "_receipts")

    def __init__(self, proof: Proof, confirm: Confirm) -> None:
        self._receipts: Receipts[_Mark] = Receipts(proof)
        self._beat: tuple[str, _Mark] | None = None
        self._confirm = confirm

    def due_at(self, subscriptions: "Iterable[Subscription]") -> Micros | None:
        """When to send a Ping: None while there is nothing that it could confirm or settle, or none may be
        sent."""
        useful = min((at for each in subscriptions if (at := _useful_at(each)) is not None), default=None)
        allowed = None if useful is None else self._receipts.asks_at()
        return None if useful is None or allowed is None else max(useful, allowed)

    def ask(self, subscriptions: "Iterable[Subscription]", now: Micros) -> bytes:
        """The payload of a Ping that goes out now, after everything that was sent."""
        return self._receipts.ask(_mark(subscriptions, now), now)

    def ponged(self, payload: bytes, now: Micros) -> bool:
        """A Pong came, asked for or not; whether it was a receipt."""
        mark = self._receipts.answered(payload)
        if mark is not None:
            self._take(mark, now)
        return mark is not None

    def beat(self, beat_id: str, subscriptions: "Iterable[Subscription]", now: Micros) -> None:
        """A heartbeat with an id goes out now."""
        self._beat = beat_id, _mark(subscriptions, now)

    def beat_answered(self, beat_id: str, now: Micros) -> None:
        """A heartbeat came back; only the id of the last one proves anything."""
        if self._beat is not None and self._beat[0] == beat_id:
            mark, self._beat = self._beat[1], None
            self._take(mark, now)

    def _take(self, mark: _Mark, now: Micros) -> None:
        for subscription, place in mark.sent:
            self._confirm(subscription, place, mark.asked, now)


def is_unconfirmed(subscription: "Subscription") -> bool:
    """Whether something was sent that is not known to have come."""
    reader = subscription.reader
    return reader is not None and reader.confirmed < subscription.next - 1


def _useful_at(subscription: "Subscription") -> Micros | None:
    reader = subscription.reader
    return None if reader is None else reader.asks_at(subscription.next - 1)


def _mark(subscriptions: "Iterable[Subscription]", now: Micros) -> _Mark:
    sent = ((each, Position(each.epoch, each.next - 1)) for each in subscriptions if each.reader is not None)
    return _Mark(now, tuple(sent))
