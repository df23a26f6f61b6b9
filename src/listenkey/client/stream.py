"""`open_stream`: a venue's private stream, or a gateway's, as an asynchronous iterator."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias

from listenkey.base.errors import Refused
from listenkey.client.buffer import BUFFER_BYTES, SPILL_BYTES, Buffer, Overflow
from listenkey.client.credentials import Credential, Credentials
from listenkey.client.items import Event, Item
from listenkey.client.native import NativeReader
from listenkey.client.subscription import SubscriptionReader
from listenkey.client.venue import Venue, VenueReader
from listenkey.core.moment import Moment, parse_moment
from listenkey.core.position import Position, parse_position
from listenkey.dialect.api import TokenCall, WebSocketApi
from listenkey.dialect.era import call_removed_by
from listenkey.dialect.model import Dialect
from listenkey.dialect.registry import load_dialects
from listenkey.wire.client import operation_of
from listenkey.wire.client_api import method_name

_TURN: Final = 0.02
"""Seconds for which items are given out in a row, where there are so many."""
_LOOKS: Final = 32
"""Items after which the clock is looked at."""
Means: TypeAlias = Literal["listen_key", "subscription"]


class Stream:
    """An open stream. Iterate over it for events, gaps and states; `events()` gives the events alone."""

    def __init__(self, reader: VenueReader | NativeReader, buffer: Buffer) -> None:
        self._reader = reader
        self._buffer = buffer
        self._left = False
        self._left_at: Position | Moment | None = None

    async def __aenter__(self) -> Self:
        self._reader.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the stream. Nothing of it is left running."""
        await self._reader.stop()
        self._left_at, self._left = self.position, True
        self._buffer.forget()
        self._buffer.end()

    async def next_item(self) -> Item | None:
        """The next item, when it is there; None at the end. Errors: `Refused` where the stream cannot go
        on."""
        return await self._buffer.get()

    def waiting_item(self) -> Item | None:
        """The next item if one is there already."""
        return self._buffer.get_now()

    def __aiter__(self) -> AsyncIterator[Item]:
        return self._items(None)

    async def _items(self, only: type[Event] | None) -> AsyncIterator[Any]:
        take, now = self._buffer.get_now, asyncio.get_running_loop().time
        while (item := await self.next_item()) is not None:
            count, until = 0, now() + _TURN
            while item is not None:
                if only is None or isinstance(item, only):
                    yield item
                count += 1
                if count % _LOOKS == 0 and now() > until:
                    await asyncio.sleep(0)  # who takes without waiting would keep the sockets from being read
                    until = now() + _TURN
                item = take()

    def events(self) -> AsyncIterator[Event]:
        """The events alone, for who minds neither gaps nor states."""
        return self._items(Event)

    @property
    def position(self) -> Position | Moment | None:
        """Up to where every event was taken, or named missing: whoever goes on from here misses none. Of a
        gateway's stream where in its journal, of a venue's up to which moment."""
        if self._left:
            return self._left_at
        return self._reader.position if self._buffer.empty else self._buffer.waiting_from()

    @property
    def holdings(self) -> bytes:
        """What the account holds after all that was taken, to begin with another time; empty where it is not
        known, or something waits."""
        if isinstance(self._reader, NativeReader) or self._left or not self._buffer.empty:
            return b""
        return self._reader.holdings

    async def caught_up(self) -> None:
        """Wait until a gateway has said that nothing later is there. Errors: `Refused` for a venue's
        stream, of which nobody can know."""
        if not isinstance(self._reader, NativeReader):
            raise Refused("a venue's stream does not say how far it is", "read it from a gateway")
        await self._reader.caught_up.wait()


def open_stream(
    stream: str,
    *,
    api_key: Credential | None = None,
    api_secret: Credential | None = None,
    base_url: str = "",
    ws_url: str = "",
    gateway: str = "",
    since: str | int | Position | Moment | None = None,
    known: Iterable[tuple[str, bytes]] = (),
    holdings: bytes = b"",
    recover: bool = True,
    recover_within: float = 60.0,
    symbols: Iterable[str] = (),
    dead_after: float = 15.0,
    overflow: Overflow = "spill",
    buffer_bytes: int = BUFFER_BYTES,
    spill_bytes: int = SPILL_BYTES,
    close_key: bool = False,
    by: Means | None = None,
) -> Stream:
    """A stream, to be entered with `async with`.

    `api_key`, `api_secret`: text, or functions that give it, at once or as coroutines, and are asked before
    each call; left out, they are taken from `LISTENKEY_API_KEY` and `LISTENKEY_API_SECRET`, or from the files
    that these with `_FILE` name.
    `stream`: its name, such as `binance-usdm`, `bingx-swap`, `binance-margin-isolated:BTCUSDT`.
    `gateway`: address of a gateway; its native stream is read, with positions, from `since` where given.
    Else the venue's own protocol is spoken, at the venue or at `base_url` (and `ws_url`, which follows from
    it where it is left out). There `since` is a moment, in milliseconds since 1970: everything up to it was
    had, and what came later is fetched; `known`: events, by type and bytes, that were had near it, the oldest
    first, and are not given again; `holdings`: what `stream.holdings` said after one of these, without which
    an account that was quiet cannot be called complete. `recover`: fetch from the venue's history what a
    break made miss; live events are held back for that, no longer than `recover_within` seconds. `symbols`:
    of which history is asked for besides those that are seen on the stream, in open orders and in positions.
    `dead_after`: seconds within which a socket is found that gives nothing any more and does not say so.
    `close_key`: give the listen key back at the end; at a venue that silences every program that shares it.
    `overflow`: what happens when events come faster than they are taken and `buffer_bytes` wait: `spill` has
    `spill_bytes` more in a file without a name, then the oldest go and leave a `Gap`; `gap` does without the
    file; `error` ends the stream with `BufferFull`.
    `by`: `listen_key`, or `subscription` over the venue's WebSocket API; left out, the venue is asked as it
    wants to be asked today, and an address of yours (`base_url`) by listen key. With `by="subscription"`
    `ws_url` is the WebSocket API's address. `api_secret` may be a private key in PEM there.
    Errors: `Refused` for a stream that there is not, and for positions without a gateway.
    """
    credentials = Credentials(api_key, "" if gateway else api_secret)
    buffer = Buffer(buffer_bytes, overflow, spill_bytes)
    if gateway:
        return Stream(NativeReader(gateway, stream, credentials, _position(since), buffer), buffer)
    resumed = _moment(since)
    dialect = _dialect_of(stream)
    base, _, symbol = stream.partition(":")
    if by is None:
        by = "subscription" if not base_url and not _lives(dialect) else "listen_key"
    rest, sockets = _addresses(dialect, base, base_url.rstrip("/"), ws_url.rstrip("/"), by)
    venue = Venue(
        dialect,
        base,
        symbol,
        rest,
        sockets,
        credentials,
        closes_key=close_key,
        since=resumed,
        known=tuple(known),
        holdings=holdings,
        recover_within=recover_within if recover else 0,
        symbols=tuple(symbols),
        dead_after=dead_after,
    )
    if by == "listen_key":
        return Stream(VenueReader(venue, buffer), buffer)
    signing, api, token_call = _subscribed_to(dialect, base)
    if token_call is None and not credentials.has_secret:
        raise Refused(f"there is no API secret, and {stream} is subscribed to by a signature", "give it")
    return Stream(SubscriptionReader(venue, buffer, signing, api, token_call), buffer)


def _position(since: str | int | Position | Moment | None) -> Position | None:
    if since is None or isinstance(since, Position):
        return since
    position = parse_position(str(since))
    if position is None:
        raise Refused(f"{since} is no position", "give EPOCH:OFFSET as the gateway gave it")
    return position


def _moment(since: str | int | Position | Moment | None) -> Moment | None:
    if since is None or isinstance(since, Moment):
        return since
    moment = parse_moment(str(since))
    if moment is None:
        raise Refused(
            f"a venue's stream cannot be resumed from {since}",
            "give milliseconds since 1970, as `stream.position` does, or read from a gateway",
        )
    return moment


def _dialect_of(stream: str) -> Dialect:
    base, _, symbol = stream.partition(":")
    dialects = load_dialects()
    for dialect in dialects.values():
        if any(each.name == base for each in dialect.streams):
            if (dialect.key_space.scope == "symbol") != bool(symbol):
                form = f"{base}:SYMBOL" if not symbol else base
                raise Refused(f"there is no stream {stream}", f"name it {form}")
            return dialect
    names = sorted(each.name for dialect in dialects.values() for each in dialect.streams)
    raise Refused(f"there is no stream {stream}", f"choose of {', '.join(names)}")


def _lives(dialect: Dialect) -> bool:
    """Whether the venue still makes listen keys."""
    return call_removed_by(dialect, operation_of(dialect, "create")) is None


def _subscribed_to(dialect: Dialect, stream: str) -> tuple[Dialect, WebSocketApi, TokenCall | None]:
    """The WebSocket API that delivers a stream, and how a token for it is had, where one is needed."""
    every = load_dialects().values()
    for api in dialect.apis:
        if api.stream == stream and method_name(api, "subscribe_signature"):
            return dialect, api, None
    for other in every:
        for call in other.token_calls:
            if stream in {call.stream, call.isolated_stream}:
                for owner in every:
                    for api in owner.apis:
                        if method_name(api, "subscribe_token"):
                            return owner, api, call
    raise Refused(f"{stream} is not delivered over a WebSocket API", 'leave `by="subscription"` out')


def _addresses(dialect: Dialect, stream: str, rest: str, sockets: str, by: Means) -> tuple[str, str]:
    if rest:
        return rest, sockets or "ws" + rest.removeprefix("http")
    host = dialect.host(stream)
    if host is None:
        raise Refused(f"the address of {dialect.venue} is not known", "give base_url")
    return host.rest, sockets or (host.api if by == "subscription" else host.sockets)


__all__ = ["Credential", "Stream", "open_stream"]
