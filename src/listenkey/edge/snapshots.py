"""When a socket is told how things are: at once, and again as often as its venue does.

Only a subscription that has been sent all there is gets a snapshot, so that no event in it comes after it.
"""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from listenkey.base.clock import Micros
from listenkey.base.errors import StoreError
from listenkey.edge.pacer import TICK

if TYPE_CHECKING:
    from listenkey.service.gateway import Gateway
    from listenkey.service.outlet import Subscription


class SocketSnapshots:
    """The subscriptions of one socket that snapshots are due for."""

    __slots__ = ("_due", "_gateway", "_push")

    def __init__(self, gateway: "Gateway", push: Callable[[bytes], None]) -> None:
        self._gateway = gateway
        self._push = push
        self._due: dict[Subscription, Micros] = {}

    def begin(self, subscription: "Subscription", now: Micros) -> None:
        """A subscription opened; it is told at the next `tell`."""
        self._due[subscription] = now

    def wake_at(self, otherwise: Micros) -> Micros:
        """When the next is due, at the latest then."""
        return min(otherwise, *self._due.values()) if self._due else otherwise

    def tell(self, now: Micros) -> None:
        """Send what is due. What cannot be told yet is due at the next tick."""
        for subscription, due in tuple(self._due.items()):
            if subscription.cancelled:
                del self._due[subscription]
            elif due <= now:
                self._tell(subscription, now)

    def _tell(self, subscription: "Subscription", now: Micros) -> None:
        gateway, stream = self._gateway, subscription.stream
        messages = None
        if gateway.streams.position(subscription) is not None:
            with contextlib.suppress(StoreError):  # asked again at the next tick
                messages = gateway.snapshots.read(stream, subscription.topic)
        if messages is None:
            self._due[subscription] = now + TICK
            return
        for message in messages:
            self._push(subscription.variant.wrap(message))
        period = gateway.snapshots.period(stream.stream, subscription.topic)
        if period:
            self._due[subscription] = now + period
        else:
            del self._due[subscription]
