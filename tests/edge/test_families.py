"""Every family of Binance as its clients meet it: a key's life over REST, and each form of its sockets."""

import json

import pytest

from listenkey.dialect.registry import load_dialects

DIALECTS = load_dialects()
NAMES = [name for name, each in DIALECTS.items() if each.venue.startswith("Binance")]
SOCKETS = [
    pytest.param(name, path, id=f"{name} {path.stream} {path.path}")
    for name in NAMES
    for path in DIALECTS[name].sockets
    if path.stream
]
SYMBOL = "BTCUSDT"


def call(dialect, kind, *, alias=False):
    """A call of a key's life."""
    rows = [row for row in dialect.operations if row.kind == kind]
    return rows[-1] if alias else rows[0]


def sample(dialect, stream):
    """A first event of a stream."""
    return next(json.loads(event.sample) for event in dialect.events if stream in event.streams)


async def ask(gate, dialect, row, api_key, key=""):
    """Make a call as the family's clients do: with no more parameters than it has."""
    wanted = {"symbol": SYMBOL} if row.scope_parameter else {}
    if row.key_in == "parameter" and row.kind != "create":
        wanted["listenKey"] = key
    answer = await gate.venue_call(row.method, f"/{dialect.name}{row.path}", api_key, params=wanted)
    assert answer.headers["content-type"] == "application/json"
    return answer


async def make(gate, dialect, api_key):
    """A new key."""
    answer = await ask(gate, dialect, call(dialect, "create"), api_key)
    assert answer.status_code == 200, answer.text
    return answer.json()["listenKey"]


@pytest.mark.parametrize("alias", [False, True])
@pytest.mark.parametrize("name", NAMES)
async def test_the_life_of_a_key(gate, name, alias):
    """Create gives a key, create again the same; extend works while it lives, nothing after close."""
    dialect = DIALECTS[name]
    api_key = await gate.api_key()
    key = await make(gate, dialect, api_key)
    assert len(key) == dialect.key_space.length
    assert await make(gate, dialect, api_key) == key
    extend, close = (call(dialect, kind, alias=alias) for kind in ("extend", "close"))
    answer = await ask(gate, dialect, extend, api_key, key)
    assert answer.json() == ({"listenKey": key} if "$listen_key" in extend.success_body else {})
    assert (await ask(gate, dialect, close, api_key, key)).json() == {}
    for row in (extend, close):
        answer = await ask(gate, dialect, row, api_key, key)
        assert (answer.status_code, answer.json()) == (
            400, {"code": -1125, "msg": "This listenKey does not exist."},
        )  # fmt: skip
    assert await make(gate, dialect, api_key) != key


@pytest.mark.parametrize("path", ["/private/ws", "/private/stream"])
async def test_events_of_one_type_by_name(gate, path):
    """`KEY@TYPE` in SUBSCRIBE is what one client of the private route sends: those events come, others do
    not, and the end of the key is told to who asked for it."""
    api_key = await gate.api_key()
    key = await make(gate, DIALECTS["binance-usdm"], api_key)
    socket = await gate.dial(path)
    names = [f"{key}@ORDER_TRADE_UPDATE", f"{key}@listenKeyExpired"]
    answer = await socket.ask({"method": "SUBSCRIBE", "params": names, "id": 1})
    assert answer == {"result": None, "id": 1}
    events = [{"e": kind, "E": 1} for kind in ("ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE")]
    await gate.publish(*events, stream="binance-usdm")
    combined = path.endswith("stream")
    assert await socket.json() == ({"stream": names[0], "data": events[1]} if combined else events[1])
    await socket.silent()
    await gate.venue_call("DELETE", "/fapi/v1/listenKey", api_key)
    told = await socket.json()
    assert told.get("data", told)["listenKey"] == key


@pytest.mark.parametrize("path", ["/private/ws/{}", "/private/stream?streams={}"])
async def test_options_account_updates_are_in_an_envelope(gate, path):
    """The one event of options that the venue's page has in an envelope has it on every socket, once."""
    dialect = DIALECTS["binance-options"]
    key = await make(gate, dialect, await gate.api_key())
    socket = await gate.dial(path.format(key))
    events = [{"e": "ACCOUNT_UPDATE", "E": 1, "eq": "2"}, {"e": "GREEK_UPDATE", "E": 2}]
    await gate.publish(*events, stream="binance-options")
    assert await socket.json() == {"stream": key, "data": events[0]}
    combined = "streams" in path
    assert await socket.json() == ({"stream": key, "data": events[1]} if combined else events[1])


async def test_options_first_calls_live_by_their_era(make_gate):
    """A bot of 2021 finds its calls with the answers of then; since 2023 they are unknown paths."""
    path = "/vapi/v1/userDataStream"
    async with make_gate() as gate:
        api_key = await gate.api_key()
        made = (await gate.venue_call("POST", path, api_key)).json()
        assert (made["code"], made["msg"]) == (0, "success")
        again = await gate.venue_call("PUT", path, api_key, params=made["data"])
        assert again.json() == {"code": 0, "msg": "success"}
        assert made["data"]["listenKey"] == await make(gate, DIALECTS["binance-options"], api_key)
        assert (await gate.venue_call("DELETE", "/eapi/v1/userDataStream", api_key)).json() == {}
    async with make_gate(era="2023-01-01") as gate:
        for gone in (path, "/eapi/v1/userDataStream"):
            answer = await gate.venue_call("POST", gone, api_key)
            assert (answer.status_code, answer.json()["code"]) == (404, -5000)
        assert await make(gate, DIALECTS["binance-options"], await gate.api_key())


async def test_options_tell_when_the_key_ends(gate):
    """The family whose create says so: 60 minutes from now, in milliseconds."""
    api_key = await gate.api_key()
    created = (await gate.venue_call("POST", "/eapi/v1/listenKey", api_key)).json()
    gate.advance(30)
    again = (await gate.venue_call("POST", "/eapi/v1/listenKey", api_key)).json()
    assert again["listenKey"] == created["listenKey"]
    assert again["expiration"] - created["expiration"] == 30_000


@pytest.mark.parametrize("name, path", SOCKETS)
async def test_each_socket_carries_the_familys_events(gate, name, path):
    """Whatever form of address a client builds, under the family's name and where it has a place at the root,
    the events come, wrapped where the venue wraps."""
    dialect = DIALECTS[name]
    key = await make(gate, dialect, await gate.api_key())
    own = f"/{path.stream}" if path.stream != name or not path.root else f"/{name}"
    places = [own] if not (dialect.root and path.root) else [own, ""]
    event = sample(dialect, path.stream)
    full = f"{path.stream}:{SYMBOL}" if dialect.key_space.scope == "symbol" else path.stream
    for place in places:
        address = place + path.path.replace("{names}", key)
        named = path.names_in != "nowhere"
        if path.names_in == "query":
            address += f"?{path.names_parameters[0]}={key}"
        socket = await gate.dial(address)
        if not named:
            await socket.ask({"method": "SUBSCRIBE", "params": [key], "id": 1})
        await gate.publish(event, stream=full)
        assert await socket.json() == ({"stream": key, "data": event} if path.combined else event)


@pytest.mark.parametrize("name", NAMES)
async def test_an_expired_key_is_told_in_the_familys_words(gate, name):
    """At the end of its hour the socket says so, with the family's oddities, and stays open."""
    dialect = DIALECTS[name]
    key = await make(gate, dialect, await gate.api_key())
    notice = next(row for row in dialect.notices if name in row.streams)
    socket = await gate.dial(f"/{name}/stream?streams={key}" if name != "binance-usdm" else f"/ws/{key}")
    gate.advance(3601)
    told = await socket.json()
    told = told.get("data", told)
    assert told["e"] == "listenKeyExpired"
    assert isinstance(told["E"], str) == (name == "binance-options")
    assert told.get("listenKey", key) == key
    assert ("listenKey" in told) == ("$listen_key" in notice.body)
    await socket.silent()


async def test_families_keep_to_themselves(gate):
    """One account has a key for each family, and no event of one reaches another's socket."""
    api_key = await gate.api_key()
    sockets = {}
    for name in NAMES:
        if DIALECTS[name].key_space.scope == "none":
            sockets[name] = await gate.dial(f"/{name}/ws/{await make(gate, DIALECTS[name], api_key)}")
    for name, socket in sockets.items():
        event = sample(DIALECTS[name], name)
        await gate.publish(event, stream=name)
        assert await socket.json() == event
    for socket in sockets.values():
        await socket.silent()


@pytest.mark.parametrize("path", ["/ws/{}?timeUnit=MICROSECOND", "/stream?streams={}&timeUnit=microsecond"])
async def test_times_in_microseconds(gate, path):
    """Spot's sockets turn all times where they are asked to, also once the wrapping is changed; other sockets
    have milliseconds."""
    dialect = DIALECTS["binance-spot"]
    key = await make(gate, dialect, await gate.api_key())
    socket, other = await gate.dial(path.format(key)), await gate.dial(f"/ws/{key}")
    event = {"e": "balanceUpdate", "E": 1732180100200, "a": "USDT", "d": "-250.0", "T": 1732180100180}
    turned = event | {"E": 1732180100200_000, "T": 1732180100180_000}
    await gate.publish(event, stream="binance-spot")
    told = await socket.json()
    assert told.get("data", told) == turned
    assert await other.json() == event
    combined = path.startswith("/ws")
    await socket.ask({"method": "SET_PROPERTY", "params": ["combined", combined], "id": 1})
    await gate.publish(event, stream="binance-spot")
    assert await socket.json() == ({"stream": key, "data": turned} if combined else turned)


async def test_a_unit_that_there_is_not_is_refused(gate):
    """A misspelt unit is the venue's -1194, on its streams, its WebSocket API and its calls; never silence or
    milliseconds. On a shared path only those products mind that know units."""
    api_key = await gate.api_key()
    key = await make(gate, DIALECTS["binance-spot"], api_key)
    expected = {
        "code": -1194,
        "msg": "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.",
    }
    for path in (f"/ws/{key}", "/ws", "/ws-api/v3"):
        refused = await gate.refusal(f"{path}?timeUnit=NANOSECOND")
        assert (refused.status_code, json.loads(refused.body)) == (400, expected)
    for verb, path in (("GET", "/api/v3/time"), ("POST", "/api/v3/userDataStream")):
        answer = await gate.venue_call(verb, path, api_key, headers={"x-mbx-time-unit": "NANOSECOND"})
        assert (answer.status_code, answer.json()) == (400, expected)
    other = await make(gate, DIALECTS["binance-usdm"], api_key)
    await (await gate.dial(f"/ws/{other}?timeUnit=NANOSECOND")).silent()
    times = [
        (await gate.venue_call("GET", "/api/v3/time", headers={"x-mbx-time-unit": unit})).json()["serverTime"]
        for unit in ("microsecond", "MILLISECOND")
    ]
    assert times[0] // 1000 == times[1]


async def test_milliseconds_where_the_venue_has_no_other_unit(gate):
    """On a shared path the unit is for those products that know it."""
    dialect = DIALECTS["binance-usdm"]
    key = await make(gate, dialect, await gate.api_key())
    socket = await gate.dial(f"/ws/{key}?timeUnit=MICROSECOND")
    event = sample(dialect, "binance-usdm")
    await gate.publish(event, stream="binance-usdm")
    assert await socket.json() == event


async def test_coinm_keys_over_its_websocket_api(gate):
    """`/ws-dapi/v1` makes, extends and closes the same key as the calls."""
    api_key = await gate.api_key()
    socket = await gate.dial("/ws-dapi/v1")

    async def ask(verb):
        answer = await socket.ask(
            {"id": 7, "method": f"userDataStream.{verb}", "params": {"apiKey": api_key}}
        )
        assert (answer["id"], answer["status"]) == (7, 200)
        return answer["result"]

    key = await make(gate, DIALECTS["binance-coinm"], api_key)
    assert await ask("start") == await ask("ping") == {"listenKey": key}
    assert await ask("stop") == {}
    assert (await ask("start"))["listenKey"] != key
