"""Every call and every failure of every dialect, over real sockets; each answer is one that the OpenAPI
document of its product tells of (`gate.py`).

What is here is the sweep; what the answers mean is tested elsewhere. `tests/support/seen.py` looks after a
whole run whether a row was left out.
"""

import asyncio
import json

import pytest
from msgspec.structs import replace

from listenkey.base.errors import StoreError
from listenkey.config import DialectSettings, Http
from listenkey.dialect.registry import load_dialects
from listenkey.dialect.template import fill_json, places
from listenkey.wire.control import control_of
from tests.edge.test_api_socket import ask, by_ed25519, by_secret, code
from tests.openapi.conftest import PRODUCTS

DIALECTS = load_dialects()
UNKNOWN = "x" * 40
EVERY = pytest.mark.parametrize("name", sorted(DIALECTS))


def having(kind):
    """The dialects with a row for a failure."""
    return [
        name for name, dialect in sorted(DIALECTS.items()) if kind in {row.kind for row in dialect.failures}
    ]


APIS = [(name, api) for name, dialect in DIALECTS.items() for api in dialect.apis]


class Bot:
    """Calls of one dialect, below its prefix."""

    def __init__(self, gate, name):
        self.gate, self.dialect = gate, DIALECTS[name]
        self.calls = {each.kind: each for each in reversed(self.dialect.operations) if not each.alias}

    async def ask(self, method, path, key="", **request):
        """Any call."""
        return await self.gate.venue_call(method, f"/{self.dialect.name}{path}", key, **request)

    async def call(self, operation, key="", more=None, **request):
        """An operation, with a symbol where it wants one."""
        params = {operation.scope_parameter: "BTCUSDT"} if operation.scope_parameter else {}
        return await self.ask(operation.method, operation.path, key, params=params | (more or {}), **request)

    async def refused(self, kind, operation, key="", more=None, **request):
        """An operation that is answered by a failure's row."""
        row, answer = self.dialect.failure(kind), await self.call(operation, key, more, **request)
        assert answer.status_code == row.status, (kind, answer.text)
        if row.code is not None:
            assert f'"code":{row.code}' in answer.text.replace('"code":"', '"code":').replace('",', ","), kind

    def rows(self):
        """The kinds of failures."""
        return {row.kind for row in self.dialect.failures}


@EVERY
async def test_every_call_is_answered(gate, name):
    """Whatever a client of a product calls before its stream and for it is there, older spellings too."""
    bot, key = Bot(gate, name), await gate.api_key()
    for row in bot.dialect.operations:
        made = await bot.call(bot.calls["create"], key)
        params = {row.key_parameter: made.json()["listenKey"]} if row.kind != "create" else {}
        body = {} if name == "bingx" else None
        answer = await bot.call(row, key, params, json=body)
        assert answer.status_code == row.success_status, (row.method, row.path, answer.text)
    for row in (*bot.dialect.public_calls, *bot.dialect.token_calls):
        answer = await bot.ask(row.method, row.path, key)
        assert answer.status_code == 200, (row.method, row.path, answer.text)


@EVERY
async def test_who_may_not_is_refused_in_the_products_words(gate, name):
    """No key, a wrong one, one from elsewhere, one without the permission."""
    bot = Bot(gate, name)
    create = bot.calls["create"]
    elsewhere = await gate.api_key("elsewhere", ip_allow=["10.1.2.3"])
    trader = await gate.api_key("trader", permissions=["trade"])
    await bot.refused("api_key_missing", create)
    await bot.refused("api_key_malformed", create, "no key?")
    await bot.refused("api_key_unknown", create, UNKNOWN)
    await bot.refused("ip_not_allowed", create, elsewhere)
    await bot.refused("permission_denied", create, trader)


@EVERY
async def test_parameters_that_do_not_fit_are_refused_in_the_products_words(gate, name):
    """The listen key, the symbol, and what a listen token is asked for."""
    bot, key = Bot(gate, name), await gate.api_key()
    rows, extend = bot.rows(), bot.calls["extend"]
    body = {} if name == "bingx" else None
    await bot.refused("listen_key_unknown", extend, key, {extend.key_parameter: UNKNOWN}, json=body)
    if extend.key_in == "parameter":
        await bot.refused("parameter_illegal", extend, key, {extend.key_parameter: "?"}, json=body)
        if "listen_key_missing" in rows:
            await bot.refused("listen_key_missing", extend, key, json=body)
            await bot.refused("parameter_empty", extend, key, {extend.key_parameter: ""}, json=body)
    for call in bot.dialect.token_calls:
        refused = [await bot.ask(call.method, call.path, key, params={call.validity_parameter: "x"})]
        for symbol in ("", "?") if call.isolated_stream else ():
            params = {call.isolated_parameter: "true", call.symbol_parameter: symbol}
            refused.append(await bot.ask(call.method, call.path, key, params=params))
        assert {answer.status_code for answer in refused} == {400}
    if name == "binance-margin-isolated":
        create = bot.calls["create"]
        await bot.refused("parameter_empty", create, key, {create.scope_parameter: ""})
        await bot.refused("symbol_unknown", create, key, {create.scope_parameter: "?"})
        missing = await bot.ask(create.method, create.path, key)
        assert missing.status_code == bot.dialect.failure("symbol_missing").status


@EVERY
async def test_signatures_are_refused_in_the_products_words(make_gate, name):
    """Where the operator demands a signature, in the venue's order of checks."""
    async with make_gate(dialect={name: DialectSettings(require_signature=True)}) as gate:
        bot, key = Bot(gate, name), await gate.api_key()
        create, now = bot.calls["create"], gate.gateway.clock.now() // 1000
        signed = {"timestamp": now, "signature": "00"}
        await bot.refused("timestamp_missing", create, key)
        await bot.refused("signature_missing", create, key, {"timestamp": now})
        await bot.refused("recv_window_wrong", create, key, signed | {"recvWindow": 60_001})
        await bot.refused("timestamp_malformed", create, key, signed | {"timestamp": "soon"})
        await bot.refused("timestamp_early", create, key, signed | {"timestamp": now + 60_000})
        await bot.refused("timestamp_late", create, key, signed | {"timestamp": now - 60_001})
        await bot.refused("signature_wrong", create, key, signed)


@EVERY
async def test_requests_that_are_none_are_refused_in_the_products_words(gate, name, monkeypatch):
    """Too long, nobody's path, no such method; and a fault of the gateway's own."""
    bot, key = Bot(gate, name), await gate.api_key()
    create = bot.calls["create"]
    await bot.refused("body_too_large", create, key, content=b"x" * 100_000)
    nobodys = await bot.ask("GET", "/nobody/knows", headers={"accept": "text/html"})
    assert nobodys.status_code == bot.dialect.failure("path_unknown").status
    method = await bot.ask("PATCH", create.path, key)
    assert method.status_code == bot.dialect.failure("method_unknown").status
    if "time_unit_wrong" in bot.rows():
        refused = await gate.refusal(f"/{name}/ws?{bot.dialect.frames.time_unit_parameter}=DAY")
        assert refused.status_code == bot.dialect.failure("time_unit_wrong").status

    async def fail(*_):
        raise StoreError("the disk is gone")

    monkeypatch.setattr(gate.gateway.calls, "_operate", fail)
    await bot.refused("internal", create, key)


async def test_a_body_that_never_comes_is_refused_in_the_products_words(make_gate):
    """All products at once, for each waits out its second."""
    async with make_gate(http=Http(body_seconds=1)) as gate:

        async def half(name):
            create = Bot(gate, name).calls["create"]
            head = f"POST /{name}{create.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n"
            status, _, _ = await (await gate.raw(head.encode() + b"list")).answer()
            assert status == DIALECTS[name].failure("request_malformed").status

        await asyncio.gather(*map(half, DIALECTS))


@pytest.mark.parametrize("name", having("endpoint_disabled"))
async def test_a_penalty_is_told_in_the_products_words(make_gate, name):
    """Once a bucket ran over, its calls are refused for longer than its window."""
    dialect = DIALECTS[name]
    sizes = {bucket.name: 1 if bucket.penalty_ms else 10**6 for bucket in dialect.limits.buckets}
    async with make_gate(limits="venue", dialect={name: DialectSettings(limits=sizes)}) as gate:
        bot, key = Bot(gate, name), await gate.api_key()
        await bot.call(bot.calls["create"], key)
        await bot.refused("rate_limited", bot.calls["create"], key)
        await bot.refused("endpoint_disabled", bot.calls["create"], key)


@EVERY
async def test_who_asks_too_often_is_refused_in_the_products_words(make_gate, name):
    """A bucket runs over, and whoever goes on is shut out."""
    dialect = DIALECTS[name]
    small = DialectSettings(limits={bucket.name: 1 for bucket in dialect.limits.buckets})
    async with make_gate(limits="venue", dialect={name: small}) as gate:
        bot, key = Bot(gate, name), await gate.api_key()
        wanted = {"rate_limited", "banned"} & bot.rows()
        statuses = {(await bot.call(bot.calls["create"], key)).status_code for _ in range(40)}
        assert {dialect.failure(kind).status for kind in wanted} <= statuses


@pytest.mark.parametrize("name", having("error_breaker"))
async def test_who_errs_too_often_is_refused_in_the_products_words(make_gate, name):
    """Where the venue counts errors, one too many shuts the call."""
    breaker = DIALECTS[name].limits.breaker
    many = {bucket.name: 10**6 for bucket in DIALECTS[name].limits.buckets}
    async with make_gate(limits="venue", dialect={name: DialectSettings(limits=many)}) as gate:
        bot, key = Bot(gate, name), await gate.api_key()
        create = bot.calls["create"]
        for _ in range(breaker.more_than):
            await bot.refused("timestamp_malformed", create, key, {"timestamp": "soon"})
        await bot.refused("error_breaker", create, key, {"timestamp": "soon"})


@pytest.mark.parametrize("name", having("too_many_connections"))
async def test_who_connects_too_often_is_refused_in_the_products_words(make_gate, name):
    """One socket more than the venue lets open."""
    dialect = DIALECTS[name]
    few = {bucket.name: 1 for bucket in dialect.limits.buckets if bucket.counts == "connections"}
    async with make_gate(limits="venue", dialect={name: DialectSettings(limits=few)}) as gate:
        bot, key = Bot(gate, name), await gate.api_key()
        made = (await bot.call(bot.calls["create"], key)).json()["listenKey"]
        stream = next(each for each in PRODUCTS[name].streams)
        socket = next(each for each in stream.sockets if "$listen_key" in each.path)
        path = f"{stream.prefix}{socket.path.replace('$listen_key', made)}"
        for _ in range(dialect.frames.sockets_per_address or 1):
            await gate.dial(path)
        refused = await gate.refusal(path)
        assert refused.status_code == dialect.failure("too_many_connections").status


METHODS = {
    "not_json": "{",
    "method_missing": '{"id":1}',
    "method_unknown": '{"id":1,"method":"NEVER"}',
    "id_wrong": '{"id":[],"method":"LIST_SUBSCRIPTIONS"}',
    "too_many_parameters": '{"id":1,"method":"GET_PROPERTY","params":["combined","combined"]}',
    "property_not_text": '{"id":1,"method":"GET_PROPERTY","params":[1]}',
    "property_unknown": '{"id":1,"method":"GET_PROPERTY","params":["other"]}',
    "value_not_boolean": '{"id":1,"method":"SET_PROPERTY","params":["combined","yes"]}',
    "request_wrong": '{"id":1,"method":"SUBSCRIBE","params":5}',
}
TOPICS = {
    "request_wrong": '{"id":"a","reqType":"never","dataType":"x"}',
    "topic_unknown": '{"id":"a","reqType":"sub","dataType":"?"}',
    "topic_limit": '{"id":"a","reqType":"sub","dataType":"BTC-USDT@trade%d"}',
}


@EVERY
async def test_every_request_that_cannot_be_honoured_is_answered(gate, name):
    """On the sockets of each stream, in the venue's own words; the socket stays open."""
    bot, key = Bot(gate, name), await gate.api_key()
    made = (await bot.call(bot.calls["create"], key)).json()["listenKey"]
    for stream in PRODUCTS[name].streams:
        path = next(each.path for each in stream.sockets if "$listen_key" in each.path)
        socket = await gate.dial(stream.prefix + path.replace("$listen_key", made))
        control = control_of(bot.dialect, stream.name)
        for row in control.errors:
            request = (TOPICS if name == "bingx" else METHODS)[row.kind]
            for number in range(control.topic_limit if row.kind == "topic_limit" else 0):
                await socket.ask(request % number)
            if bot.dialect.frames.messages_per_second:
                gate.advance(1)
            answer = await socket.ask(request % 999 if "%d" in request else request)
            assert list(answer) == list(json.loads(fill_json(row.body, dict.fromkeys(places(row.body), 1))))


@pytest.mark.parametrize(("name", "api"), APIS)
async def test_every_api_answers_and_refuses(gate, name, api):
    """The methods that need no listen key, and requests that are none; who may not log on."""
    socket = await gate.dial(f"/{name}{api.path}")
    wrong = await ask(socket, "session.logon", **(await by_secret(gate, "hmac")).params())
    assert code(wrong) == api.failure("logon_key_kind").code
    assert (await ask(socket, "session.logon", **(await by_ed25519(gate)).params()))["status"] == 200
    for method in ("ping", "time", "session.status", "session.logout"):
        assert (await ask(socket, method))["status"] == 200
    nothing = {
        "not_json": "{",
        "method_missing": {"id": 1},
        "method_unknown": {"id": 2, "method": "never"},
        "parameter_missing": {"id": 3, "method": "ping", "params": 5},
    }
    for kind, request in nothing.items():
        assert code(await socket.ask(request)) == api.failure(kind).code


async def test_subscriptions_are_bounded(make_gate):
    """So many at a time, and so many ids on one connection."""
    gate = make_gate()
    spot = gate.dialects["binance-spot"]
    (api,) = spot.apis
    method = "userDataStream.subscribe.signature"
    few = replace(api, max_subscriptions=1, max_subscription_ids=2)
    gate.dialects = {**gate.dialects, "binance-spot": replace(spot, apis=(few,))}
    async with gate:
        socket = await gate.dial(api.path)
        inactive = await ask(socket, "userDataStream.unsubscribe", subscriptionId=9)
        assert code(inactive) == api.failure("subscription_inactive").code
        alice, bob = await by_secret(gate, "alice"), await by_secret(gate, "bob")
        assert (await ask(socket, method, **alice.params()))["status"] == 200
        assert code(await ask(socket, method, **bob.params())) == api.failure("too_many_subscriptions").code
        for signer in (bob, alice):
            told = [await ask(socket, "userDataStream.unsubscribe"), await socket.json()]
            assert [each["status"] for each in told if "status" in each] == [200]
            answer = await ask(socket, method, **signer.params())
        assert code(answer) == api.failure("subscription_ids_spent").code
