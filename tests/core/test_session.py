from dataclasses import dataclass

import msgspec
import pytest

from listenkey.base.clock import HOUR, MILLISECOND, MINUTE, SECOND
from listenkey.core.session import (
    Acknowledge,
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
    Wanted,
    requested_names,
)
from listenkey.dialect.model import Dialect, SocketPath
from listenkey.dialect.registry import load_dialects

DIALECTS = load_dialects()
START = 1_000 * MINUTE
ID = b"7"


@dataclass(frozen=True)
class Candidate:
    """A socket path of a product."""

    dialect: Dialect
    path: SocketPath

    @property
    def stream(self):
        return self.path.stream


@dataclass(frozen=True)
class Live:
    """A live key of a product."""

    dialect: Dialect


def candidate(name, path):
    """A product's socket path, as it is in the dialect."""
    dialect = DIALECTS[name]
    return Candidate(dialect, next(row for row in dialect.sockets if row.path == path))


SPOT = candidate("binance-spot", "/ws/{names}")
MARGIN = candidate("binance-margin", "/ws/{names}")
USDM = candidate("binance-usdm", "/ws/{names}")
PRIVATE = candidate("binance-usdm", "/private/ws")
COMBINED = candidate("binance-spot", "/stream")
PUBLIC = candidate("binance-usdm", "/public/ws")
BINGX_SPOT = candidate("bingx", "/market")
BINGX_SWAP = candidate("bingx", "/swap-market")


class Told(Session):
    """A session that knows which keys live."""

    def open(self, wanted):
        return super().open(wanted, self.live.get)

    def subscribe(self, request_id, names):
        return super().subscribe(request_id, names, self.live.get)


def session(*candidates, policy=None, **keys):
    """A session at START; `keys` are the live ones, each with its dialect's name."""
    made = Told(candidates, policy or Policy(), START)
    made.live = {name: Live(DIALECTS[space]) for name, space in keys.items()}
    return made


def kinds(actions):
    """What kinds of action came, in order."""
    return [type(action) for action in actions]


class TestNames:
    def test_a_live_key_in_the_handshake_is_bound_to_its_products_stream(self):
        """On a shared path the key decides the product, and so the stream."""
        for key, space, chosen in (("S", "binance-spot", SPOT), ("U", "binance-usdm", USDM)):
            (bind,) = session(SPOT, MARGIN, USDM, **{key: space}).open([Wanted(key)])
            assert isinstance(bind, Bind)
            assert bind.candidate is chosen
            assert bind.candidate.stream == space

    def test_a_key_of_a_product_that_is_not_served_here_is_bad(self):
        """A BingX key on a Binance socket opens nothing."""
        assert session(SPOT, K="bingx").open([Wanted("K")]) == [Close("bad_key")]

    def test_a_bad_key_refuses_the_handshake(self):
        """`reject`: a client with a dead key learns it at once, not from silence."""
        assert session(SPOT).open([Wanted("dead")]) == [Close("bad_key")]

    def test_silent_policy_accepts_a_bad_key(self):
        """`silent`: as the venues do, nothing is said and nothing comes."""
        quiet = session(SPOT, policy=Policy(bad_key="silent"))
        assert quiet.open([Wanted("dead")]) == []
        assert quiet.subscribe(ID, ("dead too",)) == [Acknowledge(ID)]
        assert quiet.list_names(ID) == [TellNames(ID, ("dead", "dead too"))]

    def test_one_live_key_keeps_the_socket_of_a_dead_one(self):
        """With one good key of two the socket is of use, and stays."""
        assert kinds(session(SPOT, K="binance-spot").open([Wanted("dead"), Wanted("K")])) == [Bind]
        socket = session(SPOT, K="binance-spot")
        socket.open([Wanted("K")])
        assert socket.subscribe(ID, ("dead",)) == [Acknowledge(ID)]

    def test_the_end_of_the_last_key_ends_the_socket_where_that_is_the_policy(self):
        """`close` is for clients that reconnect on a close alone; one with a live key left goes on."""
        for policy, ends in ((Policy(), []), (Policy(ended_key="close"), [Close("bad_key")])):
            socket = session(SPOT, K="binance-spot", L="binance-spot", policy=policy)
            socket.open([Wanted("K"), Wanted("L")])
            assert socket.key_ended("K", revoked=False) == []
            assert socket.key_ended("L", revoked=False) == ends

    def test_subscribing_a_bad_key_is_acknowledged_and_then_closed(self):
        """The client gets its answer first; then the close says what was wrong."""
        socket = session(SPOT)
        assert socket.open([]) == []
        assert socket.subscribe(ID, ("dead",)) == [Acknowledge(ID), Close("bad_key")]

    @pytest.mark.parametrize("name", ["btcusdt@trade", "!ticker@arr", "!miniTicker"])
    def test_market_streams_are_acknowledged_and_silent(self, name):
        """Clients mix market streams in; these end no socket, under either policy."""
        for policy in (Policy(), Policy(bad_key="silent")):
            assert session(SPOT, policy=policy).open([Wanted(name)]) == []
            assert session(SPOT, policy=policy).subscribe(ID, (name,)) == [Acknowledge(ID)]

    def test_a_key_with_a_type_brings_the_events_of_that_type(self):
        """`KEY@TYPE` on USD-M: each a subscription of its own, which is listed and ended as it was named."""
        key = "K" * 64
        socket = session(PRIVATE, **{key: "binance-usdm"})
        names = (f"{key}@ORDER_TRADE_UPDATE", f"{key}@ACCOUNT_UPDATE", "btcusdt@trade")
        *binds, ack = socket.subscribe(ID, names)
        assert [(bind.name, bind.events) for bind in binds] == [
            (names[0], {"ORDER_TRADE_UPDATE"}),
            (names[1], {"ACCOUNT_UPDATE"}),
        ]
        assert ack == Acknowledge(ID)
        assert socket.list_names(ID) == [TellNames(ID, names)]
        assert socket.unsubscribe(ID, names[:1]) == [Unbind(names[0]), Acknowledge(ID)]
        assert socket.key_ended(names[1], revoked=True) == [Close("revoked")]

    def test_a_key_beside_its_own_types_brings_nothing_twice(self):
        """Whichever of the two comes first, no event goes out by both."""
        key = "K" * 64
        item = f"{key}@ORDER_TRADE_UPDATE"
        for names, expected in (((key, item), [Bind]), ((item, key), [Bind, Unbind, Bind])):
            socket = session(PRIVATE, **{key: "binance-usdm"})
            *actions, _ = socket.subscribe(ID, names)
            assert kinds(actions) == expected
            assert actions[-1].events is None

    def test_a_key_of_which_some_types_come_can_be_asked_for_more(self):
        """`events=` in the handshake and then SUBSCRIBE: what is acknowledged comes, and nothing twice."""
        key, orders, accounts = "K" * 64, "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"
        socket = session(PRIVATE, **{key: "binance-usdm"})
        socket.open([Wanted(key, frozenset((accounts,)))])
        assert socket.subscribe(ID, (f"{key}@{accounts}",)) == [Acknowledge(ID)]
        bind, _ = socket.subscribe(ID, (f"{key}@{orders}",))
        assert (bind.name, bind.events) == (f"{key}@{orders}", {orders})
        *ended, whole, _ = socket.subscribe(ID, (key,))
        assert sorted(each.name for each in ended) == [key, f"{key}@{orders}"]
        assert (whole.name, whole.events) == (key, None)
        for again in (key, f"{key}@{orders}"):
            assert socket.subscribe(ID, (again,)) == [Acknowledge(ID)]

    def test_a_handshake_may_not_name_more_than_a_socket_may_have(self):
        """As many as by SUBSCRIBE, and no more: a product's own bound, once its key shows."""
        names = [Wanted(f"s{number}@trade") for number in range(1025)]
        assert session(SPOT).open(names) == [Close("too_many_requests")]
        assert session(SPOT).open(names[1:]) == []
        options = candidate("binance-options", "/private/ws")
        assert len(session(options, K="binance-options").open([Wanted("K"), *names[:199]])) == 1
        crowded = session(options, K="binance-options").open([Wanted("K"), *names[:200]])
        assert crowded == [Close("too_many_requests")]

    def test_a_filter_goes_with_its_key(self):
        """Who unsubscribes from a key and takes it again gets all of it."""
        key = "K" * 64
        socket = session(PRIVATE, **{key: "binance-usdm"})
        socket.open([Wanted(key, frozenset(("ACCOUNT_UPDATE",)))])
        socket.unsubscribe(ID, (key,))
        bind, _ = socket.subscribe(ID, (key,))
        assert bind.events is None
        assert socket.subscribe(ID, (f"{key}@ORDER_TRADE_UPDATE",)) == [Acknowledge(ID)]

    def test_a_dead_key_with_a_type_and_keys_of_other_products_are_market_data(self):
        """Nothing tells them from it, so they are acknowledged and silent."""
        for candidates, key in (((PRIVATE,), "D" * 64), ((SPOT, USDM), "S" * 64), ((SPOT,), "U" * 64)):
            socket = session(*candidates, **{"S" * 64: "binance-spot", "U" * 64: "binance-usdm"})
            assert socket.subscribe(ID, (f"{key}@ORDER_TRADE_UPDATE",)) == [Acknowledge(ID)]

    def test_paths_without_user_data_take_any_name(self):
        """New SDKs open `/public` beside `/private`; whatever they subscribe there must not close it."""
        socket = session(PUBLIC)
        assert socket.open([]) == []
        assert socket.subscribe(ID, ("no key at all",)) == [Acknowledge(ID)]

    def test_a_key_on_a_path_that_lost_its_product_is_silent(self):
        """Where the venue carries no user data any more, a live key opens a socket on which nothing comes."""
        past = Candidate(USDM.dialect, msgspec.structs.replace(USDM.path, stream=""))
        session = Session([SPOT, past], Policy(), START)
        assert session.open([Wanted("K")], lambda name: Live(USDM.dialect)) == []
        assert not session.awaits_key
        assert session.speaks_for is past

    def test_the_same_name_twice_is_bound_once(self):
        """Each event comes at most once for a key, however often it was subscribed."""
        socket = session(SPOT, K="binance-spot")
        assert kinds(socket.open([Wanted("K"), Wanted("K")])) == [Bind]
        assert socket.subscribe(ID, ("K", "K")) == [Acknowledge(ID)]
        assert socket.list_names(ID) == [TellNames(ID, ("K",))]

    def test_unsubscribing_stops_a_key_and_can_be_taken_back(self):
        """After UNSUBSCRIBE nothing comes; after SUBSCRIBE it does again. What was never there is
        acknowledged too."""
        socket = session(SPOT, K="binance-spot")
        socket.open([Wanted("K")])
        assert socket.unsubscribe(ID, ("K", "never")) == [Unbind("K"), Acknowledge(ID)]
        assert socket.list_names(ID) == [TellNames(ID, ())]
        assert kinds(socket.subscribe(ID, ("K",))) == [Bind, Acknowledge]

    def test_too_many_names_are_refused_as_a_whole(self):
        """A socket cannot be made to remember more names than the venue allows, and a refused request adds
        none."""
        socket = session(SPOT, K="binance-spot")
        most = SPOT.dialect.frames.names_per_socket
        assert kinds(socket.subscribe(ID, tuple(f"x{n}@trade" for n in range(most)))) == [Acknowledge]
        assert socket.subscribe(ID, ("K",)) == [Fail("too_many_parameters", ID)]
        assert kinds(socket.list_names(ID)) == [TellNames]
        assert "K" not in socket.list_names(ID)[0].names

    def test_wrapping_begins_as_the_path_says_and_changes_on_request(self):
        """`/stream` wraps, `/ws` does not, SET_PROPERTY switches; sockets are re-wrapped only on a change."""
        assert session(COMBINED).combined
        socket = session(SPOT)
        assert socket.get_combined(ID) == [TellCombined(ID, False)]
        assert socket.set_combined(ID, True) == [Rewrap(True), Acknowledge(ID)]
        assert socket.set_combined(ID, True) == [Acknowledge(ID)]
        assert socket.get_combined(ID) == [TellCombined(ID, True)]

    def test_an_ended_key_leaves_a_silent_socket(self):
        """After `listenKeyExpired` the socket stays, as the venue's does, and its name is still listed."""
        socket = session(SPOT, K="binance-spot")
        socket.open([Wanted("K")])
        assert socket.key_ended("K", revoked=False) == []
        assert socket.list_names(ID) == [TellNames(ID, ("K",))]
        assert socket.unsubscribe(ID, ("K",)) == [Acknowledge(ID)]

    def test_revocation_closes_a_socket_that_nothing_else_holds_open(self):
        """A revoked API key's socket ends; one that carries another live key goes on for that one."""
        alone = session(SPOT, K="binance-spot")
        alone.open([Wanted("K")])
        assert alone.key_ended("K", revoked=True) == [Close("revoked")]
        shared = session(SPOT, K="binance-spot", L="binance-spot")
        shared.open([Wanted("K"), Wanted("L")])
        assert shared.key_ended("K", revoked=True) == []
        assert shared.key_ended("L", revoked=True) == [Close("revoked")]


class TestHandshakeNames:
    @pytest.mark.parametrize(
        "query,expected",
        [
            (b"", []),
            (b"listenKey=", []),
            (b"other=K", []),
            (b"listenKey=K", [Wanted("K")]),
            (b"listenKey=K&events=A", [Wanted("K", frozenset("A"))]),
            (b"listenKey=K&events=A/B", [Wanted("K", frozenset("AB"))]),
            (b"listenKey=K&events=", [Wanted("K")]),
            (b"events=A/B&listenKey=K", [Wanted("K", frozenset("AB"))]),
            (
                b"listenKey=K&events=A&listenKey=L&events=B",
                [Wanted("K", frozenset("A")), Wanted("L", frozenset("B"))],
            ),
            (b"listenKey=K&listenKey=L&events=B", [Wanted("K"), Wanted("L", frozenset("B"))]),
            (b"listenKey=K&events=A&listenKey=K&events=B", [Wanted("K", frozenset("AB"))]),
            (b"listenKey=K&events=A&listenKey=L&listenKey=K", [Wanted("K"), Wanted("L")]),
            (b"listenKey=%4B", [Wanted("K")]),
            (b"listenKey=K/L", [Wanted("K"), Wanted("L")]),
            (b"&&=&listenKey", []),
        ],
    )
    def test_keys_and_their_events_come_in_pairs(self, query, expected):
        """`/private`: each `events` filters the key before it, and a key without one gets everything; a key
        that comes twice gets what either wants."""
        assert requested_names([PRIVATE], (), query) == expected

    def test_combined_streams_are_split(self):
        """`/stream?streams=K/L`, and the empty list that one client opens with."""
        assert requested_names([COMBINED], (), b"streams=K/L") == [Wanted("K"), Wanted("L")]
        assert requested_names([COMBINED], (), b"streams=") == []

    def test_names_of_the_path_are_taken_as_they_are(self):
        """`/ws/K`, whatever its query says."""
        assert requested_names([SPOT], ("K",), b"timeUnit=MICROSECOND&streams=L") == [Wanted("K")]

    def test_bytes_that_are_no_text_are_a_bad_key_and_no_fault(self):
        """Any query gives names or none; it never raises."""
        assert requested_names([PRIVATE], (), b"listenKey=%FF%00\xe9") == [Wanted("\ufffd\x00\xe9")]


class TestTopics:
    def test_a_topic_of_the_stream_is_acknowledged_and_then_sent(self):
        """BingX spot: nothing comes before `sub`, and what was unsubscribed stops."""
        socket = session(BINGX_SPOT, K="bingx")
        socket.open([Wanted("K")])
        topic = frozenset(("spot.executionReport",))
        subscribed = socket.change_topic(ID, "spot.executionReport", "user", add=True, limit=200)
        assert subscribed == [Acknowledge(ID), SetTopics(topic)]
        again = socket.change_topic(ID, "spot.executionReport", "user", add=True, limit=200)
        assert again == [Acknowledge(ID)]
        dropped = socket.change_topic(ID, "spot.executionReport", "user", add=False, limit=200)
        assert dropped == [Acknowledge(ID), SetTopics(frozenset())]

    def test_market_topics_change_nothing(self):
        """Acknowledged, and no event of the account comes for it."""
        socket = session(BINGX_SPOT, K="bingx")
        assert socket.change_topic(ID, "BTC-USDT@trade", "market", add=True, limit=200) == [Acknowledge(ID)]

    def test_unknown_and_surplus_topics_are_refused(self):
        """The answers that the venue has for them; the last that fits is still acknowledged."""
        socket = session(BINGX_SWAP, K="bingx")
        assert socket.change_topic(ID, "x", "unknown", add=True, limit=2) == [Fail("topic_unknown", ID, "x")]
        for name in ("a", "b"):
            assert socket.change_topic(ID, name, "market", add=True, limit=2) == [Acknowledge(ID)]
        assert socket.change_topic(ID, "c", "market", add=True, limit=2) == [Fail("topic_limit", ID, "c")]
        assert socket.change_topic(ID, "a", "market", add=True, limit=2) == [Acknowledge(ID)]


def beats_until(socket, end, answered=False):
    """Wake a session whenever it asks to be, until it ends or `end` is over; when it beat, and when and how
    it ended."""
    beats = []
    while (now := socket.wake_at()) <= end:
        for action in socket.wake(now):
            if isinstance(action, Close):
                return beats, (now, action.kind)
            assert isinstance(action, Beat)
            beats.append(now)
            if answered:
                socket.alive()
    return beats, None


def period(candidate):
    return candidate.dialect.heartbeats[candidate.path.heartbeat].period_ms * MILLISECOND


def grace(candidate):
    return candidate.dialect.heartbeats[candidate.path.heartbeat].grace_ms * MILLISECOND


class TestTime:
    def test_a_bound_key_sets_the_products_own_pace(self):
        """USD-M is pinged every 3 minutes although spot, on the same path, is every 20 s."""
        socket = session(SPOT, USDM, K="binance-usdm")
        socket.open([Wanted("K")])
        beats, end = beats_until(socket, START + 10 * MINUTE, answered=True)
        assert [at - START for at in beats] == [period(USDM), 2 * period(USDM), 3 * period(USDM)]
        assert end is None

    def test_until_a_key_binds_the_strictest_period_and_the_laxest_grace_hold(self):
        """A socket that may yet turn out to be any product suits all of them."""
        quiet = Policy(no_key=0)
        beats, end = beats_until(session(SPOT, USDM, policy=quiet), START + 20 * MINUTE)
        assert beats[0] == START + period(SPOT)
        assert end == (beats[0] + grace(USDM), "pong_timeout")

    def test_keys_of_several_products_share_a_socket_on_the_same_terms(self):
        """The strictest period, the laxest grace of those that are bound."""
        socket = session(SPOT, MARGIN, USDM, K="binance-spot", L="binance-usdm")
        socket.open([Wanted("L"), Wanted("K")])
        beats, end = beats_until(socket, START + 20 * MINUTE)
        assert beats[0] == START + period(SPOT)
        assert end == (beats[0] + grace(USDM), "pong_timeout")

    def test_binding_late_asks_for_a_sign_of_life_no_later_than_before(self):
        """A slower product's key does not reset the clock, a quicker one's does not wait for the old
        period."""
        socket = session(SPOT, USDM, K="binance-usdm")
        socket.open([])
        socket.subscribe(ID, ("K",))
        assert socket.wake_at() == START + period(USDM)

    def test_any_sign_of_life_keeps_a_socket(self):
        """Echoed, empty, doubled or unasked: one sign of life after the heartbeat is enough."""
        socket = session(SPOT, K="binance-spot")
        socket.open([Wanted("K")])
        beats, end = beats_until(socket, START + 30 * MINUTE, answered=True)
        assert len(beats) == 30 * MINUTE // period(SPOT)
        assert end is None

    def test_silence_ends_a_socket_after_the_grace(self):
        """Counted from the first heartbeat that went unanswered, not from the last."""
        socket = session(SPOT, K="binance-spot")
        socket.open([Wanted("K")])
        beats, end = beats_until(socket, START + 30 * MINUTE)
        assert end == (START + period(SPOT) + grace(SPOT), "pong_timeout")
        assert len(beats) > 1

    def test_silence_is_tolerated_where_the_dialect_or_the_policy_says_so(self):
        """BingX clients that never answer keep their stream, unless the configuration enforces heartbeats."""
        socket = session(BINGX_SWAP, K="bingx")
        socket.open([Wanted("K")])
        assert beats_until(socket, START + 5 * MINUTE)[1] is None
        strict = session(BINGX_SWAP, K="bingx", policy=Policy(enforce=True))
        strict.open([Wanted("K")])
        assert beats_until(strict, START + 5 * MINUTE)[1] == (
            START + period(BINGX_SWAP) + grace(BINGX_SWAP), "pong_timeout",
        )  # fmt: skip
        lax = session(SPOT, K="binance-spot", policy=Policy(enforce=False))
        lax.open([Wanted("K")])
        assert beats_until(lax, START + 5 * MINUTE)[1] is None

    def test_a_socket_that_binds_no_key_is_closed(self):
        """On user-data paths, after the time that the configuration gives; a Pong does not save it."""
        beats, end = beats_until(session(SPOT), START + 5 * MINUTE, answered=True)
        assert end == (START + MINUTE, "no_key")
        assert all(at < START + MINUTE for at in beats)

    def test_market_names_are_no_keys(self):
        """A user-data socket with nothing but market streams is closed as one without a key."""
        socket = session(SPOT)
        socket.open([Wanted("btcusdt@trade")])
        assert socket.awaits_key
        assert beats_until(socket, START + 5 * MINUTE, answered=True)[1] == (START + MINUTE, "no_key")

    def test_public_paths_stay_open(self):
        """`/public` and `/market` never carry a key and are never closed for it."""
        socket = session(PUBLIC)
        assert not socket.awaits_key
        assert beats_until(socket, START + 30 * MINUTE, answered=True)[1] is None

    def test_a_socket_that_had_a_key_stays_without_one(self):
        """Unsubscribing or an expired key does not start the clock again."""
        socket = session(SPOT, K="binance-spot")
        socket.open([Wanted("K")])
        socket.unsubscribe(ID, ("K",))
        assert not socket.awaits_key
        assert beats_until(socket, START + 30 * MINUTE, answered=True)[1] is None

    def test_waking_early_does_nothing(self):
        """A late or doubled timer neither pings twice nor closes."""
        socket = session(SPOT, K="binance-spot")
        socket.open([Wanted("K")])
        assert socket.wake(START) == []
        at = socket.wake_at()
        assert kinds(socket.wake(at)) == [Beat]
        assert socket.wake(at) == []
        assert socket.wake_at() > at


class TestAge:
    def grown(self, *candidates, limits="venue", **keys):
        """A socket whose heartbeats are answered, until it ends by itself; when, and how."""
        socket = session(*candidates, policy=Policy(limits=limits), **keys)
        socket.open([Wanted(name) for name in keys])
        now = START
        while now < START + 25 * HOUR:
            now = socket.wake_at()
            actions = socket.wake(now)
            if kinds(actions) == [Close]:
                return now - START, actions[0].kind
            socket.alive()
        return None

    @pytest.mark.parametrize("path, space", [(SPOT, "binance-spot"), (USDM, "binance-usdm")])
    def test_as_the_venue_a_socket_lasts_a_day(self, path, space):
        """A bot that never reconnects by itself finds out here, and not on the venue's next day."""
        assert self.grown(path, K=space) == (24 * HOUR, "aged")

    @pytest.mark.parametrize("limits", ["account", "off"])
    def test_otherwise_it_lasts_for_ever(self, limits):
        """Nobody's stream is cut for the sake of a rule that only the venue needs."""
        assert self.grown(USDM, limits=limits, K="binance-usdm") is None

    def test_where_the_venue_sets_no_age_there_is_none(self):
        """BingX documents no limit of a day."""
        assert self.grown(BINGX_SWAP, K="bingx") is None


class TestMessageRate:
    def test_too_many_messages_in_a_second_end_the_socket(self):
        """As many as the venue allows pass, in any second; one more closes."""
        limit = USDM.dialect.frames.messages_per_second
        socket = session(USDM, K="binance-usdm")
        socket.open([Wanted("K")])
        for second in range(3):
            for _ in range(limit):
                assert socket.count_message(START + second * SECOND) == []
        assert socket.count_message(START + 2 * SECOND + 1) == [Close("too_many_requests")]

    def test_the_second_is_any_second_not_the_clocks(self):
        """As the venue was measured: what came at a second's end counts against the start of the next."""
        limit = USDM.dialect.frames.messages_per_second
        socket = session(USDM, K="binance-usdm")
        socket.open([Wanted("K")])
        late = START + SECOND - MILLISECOND
        assert all(socket.count_message(late) == [] for _ in range(limit))
        assert socket.count_message(late + SECOND - 1) == [Close("too_many_requests")]
        assert socket.count_message(late + 2 * SECOND) == []

    def test_without_limits_nobody_counts(self):
        """`--limits off` leaves a test's rush of requests alone."""
        socket = session(USDM, K="binance-usdm", policy=Policy(limits="off"))
        socket.open([Wanted("K")])
        assert all(socket.count_message(START) == [] for _ in range(1000))

    def test_without_a_key_the_laxest_limit_holds(self):
        """Spot takes 5 a second, USD-M 10: until a key says which it is, 10 pass."""
        lax = max(SPOT.dialect.frames.messages_per_second, USDM.dialect.frames.messages_per_second)
        socket = session(SPOT, USDM)
        assert all(socket.count_message(START) == [] for _ in range(lax))
        assert socket.count_message(START) == [Close("too_many_requests")]

    def test_a_product_without_a_limit_has_none(self):
        """Where the venue sets no bound, none is enforced."""
        if BINGX_SWAP.dialect.frames.messages_per_second:
            pytest.fail("choose another dialect for this test")
        socket = session(BINGX_SWAP)
        assert all(socket.count_message(START) == [] for _ in range(1000))
