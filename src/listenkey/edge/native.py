"""The native stream: `/lk/v1/stream`, over WebSocket or as server-sent events. Both say the same."""

import asyncio
from typing import Final
from urllib.parse import parse_qsl

import msgspec
import structlog

from listenkey.base.clock import Micros
from listenkey.base.errors import Refused, StoreError
from listenkey.core.access import address_allowed
from listenkey.core.position import Position, Resumption, parse_position, resume
from listenkey.core.records import ListenKey, StreamId
from listenkey.edge.asgi import ABORT, Receive, Scope, Send, send_reply
from listenkey.edge.handshake import Refusal, switching_protocols
from listenkey.edge.http import Upgrade
from listenkey.edge.native_outlets import NativeEvents, NativeSocket, Words
from listenkey.edge.websocket import Surroundings
from listenkey.service.gateway import Gateway
from listenkey.wire.messages import Reply

_log = structlog.get_logger(__name__)
STREAM_PATH: Final = "/lk/v1/stream"
_STATUS: Final = {
    "bad_credential": 401, "no_credential": 401, "ip_not_allowed": 403, "permission_denied": 403,
    "unknown_path": 404, "method_not_allowed": 405, "not_a_stream_request": 406, "store": 503,
}  # fmt: skip


class Reader(msgspec.Struct, frozen=True):
    """Who reads which stream from where."""

    stream: StreamId
    account: str
    start: Position
    resumption: Resumption
    key: ListenKey | None = None
    key_string: str = ""
    api_key_id: str = ""


class Native:
    """The native endpoints of the venue listeners."""

    def __init__(self, gateway: Gateway, shared: Surroundings, *, position_every: Micros) -> None:
        self._gateway = gateway
        self._shared = shared
        self._words = Words(gateway, position_every)

    # Transports -------------------------------------------------------------------------------------

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes], address: str
    ) -> None:
        """A plain request: server-sent events."""
        try:
            reader = self._read_events_request(scope, headers, address)
        except (Refused, StoreError) as error:
            await send_reply(send, _error_reply(error))
            return
        events = NativeEvents(self._words, self._shared, address, scope["extensions"][ABORT])
        self._begin(events, reader)
        await events.serve(receive, send)

    def _read_events_request(self, scope: Scope, headers: dict[bytes, bytes], address: str) -> Reader:
        if scope["path"] != STREAM_PATH:
            raise Refused(
                "there is nothing here", f"the native stream is at {STREAM_PATH}", code="unknown_path"
            )
        if scope["method"] != "GET":
            raise Refused("the native stream is read with GET", "use GET", code="method_not_allowed")
        if b"text/event-stream" not in headers.get(b"accept", b"").lower():
            raise Refused(
                "neither a WebSocket nor server-sent events were asked for",
                "open a WebSocket, or send Accept: text/event-stream",
                code="not_a_stream_request",
            )
        return self._read(scope["query_string"], headers, address)

    def open_socket(
        self, upgrade: Upgrade, transport: asyncio.Transport, address: str
    ) -> asyncio.Protocol | Refusal:
        """A WebSocket."""
        try:
            if upgrade.path != STREAM_PATH:
                raise Refused(
                    "there is nothing here", f"the native stream is at {STREAM_PATH}", code="unknown_path"
                )
            reader = self._read(upgrade.query, upgrade.headers, address)
        except (Refused, StoreError) as error:
            reply = _error_reply(error)
            return Refusal(reply.status, reply.body, tuple(reply.headers))
        transport.write(switching_protocols(upgrade.accept, upgrade.date))
        socket = NativeSocket(self._words, self._shared, transport, address)
        self._begin(socket, reader)
        return socket

    def _begin(self, outlet: NativeEvents | NativeSocket, reader: Reader) -> None:
        self._shared.registry.register(outlet)
        self._gateway.metrics.sockets_opened += 1
        outlet.tell_position(reader.start)
        self._gateway.streams.subscribe_from(
            outlet,
            reader.stream,
            reader.resumption,
            outlet.variant,
            on_gap=outlet.tell_gap,
            name=reader.key_string,
            key=reader.key,
            account=reader.account,
            api_key_id=reader.api_key_id,
        )
        outlet.rest()

    # Requests ---------------------------------------------------------------------------------------

    def _read(self, query: bytes, headers: dict[bytes, bytes], address: str) -> Reader:
        """Who reads what from where. Errors: `Refused`, with codes of `_STATUS` or for 400."""
        parameters = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        bearer = _bearer(headers)
        wanted = parameters.get("stream", "")
        api_key = self._gateway.credentials.find(bearer) if bearer else None
        if api_key is not None:
            if "read" not in api_key.permissions:
                raise Refused(
                    "the API key may not read", "use one with the permission read", code="permission_denied"
                )
            if not address_allowed(address, api_key.ip_allow):
                raise Refused(
                    "the API key may not be used from here", "check its ip_allow", code="ip_not_allowed"
                )
            stream = StreamId(api_key.account_id, self._existing_stream(wanted))
            start, resumption = self._start(stream, parameters, headers)
            return Reader(stream, api_key.account, start, resumption, api_key_id=api_key.id)
        string = bearer or parameters.get("listenKey", "")
        if not string:
            raise Refused(
                "no credential was sent",
                "send an API key or listen key as Authorization: Bearer, or listenKey=",
                code="no_credential",
            )
        live = self._gateway.streams.resolve_key(string, self._gateway.dialects, address)
        if live is None:
            self._gateway.metrics.bad_keys += 1
            _log.info("bad_key", address=address)
            raise Refused(
                "the credential is not good here", "create a listen key anew", code="bad_credential"
            )
        stream = StreamId(live.key.account_id, self._stream_of_key(live.key, wanted))
        start, resumption = self._start(stream, parameters, headers)
        return Reader(stream, live.key.account, start, resumption, key=live.key, key_string=string)

    def _existing_stream(self, wanted: str) -> str:
        if not wanted:
            raise Refused("no stream was named", "add stream=NAME", code="no_stream")
        if not self._gateway.names.is_stream(wanted):
            raise Refused(
                "there is no such stream", "listenkey dialect list shows them", code="unknown_stream"
            )
        return wanted

    def _stream_of_key(self, key: ListenKey, wanted: str) -> str:
        streams = self._gateway.names.of_key(key)
        if not wanted and len(streams) == 1:
            return streams[0]
        if not wanted:
            raise Refused(
                "the key opens several streams", f"add stream= {' or '.join(streams)}", code="no_stream"
            )
        if wanted not in streams:
            raise Refused(
                "the stream is not one of the key's", f"it opens {', '.join(streams)}", code="unknown_stream"
            )
        return wanted

    def _start(
        self, stream: StreamId, parameters: dict[str, str], headers: dict[bytes, bytes]
    ) -> tuple[Position, Resumption]:
        store = self._gateway.store
        text = headers.get(b"last-event-id", b"").decode("latin-1") or parameters.get("since")
        current = store.read_journal(stream)
        assert current is not None
        if text is None:
            return Position(current.epoch, current.head), Resumption(current.epoch, current.head)
        since = parse_position(text)
        if since is None:
            raise Refused(
                "since is not EPOCH:OFFSET", "use a position that this stream gave", code="bad_since"
            )
        older = store.read_journal(stream, since.epoch) if since.epoch != current.epoch else None
        return since, resume(since, current, older)


def _bearer(headers: dict[bytes, bytes]) -> str:
    scheme, _, credential = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def _error_reply(error: Refused | StoreError) -> Reply:
    code = error.code if isinstance(error, Refused) else "store"
    body = msgspec.json.encode({"error": {"code": code, "message": error.message, "remedy": error.remedy}})
    headers = [(b"content-type", b"application/json")]
    status = _STATUS.get(code, 400)
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 405:
        headers.append((b"allow", b"GET"))
    return Reply(status, headers, body)
