"""A venue's stream socket: joins a session (what is to be done) to its words (`wire`) and its events
(`service`)."""

import asyncio
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, cast

import msgspec
import structlog

from listenkey.base.clock import Micros, to_millis
from listenkey.core.session import (
    Acknowledge,
    Action,
    Beat,
    Bind,
    Close,
    Fail,
    Policy,
    Rewrap,
    Session,
    SetTopics,
    TellCombined,
    TellNames,
    Unbind,
    requested_names,
)
from listenkey.dialect.model import Close as CloseRow
from listenkey.dialect.model import Control, Dialect, Stream
from listenkey.edge.admission import Admission
from listenkey.edge.deflate import Agreed, agree
from listenkey.edge.places import Places, Seat, Seats
from listenkey.edge.receipts import SocketReceipts, is_unconfirmed
from listenkey.edge.snapshots import SocketSnapshots
from listenkey.edge.websocket import Surroundings, WebSocket
from listenkey.service.gateway import Gateway
from listenkey.service.left import Left
from listenkey.service.names import scoped_name
from listenkey.service.streams import LiveKey
from listenkey.wire import control, frames
from listenkey.wire.envelopes import Enveloped
from listenkey.wire.messages import Fault
from listenkey.wire.notices import notices_for, render_goodbye
from listenkey.wire.routes import SocketCandidate, SocketRoute
from listenkey.wire.times import InMicros

if TYPE_CHECKING:
    from listenkey.service.outlet import EndReason, Subscription

_log = structlog.get_logger(__name__)
_PING: Final = 0x9
_raw = lru_cache(maxsize=8)(frames.raw)


class VenueSockets:
    """What the venue sockets of the process share."""

    def __init__(
        self,
        gateway: Gateway,
        shared: Surroundings,
        policy: Policy,
        *,
        most_without_key: int,
        most_market: int = 256,
        most_market_in_all: int = 4096,
        deflate: bool = True,
    ) -> None:
        """`most_without_key`: how many sockets that have bound no key one address may hold open.
        `most_market`: how many on paths of market data, which stay open and quiet. `deflate`: whether
        compression is agreed to where the venue does."""
        self._deflate = deflate
        self.gateway = gateway
        self.shared = shared
        self.policy = policy
        self.admission = Admission(
            gateway, most_unproven=most_without_key, most_unproven_in_all=most_market_in_all
        )
        self._without_key = Places(most_without_key)
        self._market = Places(most_market, most_market_in_all)
        self._by_topic: dict[str, frames.Variant] = {}

    def begin(self, route: SocketRoute, query: bytes, address: str) -> "tuple[Session, list[Action]]":
        """The session of a new socket, and what its handshake leads to."""
        session = Session(route.candidates, self.policy, self.shared.pacer.now())
        wanted = requested_names(route.candidates, route.names, query)
        return session, session.open(wanted, lambda name: self.resolve(address, name))

    def agree(self, session: Session, route: SocketRoute, offered: bytes) -> Agreed | None:
        """The compression that a socket gets: where the product has it, or all that it may turn out to be."""
        if not offered or not self._deflate:
            return None
        meant = route.candidates if awaits_key(session) else (session.speaks_for,)
        return agree(offered) if all(each.dialect.frames.deflate for each in meant) else None

    def resolve(self, address: str, name: str) -> LiveKey | None:
        """The live key that a name is; what is none is counted, and logged without being told."""
        live = self.gateway.streams.resolve_key(name, self.gateway.dialects, address)
        if live is None:
            self.gateway.metrics.bad_keys += 1
            _log.info("bad_key", address=address)
        return live

    def seats(
        self, route: SocketRoute, session: Session, actions: Sequence[Action], address: str
    ) -> Seats | Fault | None:
        """The places that a new socket takes: among those of its stream, where they are counted, and among
        those without a key. None where there are too many without a key."""
        lasting = self.admission.seat(route, actions, address)
        if isinstance(lasting, Fault):
            return lasting
        if not awaits_key(session):
            return Seats(lasting)
        without_key = Seat.take(self._without_key if session.carries_data else self._market, address)
        if without_key is None and lasting is not None:
            lasting.give_back()
        return None if without_key is None else Seats(lasting, without_key)

    def by_topic(self, stream: Stream, codec: frames.Codec) -> frames.Variant:
        """The variant of a stream with topics; one for all its sockets."""
        variant = self._by_topic.get(stream.name)
        if variant is None:
            variant = self._by_topic[stream.name] = frames.by_topic(stream, codec)
        return variant


def awaits_key(session: Session) -> bool:
    """Whether a socket counts among those without a key, as it is now."""
    return session.awaits_key or not session.carries_data


class VenueSocket(WebSocket):
    """One venue socket."""

    __slots__ = (
        "_asked",
        "_asking",
        "_left",
        "_micros",
        "_receipts",
        "_seats",
        "_session",
        "_snapshots",
        "_sockets",
    )

    def __init__(
        self,
        sockets: VenueSockets,
        session: Session,
        transport: asyncio.Transport,
        address: str,
        seats: Seats,
        micros: frozenset[str] = frozenset(),
        deflate: Agreed | None = None,
    ) -> None:
        """`seats`: the places that it took when it was let in. `micros`: the dialects whose events it wants
        with times in microseconds. `deflate`: the compression agreed to."""
        super().__init__(sockets.shared, transport, address, sockets.gateway.clock.now(), deflate)
        self._sockets = sockets
        self._session = session
        self._micros = micros
        self._seats = seats
        self._asked = 0
        """Pings of ours that may still be answered."""
        self._receipts: SocketReceipts | None = None
        self._asking = False
        """Whether this socket is to be woken to ask for a receipt."""
        self._snapshots: SocketSnapshots | None = None
        self._left: Left | None = None
        """What it was sent by subscriptions that are over."""

    def start(self, actions: Sequence[Action]) -> None:
        """The 101 is out: bind the names of the handshake, and let time run."""
        self._shared.registry.register(self)
        self._sockets.gateway.metrics.sockets_opened += 1
        self._guarded(self._do, actions)

    # Inputs -----------------------------------------------------------------------------------------

    def message_received(self, message: str, now: Micros) -> None:
        """A control request, the answer to a heartbeat, or junk."""
        session = self._session
        candidate = self._candidate
        request = control.parse_control(candidate.dialect, candidate.path, message)
        if isinstance(request, control.HeartbeatAnswer):
            session.alive()
            if self._receipts is not None and request.id:
                self._receipts.beat_answered(request.id, now)
            return
        too_fast = session.count_message(now)
        if too_fast:
            self._do(too_fast)
        elif isinstance(request, control.ControlFault):
            self._fail(request)
        else:
            self._do(self._ask(session, request))

    def _ask(self, session: Session, request: control.ControlRequest) -> list[Action]:
        match request:
            case control.Subscribe():
                return session.subscribe(request.id, request.names, self._resolve)
            case control.Unsubscribe():
                return session.unsubscribe(request.id, request.names)
            case control.ListSubscriptions():
                return session.list_names(request.id)
            case control.SetProperty():
                return session.set_combined(request.id, request.value)
            case control.GetProperty():
                return session.get_combined(request.id)
            case control.TopicRequest():
                rows, stream = self._control, self._stream
                kind = control.topic_kind(stream, rows, request.topic) if stream else "unknown"
                adding = request.verb == "sub"
                return session.change_topic(
                    request.id, request.topic, kind, add=adding, limit=rows.topic_limit
                )
            case _:
                return []

    def _resolve(self, name: str) -> LiveKey | None:
        return self._sockets.resolve(self.address, name)

    def ping_received(self, now: Micros) -> None:
        """Counts as a message."""
        self._do(self._session.count_message(now))

    def pong_received(self, payload: bytes, now: Micros) -> None:
        """Any Pong is a sign of life, whatever it carries; the right one is a receipt as well. One that was
        not asked for counts as a message."""
        self._session.alive()
        if self._asked:
            self._asked -= 1
        elif too_fast := self._session.count_message(now):
            self._do(too_fast)
            return
        if self._receipts is not None:
            self._receipts.ponged(payload, now)
            self._asking = False
            self._plan_receipt()

    def woken(self, now: Micros) -> None:
        """Heartbeat, a deadline, or time to ask for a receipt."""
        actions = self._session.wake(now)
        if self._receipts is not None:
            self._asking = False
            self._ask_for_receipt(now)
        self._do(actions)

    def flush(self) -> None:
        """Give the transport what is queued, and see to it that events among it are confirmed."""
        super().flush()
        if not self._asking and not self._closing:
            self._plan_receipt()

    def _plan_receipt(self) -> None:
        if self._receipts is None:
            if all(each.reader is None for each in self.subscriptions):
                return
            streams = self._sockets.gateway.streams
            self._receipts = SocketReceipts(self._candidate.dialect.frames.receipts, streams.confirm)
        due = self._receipts.due_at(self.subscriptions)
        if due is not None and not self._asking:
            # Later events may want a receipt earlier than one that only settles.
            self._asking = any(map(is_unconfirmed, self.subscriptions))
            self._wake_at(due)

    def _ask_for_receipt(self, now: Micros) -> None:
        assert self._receipts is not None
        due = self._receipts.due_at(self.subscriptions)
        if due is not None and due <= now:
            self._ping(self._receipts.ask(self.subscriptions, now))

    def _ping(self, payload: bytes) -> None:
        self._asked += 1
        self.push(frames.ws_frame(payload, _PING))

    def subscription_ended(self, subscription: "Subscription", reason: "EndReason") -> None:
        """A key is over: the dialect's notices, then silence."""
        self._note_left(subscription)
        key = subscription.key
        assert key is not None
        dialect = self._sockets.gateway.dialects[key.key_space]
        stream = subscription.stream.stream.partition(":")[0]
        now = self._sockets.gateway.clock.now()
        string = subscription.name.partition("@")[0]
        for notice in notices_for(dialect, stream, reason, string, now):
            payload = notice.encode()
            if subscription.events is None or frames.event_type(payload) in subscription.events:
                self.push(subscription.variant.wrap(payload))
        self._do(self._session.key_ended(subscription.name, revoked=reason == "revoked"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        self._seats.give_back()

    # What is to be done -----------------------------------------------------------------------------

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            self._do_one(action)
        if not awaits_key(self._session):
            self._seats.has_key()
        if not self._closing:
            if self._snapshots is not None:
                self._snapshots.tell(self._shared.pacer.now())
            self._wake_at(self._session.wake_at())
            self._asking = False
            self.flush()

    def _wake_at(self, due: Micros) -> None:
        due = min(self._session.wake_at(), due)
        self._shared.pacer.wake_at(self, due if self._snapshots is None else self._snapshots.wake_at(due))

    def _do_one(self, action: Action) -> None:
        match action:
            case Bind():
                self._bind(action)
            case Unbind():
                for subscription in self._subscriptions(action.name):
                    self._leave_off(subscription)
            case Rewrap():
                for subscription in self.subscriptions:
                    self._rewrap(subscription)
            case SetTopics():
                self._follow_topics()
            case Close():
                self.close(action.kind)
            case Beat():
                self._beat(action)
            case _:
                self._say(action)

    def _bind(self, bind: Bind) -> None:
        # A name that asks for one type of a key's events (`KEY@TYPE`) is a subscription of its own.
        live = msgspec.structs.replace(cast("LiveKey", bind.live), string=bind.name)
        stream = scoped_name(bind.candidate.stream, live.key.scope)
        streams, variant = self._sockets.gateway.streams, self._variant(live, bind.candidate.stream)
        if self._has_topics:
            streams.hold(self, live, stream, variant)
            self._follow_topics()
        else:
            self._begin(streams.subscribe(self, live, stream, variant, bind.events, left=self._left))

    def _begin(self, subscription: "Subscription") -> None:
        """A stream or topic is sent from now on; where the venue tells how things are, that too."""
        gateway = self._sockets.gateway
        if gateway.snapshots.period(subscription.stream.stream, subscription.topic) is not None:
            self._snapshots = self._snapshots or SocketSnapshots(gateway, self.push)
            self._snapshots.begin(subscription, self._shared.pacer.now())

    def _rewrap(self, subscription: "Subscription") -> None:
        key = subscription.key
        assert key is not None
        live = LiveKey(key, self._sockets.gateway.dialects[key.key_space], subscription.name)
        subscription.variant = self._variant(live, subscription.stream.stream.partition(":")[0])

    def _leave_off(self, subscription: "Subscription") -> None:
        self._note_left(subscription)
        self._shared.cancel(subscription)

    def _note_left(self, subscription: "Subscription") -> None:
        """Should the client come back to it on this socket, it gets nothing twice."""
        self._left = self._left or Left()
        self._left.note(subscription)

    def _follow_topics(self) -> None:
        """Have one subscription for each topic of each key, so that every topic goes on where it was."""
        streams, stream = self._sockets.gateway.streams, self._stream
        if stream is None:
            return
        wanted = {topic.name for topic in stream.topics} & self._session.topics
        for each in tuple(self.subscriptions):
            if each.topic and each.topic not in wanted:
                self._leave_off(each)
        for held in [each for each in self.subscriptions if not each.topic and each.key is not None]:
            there = {each.topic for each in self._subscriptions(held.name)}
            dialect = self._candidate.dialect
            for topic in stream.topics:
                if topic.name in wanted - there and held.key is not None:
                    live = LiveKey(held.key, dialect, held.name)
                    events = frozenset((topic.event,))
                    self._begin(
                        streams.subscribe(
                            self, live, held.stream.stream, held.variant, events, topic.name, self._left
                        )
                    )

    def _say(self, action: Acknowledge | TellNames | TellCombined | Fail) -> None:
        now = self._sockets.gateway.clock.now()
        rows = self._control
        if isinstance(action, Fail):
            self._fail(control.ControlFault(action.kind, {"id": action.id, "name": action.name}))
            return
        if isinstance(action, TellNames):
            text = control.render_names(rows, action.id, list(action.names), now)
        elif isinstance(action, TellCombined):
            text = control.render_property(rows, action.id, action.combined, now)
        else:
            text = control.render_ack(rows, action.id, now)
        self.push(frames.encode_text(text, self._codec))

    def _fail(self, fault: control.ControlFault) -> None:
        text = control.render_control_fault(self._control, fault, self._sockets.gateway.clock.now())
        if text is not None:
            self.push(frames.encode_text(text, self._codec))
            self.flush()

    def _beat(self, beat: Beat) -> None:
        heartbeat = beat.heartbeat
        now = self._sockets.gateway.clock.now()
        if heartbeat.kind == "protocol_ping":
            self._ping(b"%d" % to_millis(now))
        else:
            beat_id = os.urandom(16).hex()
            if self._receipts is not None and heartbeat.kind == "json":
                self._receipts.beat(beat_id, self.subscriptions, self._shared.pacer.now())
            text = control.render_heartbeat(heartbeat, beat_id, now)
            self.push(frames.encode_text(text, self._codec))

    def close(self, kind: str) -> None:
        """End the socket by its dialect's close table."""
        if kind == "shutdown" and not self._closing:
            self._say_goodbye()
        row = close_row(self._candidate.dialect, kind)
        if kind == "pong_timeout":
            self._shared.metrics.sockets_unanswered += 1
        self.close_with(row.code, row.reason, drop_queue=kind == "slow")

    def _say_goodbye(self) -> None:
        now = self._sockets.gateway.clock.now()
        goodbye = render_goodbye(self._candidate.dialect, now, combined=self._session.combined)
        if goodbye is not None:
            self.push(goodbye)

    def words_of(self, code: int) -> str:
        """As the close table has it."""
        return reason_of(self._candidate.dialect, code)

    # What holds here --------------------------------------------------------------------------------

    @property
    def _candidate(self) -> SocketCandidate:
        return cast("SocketCandidate", self._session.speaks_for)

    @property
    def _codec(self) -> frames.Codec:
        return self._candidate.dialect.frames.codec

    @property
    def _event_codec(self) -> frames.Codec:
        """Answers are short, and go out as they are."""
        return "deflate" if self._deflate is not None and self._codec == "text" else self._codec

    @property
    def _control(self) -> Control:
        candidate = self._candidate
        return control.control_of(candidate.dialect, candidate.stream)

    @property
    def _stream(self) -> Stream | None:
        return stream_of(self._candidate)

    @property
    def _has_topics(self) -> bool:
        stream = self._stream
        return stream is not None and bool(stream.topics)

    def _variant(self, live: LiveKey, stream: str) -> frames.Variant:
        """`stream`: the one that the key opens here, without a symbol."""
        here = self._stream
        if here is not None and here.topics:
            return self._sockets.by_topic(here, self._event_codec)
        combined = self._session.combined
        variant = frames.combined(live.string, self._event_codec) if combined else _raw(self._event_codec)
        if here is not None and here.enveloped and not combined:
            variant = Enveloped(here.enveloped, frames.combined(live.string, self._event_codec), variant)
        return InMicros(variant, (live.dialect,), stream) if live.dialect.name in self._micros else variant

    def _subscriptions(self, name: str) -> "list[Subscription]":
        return [subscription for subscription in self.subscriptions if subscription.name == name]


def stream_of(candidate: SocketCandidate) -> Stream | None:
    """The stream that keys bind to on this path, if any."""
    streams = candidate.dialect.streams
    return next((stream for stream in streams if stream.name == candidate.stream), None)


def close_row(dialect: Dialect, kind: str) -> CloseRow:
    """How a dialect's sockets end. What an operator does is for a venue's client as if access was revoked."""
    return dialect.close("revoked" if kind == "operator" else kind)


def reason_of(dialect: Dialect, code: int) -> str:
    """The reason that the close table has for what breaks the protocol; empty where it has none."""
    broken = (row for row in dialect.closes if row.kind in {"protocol", "too_big"})
    return next((row.reason for row in broken if row.code == code), "")
