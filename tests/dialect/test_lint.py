from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest

from listenkey.dialect.lint import problems
from listenkey.dialect.model import (
    Bans,
    Breaker,
    Close,
    Control,
    ControlError,
    Dialect,
    Era,
    Event,
    Failure,
    Field,
    FieldKind,
    Host,
    Limit,
    Limits,
    Notice,
    PublicCall,
    Snapshot,
    SnapshotRows,
    SocketPath,
    Stream,
    Topic,
    UnknownPath,
)
from listenkey.dialect.registry import load_dialects

DIALECTS = load_dialects()
SPOT, ISOLATED, BINGX = (DIALECTS[name] for name in ("binance-spot", "binance-margin-isolated", "bingx"))
OPTIONS = DIALECTS["binance-options"]
Change = Callable[[Dialect], Dialect]
replace = msgspec.structs.replace


@pytest.mark.parametrize("name", DIALECTS)
def test_built_in_dialects_are_clean(name: str) -> None:
    """Every shipped dialect passes its own lint, also read back from what `dialect show` prints."""
    assert problems(DIALECTS[name]) == []
    again = msgspec.convert(msgspec.to_builtins(DIALECTS[name]), Dialect)
    assert again == DIALECTS[name]
    assert problems(again) == []


def part(field: str, **changes: object) -> Change:
    """A change inside one part of a dialect."""
    return lambda dialect: replace(dialect, **{field: replace(getattr(dialect, field), **changes)})


def rows(field: str, *more: object) -> Change:
    """More rows of a kind."""
    return lambda dialect: replace(dialect, **{field: (*getattr(dialect, field), *more)})


def row(field: str, place: int, **changes: object) -> Change:
    """A change of one row."""

    def change(dialect: Dialect) -> Dialect:
        table = list(getattr(dialect, field))
        table[place] = replace(table[place], **changes)
        return replace(dialect, **{field: tuple(table)})

    return change


def rows_by(**changes: Any) -> SnapshotRows:
    """Rows of a snapshot."""
    return SnapshotRows(**{"name": "a", "path": "a.B", "by": ("a",), **changes})


def snapshot(**changes: Any) -> Change:
    """One more snapshot of the first stream."""
    fields = {"level": "all", "events": ("ACCOUNT_UPDATE",), "rows": (rows_by(),), "body": '{"E":$now_ms}'}
    more = Snapshot(**{**fields, **changes})
    return lambda dialect: row("streams", 0, snapshots=(*dialect.streams[0].snapshots, more))(dialect)


def without(field: str, place: int) -> Change:
    """One row fewer."""

    def change(dialect: Dialect) -> Dialect:
        table = list(getattr(dialect, field))
        del table[place]
        return replace(dialect, **{field: tuple(table)})

    return change


def only(field: str, value: object) -> Change:
    """Another value altogether."""
    return lambda dialect: replace(dialect, **{field: value})


def beat(**changes: object) -> Change:
    """A change of the first heartbeat."""

    def change(dialect: Dialect) -> Dialect:
        name, heartbeat = next(iter(dialect.heartbeats.items()))
        return replace(dialect, heartbeats={**dialect.heartbeats, name: replace(heartbeat, **changes)})

    return change


def bucket(**changes: Any) -> Limit:
    fields = {"name": "b", "dimension": "ip", "per": "pool", "counts": "requests", "limit": 1, "window_ms": 1}
    return Limit(**{**fields, **changes})


def socket(path: str = "/new", **changes: Any) -> SocketPath:
    return SocketPath(**{"path": path, "stream": "", "control": "method", "heartbeat": "ping", **changes})


def bans(**changes: int) -> Bans:
    return Bans(**{"after_refused": 1, "first_s": 1, "longest_s": 2, "factor": 2, "forget_s": 1, **changes})


def topic(**changes: str) -> Change:
    row = Topic(**{"name": "t", "event": "e", **changes})
    return only("streams", (Stream(name="binance-spot", title="T", topics=(row,)),))


def host(**changes: str) -> Host:
    return Host(**{"rest": "https://a.example", "sockets": "wss://a.example", **changes})


def era(**changes: Any) -> Era:
    fields = {
        "name": "e",
        "since": "2026-01-01",
        "title": "T",
        "removes": (),
        "replaced_by": "",
        "documentation": "",
    }
    return Era(**{**fields, **changes})


def event(**changes: Any) -> Event:
    return replace(next(each for each in SPOT.events if each.type == "balanceUpdate"), **changes)


def table(*fields: tuple[str, str], sample: str = '{"e":"e"}') -> Change:
    """One more event, with these fields."""
    given = tuple(Field(path, cast("FieldKind", kind), "M") for path, kind in fields)
    return rows("events", event(type="e", natural_id=(), fields=given, sample=sample))


ENTRIES = [
    (SPOT, only("name", "Binance"), "the name 'Binance' is not lower-case words"),
    (SPOT, only("name", "lk"), "or is `lk`"),
    (SPOT, only("streams", (Stream(name="a b", title="T"),)), "the name 'a b' is not"),
    (SPOT, rows("streams", Stream(name="binance-spot", title="T")), "streams: binance-spot is there 2 times"),
    (SPOT, rows("streams", Stream(name="new", title="T")), "streams.new: no socket carries it"),
    (SPOT, topic(wrap="{$event"), "streams.binance-spot.topics.t.wrap: is not JSON"),
    (SPOT, topic(wrap="{}"), "streams.binance-spot.topics.t.wrap: $event stands there once"),
    (SPOT, topic(wrap='{"a":$event,"b":$other}'), "streams.binance-spot.topics.t.wrap: nothing fills $other"),
    (BINGX, row("streams", 0, topics=BINGX.streams[0].topics * 2), "topics: ACCOUNT_UPDATE is there 2 times"),
    (SPOT, part("key_space", alphabet="abca", length=128), "key_space.alphabet: a character is there twice"),
    (SPOT, part("key_space", alphabet="ab/", length=128), "only A-Z a-z 0-9 _ - travel safely"),
    (SPOT, part("key_space", length=21), "keys carry 125 bits, and 128 is the least"),
    (SPOT, part("key_space", alphabet="", length=64), "keys carry 0 bits"),
    (SPOT, part("key_space", alphabet="a", length=64), "keys carry 0 bits"),
    (SPOT, part("key_space", legal_pattern="("), "key_space.legal_pattern: is no pattern"),
    (SPOT, part("key_space", legal_pattern="[a-z]+"), "legal_pattern: does not match the dialect's own keys"),
    (SPOT, part("key_space", legal_pattern="[A-Za-z0-9]{1,63}"), "legal_pattern: does not match"),
    (SPOT, part("key_space", lifetime_s=0), "key_space.lifetime_s: is at least 1"),
    (SPOT, part("key_space", issue="refuse_over"), "key_space.max_live: stands with"),
    (SPOT, part("key_space", max_live=5), "key_space.max_live: stands with"),
    (SPOT, part("key_space", scope="symbol"), "key_space.symbol_pattern: stands with scope"),
    (SPOT, part("key_space", symbol_pattern="x"), "key_space.symbol_pattern: stands with scope"),
    (ISOLATED, part("key_space", symbol_pattern="("), "key_space.symbol_pattern: is no pattern"),
    (SPOT, part("auth", api_key_pattern="("), "auth.api_key_pattern: is no pattern"),
    (SPOT, part("auth", recv_window_ms=0), "auth.recv_window_ms: is above 0"),
    (SPOT, part("auth", recv_window_ms=60001), "auth.recv_window_ms: is above 0"),
    (SPOT, rows("operations", SPOT.operations[0]), "POST /api/v3/userDataStream is there 2 times"),
    (
        SPOT,
        rows("public_calls", PublicCall(method="PUT", path="/api/v3/userDataStream", body="{}")),
        "PUT /api/v3/userDataStream is there 2 times",
    ),
    (SPOT, row("operations", 0, path="api"), "POST api: a path begins with /"),
    (SPOT, row("operations", 0, path="/lk/v1/x"), "a path begins with / and not with /lk/"),
    (SPOT, row("operations", 0, method="post"), "a method is upper case"),
    (SPOT, row("operations", 0, pools=("weight", "other")), "there is no limit called other"),
    (SPOT, row("public_calls", 0, body="{"), "GET /api/v3/ping: is not JSON"),
    (SPOT, row("public_calls", 0, body='{"a":$listen_key}'), "nothing fills $listen_key"),
    (SPOT, without("operations", 1), "operations: none does extend"),
    (SPOT, row("operations", 0, success_body="{}"), "a create answers with $listen_key"),
    (
        SPOT,
        row("operations", 0, success_body='{"listenKey":$listen_key}'),
        "is not JSON once its places are filled",
    ),
    (SPOT, row("operations", 0, scope_parameter="symbol"), "scope_parameter stands with a scope"),
    (ISOLATED, row("operations", 0, scope_parameter=""), "scope_parameter stands with a scope"),
    (SPOT, rows("failures", SPOT.failures[0]), "failures: api_key_missing is there 2 times"),
    (SPOT, without("failures", 0), "failures: api_key_missing has no row"),
    (
        SPOT,
        rows("failures", Failure(kind="symbol_missing", status=400)),
        "symbol_missing: nothing in this dialect",
    ),
    (
        ISOLATED,
        lambda each: replace(
            each, failures=tuple(row for row in each.failures if row.kind != "symbol_unknown")
        ),
        "failures: symbol_unknown has no row",
    ),
    (SPOT, row("failures", 0, status=99), "failures.api_key_missing.status: is from 200 to 599"),
    (SPOT, row("failures", 0, code=None), "failures.api_key_missing: msg stands with a code"),
    (
        SPOT,
        row("failures", 0, body="x"),
        "failures.api_key_missing: msg stands with a code and without a body",
    ),
    (SPOT, row("failures", 0, msg="", body="<$path>"), "failures.api_key_missing.body: has no places"),
    (SPOT, row("failures", 0, msg="$parameter"), "failures.api_key_missing.msg: nothing fills $parameter"),
    (SPOT, only("error_envelope", "{$code}"), "error_envelope: is not JSON"),
    (
        SPOT,
        only("error_envelope", '{"code":$code,"msg":"$message"}'),
        "error_envelope: nothing fills $message",
    ),
    (
        SPOT,
        rows("unknown_paths", UnknownPath(prefix="/a"), UnknownPath(prefix="/a")),
        "unknown_paths: /a is there 2",
    ),
    (SPOT, only("limits", Limits(buckets=(bucket(), bucket()))), "limits.buckets: b is there 2 times"),
    (SPOT, only("limits", Limits(buckets=(bucket(limit=0),))), "limits.buckets.b: limit and window_ms"),
    (SPOT, only("limits", Limits(buckets=(bucket(window_ms=0),))), "limits.buckets.b: limit and window_ms"),
    (SPOT, only("limits", Limits(buckets=(bucket(penalty_ms=1),))), "failures: endpoint_disabled has no row"),
    (SPOT, only("limits", Limits(buckets=())), "failures.banned: nothing in this dialect"),
    (SPOT, part("frames", connection_pools=()), "limits.buckets.connections: no connection_pools name it"),
    (SPOT, part("frames", connection_pools=("weight",)), "there is no limit of connections called weight"),
    (SPOT, row("operations", 0, pools=("connections",)), "there is no limit called connections"),
    (SPOT, row("apis", 0, pools=("connections",)), "apis./ws-api/v3: there is no limit called connections"),
    (SPOT, row("apis", 0, longest_s=600), "shutdown_lead_s: stands with shutdown, and is less than"),
    (SPOT, row("apis", 0, shutdown=""), "shutdown_lead_s: stands with shutdown, and is less than"),
    (BINGX, part("frames", sockets_per_address=0), "failures.too_many_connections: nothing in this dialect"),
    (BINGX, part("frames", longest_s=60), "closes: aged has no row"),
    (SPOT, only("limits", Limits(buckets=(), bans=bans(first_s=0))), "limits.bans: 0 < first_s"),
    (SPOT, only("limits", Limits(buckets=(), bans=bans(first_s=3))), "limits.bans: 0 < first_s"),
    (SPOT, only("limits", Limits(buckets=(), bans=bans(factor=0))), "factor is at least 1"),
    (SPOT, only("limits", Limits(buckets=(), bans=bans(after_refused=-1))), "limits.bans"),
    (
        SPOT,
        only(
            "limits",
            Limits(buckets=(), breaker=Breaker(more_than=0, window_ms=1, penalty_ms=1, never_counts=())),
        ),
        "limits.breaker: more_than",
    ),
    (SPOT, rows("sockets", socket(), socket()), "sockets: /new  is there 2 times"),
    (BINGX, row("sockets", 2, root=True), "sockets: /market is there 2 times"),
    (SPOT, rows("sockets", socket(stream="other")), "sockets /new: there is no stream called other"),
    (SPOT, rows("sockets", socket(heartbeat="other")), "sockets /new: there is no heartbeat called other"),
    (BINGX, rows("sockets", socket(heartbeat="word")), "sockets /new: no row of controls holds for it"),
    (SPOT, rows("sockets", socket("new")), "sockets new: a path begins with /"),
    (SPOT, rows("sockets", socket("/lk/x")), "and not with /lk/"),
    (SPOT, rows("sockets", socket("/new/{names}")), "/{names} ends the path where names_in"),
    (SPOT, rows("sockets", socket(names_in="path")), "/{names} ends the path where names_in"),
    (SPOT, rows("sockets", socket("/{names}/x")), "/{names} ends the path where names_in"),
    (SPOT, rows("sockets", socket(names_in="query")), "names_parameters stand with names_in"),
    (SPOT, rows("sockets", socket(names_parameters=("a",))), "names_parameters stand with names_in"),
    (SPOT, rows("sockets", socket(events_parameter="a")), "events_parameter stands with names_in"),
    (SPOT, rows("controls", Control(ack="{}")), "controls: the row for all streams is there 2 times"),
    (
        SPOT,
        rows("controls", Control(stream="other", ack="{}")),
        "controls.other: there is no stream of this name",
    ),
    (SPOT, row("controls", 0, ack='{"id":"$id"'), "controls.ack: is not JSON"),
    (SPOT, row("controls", 0, ack='{"id":$path}'), "controls.ack: nothing fills $path"),
    (
        SPOT,
        row("controls", 0, errors=(ControlError(kind="not_json", body="{"),)),
        "controls.errors.not_json: is not JSON",
    ),
    (
        SPOT,
        row("controls", 0, errors=(ControlError(kind="not_json", body="{}"),) * 2),
        "errors: not_json is there 2",
    ),
    (
        BINGX,
        row("controls", 0, market_topic_pattern="("),
        "controls.bingx-spot.market_topic_pattern: is no pattern",
    ),
    (SPOT, beat(period_ms=0), "heartbeats.ping: period_ms and grace_ms"),
    (SPOT, beat(send="x"), "heartbeats.ping.send: a word and a JSON object are sent"),
    (BINGX, beat(send=""), "heartbeats.word.send: a word and a JSON object are sent"),
    (BINGX, beat(kind="json"), "heartbeats.word.send: is not JSON"),
    (SPOT, part("frames", receipts="empty"), "heartbeats.ping: its Pongs cannot be told from empty receipts"),
    (SPOT, part("frames", shutdown="{"), "frames.shutdown: is not JSON"),
    (SPOT, part("frames", shutdown=""), "frames.shutdown_name: stands with shutdown"),
    (
        SPOT,
        rows("notices", Notice(streams=("other",), on=("expired",), body="{}")),
        "there is no stream called other",
    ),
    (
        SPOT,
        rows("notices", Notice(streams=("binance-spot",), on=("expired",), body="{")),
        "notices: is not JSON",
    ),
    (SPOT, rows("closes", Close(kind="slow", code=1008, reason="")), "closes: slow is there 2 times"),
    (SPOT, without("closes", 0), "closes: pong_timeout has no row"),
    (SPOT, row("closes", 0, code=1005), "closes.pong_timeout.code: 1005 is no close code"),
    (SPOT, row("closes", 0, code=2000), "closes.pong_timeout.code: 2000 is no close code"),
    (SPOT, row("closes", 0, reason="x" * 124), "closes.pong_timeout.reason: is longer than 123 bytes"),
    (SPOT, rows("hosts", host()), "hosts: the row for all streams is there 2 times"),
    (SPOT, rows("hosts", host(stream="x")), "hosts: there is no stream called x"),
    (SPOT, row("hosts", 0, rest="api.example"), "hosts.rest: api.example is no https:// address"),
    (SPOT, row("hosts", 0, sockets="wss://a/b"), "hosts.sockets: wss://a/b is no wss:// address without"),
    (SPOT, rows("eras", era(name="without-api-v1")), "eras: without-api-v1 is there 2 times"),
    (SPOT, rows("eras", era(removes=("/ws",), status=0)), "eras.removes: /ws is there 2 times"),
    (SPOT, rows("eras", era(removes=("GET /x",))), "eras.e.removes: there is no GET /x"),
    (SPOT, rows("eras", era(streams=("x",))), "eras.e.streams: there is no stream called x"),
    (SPOT, rows("eras", era(since="20260220")), "eras.e.since: 20260220 is no day"),
    (SPOT, rows("eras", era(since="2026-02-30")), "eras.e.since: 2026-02-30 is no day"),
    (SPOT, rows("eras", era(status=410)), "eras.e.status: is from 400 to 599"),
    (OPTIONS, row("past_events", 0, until="other"), "past_events.ORDER_TRADE_UPDATE.until: there is no era"),
    (OPTIONS, row("past_events", 0, streams=("x",)), "past_events.ORDER_TRADE_UPDATE: there is no stream"),
    (OPTIONS, row("past_events", 0, sample="{"), "past_events.ORDER_TRADE_UPDATE.sample: is not JSON"),
    (OPTIONS, row("past_events", 0, type="ACCOUNT_UPDATE"), "ACCOUNT_UPDATE until rebuilt is there 2 times"),
    (OPTIONS, row("events", 0, until="rebuilt"), "until: stands with past_events"),
    (OPTIONS, without("unknown_paths", 1), "without one, /vapi/v1/userDataStream is to be among unknown"),
    (BINGX, snapshot(rows=(rows_by(name="b"), rows_by(name="b"))), "snapshots.rows: b is there 2 times"),
    (BINGX, snapshot(body='{"E":$other}'), "snapshots.body: nothing fills $other"),
    (BINGX, snapshot(body='{"E":$now_ms'), "snapshots.body: is not JSON"),
    (BINGX, snapshot(events=("executionReport",)), "events: executionReport is none of state_events"),
    (BINGX, snapshot(topic="other"), "snapshots.topic: there is no topic called other"),
    (BINGX, snapshot(rows=(rows_by(), rows_by(name="b")), separate=True), "stands with one kind of rows"),
    (BINGX, snapshot(rows=(rows_by(by=()),)), "rows are told apart by something"),
    (BINGX, snapshot(period_ms=-1), "period_ms is at least 0"),
    (SPOT, row("eras", 0, status=200), "eras.without-listen-keys.status: is from 400 to 599"),
    (SPOT, row("eras", 0, body="$now_ms"), "eras.without-listen-keys.body: has no places"),
    (SPOT, rows("events", event()), "events of binance-spot: balanceUpdate is there 2 times"),
    (SPOT, rows("events", event(streams=("x",))), "events.balanceUpdate: there is no stream called x"),
    (SPOT, without("events", 1), "events of binance-spot: outboundAccountPosition has no row"),
    (
        BINGX,
        without("events", 0),
        "events of bingx-spot: executionReport has no row, and the stream names it",
    ),
    (SPOT, row("events", 1, natural_id=("u",)), "events.outboundAccountPosition: is a state on binance-spot"),
    (SPOT, row("events", 0, natural_id=("N",)), "natural_id: N is no field that every such event has once"),
    (SPOT, row("events", 0, natural_id=("zz",)), "natural_id: zz is no field that every such event has once"),
    (SPOT, table(("e", "text"), ("e", "text")), "events.e.fields: e is there 2 times"),
    (SPOT, table(("e", "text"), ("e.x", "text")), "fields: e.x follows nothing that is an object or a list"),
    (SPOT, table(("a.x", "text"), ("a", "object")), "fields: a.x follows nothing that is an object or"),
    (SPOT, table(("a", "list"), ("a.x", "text")), "fields: a.x follows nothing that is an object or a list"),
    (SPOT, table(("a", "object"), ("a[].x", "text")), "fields: a[].x follows nothing that is an object or"),
    (SPOT, table(("e", "text"), sample="{"), "events.e.sample: is not JSON"),
    (SPOT, table(("e", "text"), sample="[]"), "events.e.sample: is no object whose `e` is e"),
    (SPOT, table(("e", "text"), sample='{"e":"f"}'), "events.e.sample: is no object whose `e` is e"),
    (SPOT, table(("e", "text"), sample='{"e":"e","x":1}'), "events.e.sample: x: is not in the table"),
    (SPOT, table(("e", "text"), ("x", "integer"), sample='{"e":"e"}'), "events.e.sample: x: is missing"),
]


@pytest.mark.parametrize("dialect, change, said", ENTRIES)
def test_broken(dialect: Dialect, change: Change, said: str) -> None:
    """Each thing that is wrong is found and told in its place."""
    found = problems(change(dialect))
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize(
    "dialect, change",
    [
        (SPOT, part("key_space", length=22)),
        (SPOT, row("closes", 0, code=1006)),
        (SPOT, row("closes", 0, code=4999)),
        (SPOT, rows("sockets", socket("/quiet", control="none"))),
    ],
)
def test_sound(dialect: Dialect, change: Change) -> None:
    """What is at the edge of the rules, and on the right side of it, is let through."""
    assert problems(change(dialect)) == []
