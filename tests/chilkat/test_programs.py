"""Every program in every language, performed call by call on Chilkat's library against a real gateway."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from listenkey.reference.chilkat import programs
from listenkey.reference.describe import Call, Product, StreamPage, describe
from listenkey.reference.program import Program
from tests.chilkat.conftest import PRODUCTS, Bench, programs_of

STREAMS = [(name, stream.name) for name, product in PRODUCTS.items() for stream in product.streams]


def language_of(program: Program) -> str:
    """Its language, as the readers name it."""
    return program.language.removeprefix("chilkat-").removesuffix("-signed")


def is_signed(program: Program) -> bool:
    """Whether it signs."""
    return program.language.endswith("-signed")


def in_order(product: Product, *, signed: bool) -> list[Program]:
    """The programs of the calls: in each language create, extend, close."""
    found = [
        each for each in programs_of(product.name) if "life" not in each.of and is_signed(each) is signed
    ]
    order = ("create", "extend", "close")
    return sorted(found, key=lambda each: (language_of(each), order.index(each.of)))


def signings() -> Iterator[tuple[str, bool]]:
    """Products, unsigned and signed, as far as they have such programs."""
    for name, product in PRODUCTS.items():
        signature = product.call("create").signature
        if signature != "required":
            yield name, False
        if signature != "ignored":
            yield name, True


@pytest.mark.parametrize(("name", "signed"), list(signings()))
def test_a_call_works_in_every_language(bench: Bench, name: str, *, signed: bool) -> None:
    """Whoever copies a program gets the answer, in whichever language of Chilkat's it is."""
    product = PRODUCTS[name]
    todo = in_order(product, signed=signed)
    bench.exchanges()
    done = bench.perform(
        [(language_of(each), bench.text(each, product)) for each in todo], carried=product.sample_key
    )
    assert [each["error"] for each in done if each["error"]] == []
    exchanges = bench.exchanges()
    assert len(exchanges) == len(todo) == len(done)
    key = ""
    for program, result, (method, target, status) in zip(todo, done, exchanges, strict=True):
        call = product.call(program.of)  # type: ignore[arg-type]
        where = f"{program.language} {program.of}"
        assert (method, status) == (call.method, 200), where
        assert result["printed"][0] == "200", where
        if program.of == "create":
            key = json.loads(result["printed"][1])["listenKey"]
        assert re.fullmatch(body_pattern(call.answers[0].body, key), "\n".join(result["printed"][1:])), where
        assert re.fullmatch(expected_target(product, call, key, signed=signed), target), where


def body_pattern(body: str, key: str) -> str:
    """A pattern of an answer's body, with numbers where the venue has times."""
    return re.sub(r"\\\$\w+", r"\\d+", re.escape(body.replace("$listen_key", key)))


def expected_target(product: Product, call: Call, key: str, *, signed: bool) -> str:
    """A pattern of what the request line of a call says."""
    given = [
        f"{each.name}={key if each.sample == product.sample_key else each.sample}"
        for each in call.parameters
        if each.name not in ("timestamp", "recvWindow", "signature")
    ]
    query = [re.escape(each) for each in given]
    if signed:
        query += [r"timestamp=\d{10}000", "signature=[0-9a-f]{64}"]
    return re.escape(f"/{product.name}{call.path}") + (rf"\?{'&'.join(query)}" if query else "")


@pytest.mark.parametrize(("name", "stream_name"), STREAMS)
def test_a_whole_life_works_in_every_language(bench: Bench, name: str, stream_name: str) -> None:
    """Created, connected, heartbeats answered, events shown, extended and closed, and nothing left behind."""
    product = PRODUCTS[name]
    stream = next(each for each in product.streams if each.name == stream_name)
    todo = [each for each in programs_of(name) if each.of == f"life:{stream_name}"]
    after = stream.heartbeat.answers[0] if stream.heartbeat.answers else ""
    live(bench, product, stream, todo, after)


def test_a_life_is_signed_where_nothing_goes_unsigned(bench: Bench) -> None:
    """A venue that wants every call signed has programs whose signatures are right, three times each."""
    dialect = PRODUCTS["bingx"].dialect
    auth = msgspec.structs.replace(dialect.auth, signature="required")
    product = describe(msgspec.structs.replace(dialect, auth=auth))
    stream = next(each for each in product.streams if each.name == "bingx-swap")
    todo = [each for each in programs(product) if each.of == "life:bingx-swap"]
    calls = [each for each in live(bench, product, stream, todo, "Pong") if each[2] == 200]
    assert len(calls) == 3 * len(todo)
    assert all(re.search(r"timestamp=\d{13}&signature=[0-9a-f]{64}$", target) for _, target, _ in calls)


def test_a_key_may_be_named_on_the_socket(bench: Bench) -> None:
    """Where the address has no place for the key, a request on the socket names it."""
    product = PRODUCTS["binance-spot"]
    (stream,) = product.streams
    named = [each for each in stream.sockets if each.binds == "subscribe"]
    stream = msgspec.structs.replace(stream, sockets=tuple(named))
    product = msgspec.structs.replace(product, streams=(stream,))
    todo = [each for each in programs(product) if each.of == "life:binance-spot"]
    exchanges = live(bench, product, stream, todo, "GetFrameData", acknowledged='"result":null')
    assert {target for _, target, status in exchanges if status == 101} == {"/binance-spot/ws"}


def live(
    bench: Bench,
    product: Product,
    stream: StreamPage,
    todo: Sequence[Program],
    after: str,
    acknowledged: str = '"code":0',
) -> list[tuple[str, str, int]]:
    """Perform whole lives, hold each against what it should show and send, and return what they sent."""
    account = bench.account(product.name)
    events = [{"e": event_type(product, stream), "n": number, "t": "é'\"$"} for number in range(3)]
    bench.exchanges()
    done = bench.perform(
        [(language_of(each), bench.text(each, product)) for each in todo],
        {"account": account, "stream": stream.name, "events": events, "after": after},
    )
    assert [each["error"] for each in done if each["error"]] == []
    exchanges = bench.exchanges()
    lives = [exchanges[place : place + 4] for place in range(0, len(exchanges), 4)]
    answers = len(stream.subscriptions) + (stream.sockets[0].binds == "subscribe")
    for program, result, life in zip(todo, done, lives, strict=True):
        where = program.language
        assert [bare(line) for line in result["printed"][answers:-2]] == events, where
        assert result["printed"][-2:] == ["200", "200"], where
        assert all(acknowledged in line for line in result["printed"][:answers]), where
        assert sorted((method, status) for method, _, status in life) == sorted(
            [("POST", 200), ("GET", 101), ("PUT", 200), ("DELETE", 200)]
        ), where
    assert {each["state"] for each in bench.gateway.listen_keys(account)} == {"closed"}
    return exchanges


def event_type(product: Product, stream: StreamPage) -> str:
    """A type that the stream delivers: any, or that of a topic."""
    topics = next(
        each for each in product.dialect.streams if each.name == stream.name.partition(":")[0]
    ).topics
    return topics[0].event if topics else "chilkatTest"


def bare(line: str) -> dict[str, Any]:
    """An event without what it came in."""
    event: dict[str, Any] = json.loads(line)
    inner = event.get("data")
    return inner if isinstance(inner, dict) else event
