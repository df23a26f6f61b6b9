"""What the service sees of a socket, and of one stream on it."""

from collections.abc import Callable
from typing import Literal, Protocol

from listenkey.base.clock import Micros
from listenkey.core.consumer import Reader
from listenkey.core.position import Gap, Resumption, Stretch
from listenkey.core.records import ListenKey, StreamId
from listenkey.wire.frames import Variant

EndReason = Literal["closed", "expired", "revoked"]


class Outlet(Protocol):
    """A socket that events go out by: a venue socket, a native one, or server-sent events."""

    id: str
    address: str
    opened_at: Micros
    subscriptions: "list[Subscription]"

    def push(self, data: bytes) -> None:
        """Queue bytes for the transport. Cheap: it is called for every frame. Over its bound the outlet ends
        as slow."""
        ...

    def flush(self) -> None:
        """Hand what is queued to the transport; once a loop turn."""
        ...

    def queued_bytes(self) -> int:
        """What the peer has not taken yet."""
        ...

    async def writable(self) -> None:
        """Wait until the peer has taken most of what was sent."""
        ...

    def subscription_ended(self, subscription: "Subscription", reason: EndReason) -> None:
        """The key or credential behind a subscription is gone; notices and closing are the outlet's."""
        ...

    def close(self, kind: str) -> None:
        """End the socket, as the dialect's close table says for `kind`."""
        ...


class Subscription:
    """A socket × key × stream. `next` is the offset that it is to get next."""

    __slots__ = (
        "account",
        "api_key_id",
        "cancelled",
        "epoch",
        "events",
        "had",
        "key",
        "live",
        "name",
        "next",
        "on_gap",
        "outlet",
        "reader",
        "start",
        "stream",
        "topic",
        "variant",
    )

    def __init__(
        self,
        outlet: Outlet,
        stream: StreamId,
        variant: Variant,
        *,
        epoch: str,
        next_offset: int,
        name: str = "",
        key: ListenKey | None = None,
        account: str = "",
        api_key_id: str = "",
        events: frozenset[str] | None = None,
        on_gap: Callable[[Gap], None] | None = None,
        reader: Reader | None = None,
        topic: str = "",
    ) -> None:
        self.outlet = outlet
        self.stream = stream
        self.variant = variant
        self.epoch = epoch
        self.next = next_offset
        self.name = name
        self.key = key
        self.account = account if key is None else key.account
        self.api_key_id = api_key_id
        self.events = events
        self.on_gap = on_gap
        self.reader = reader
        self.topic = topic
        self.start: Resumption | None = None
        """Where a socket of a venue began."""
        self.had: tuple[Stretch, ...] = ()
        """What its outlet was sent before by others, which is passed over."""
        self.live = False
        self.cancelled = False
