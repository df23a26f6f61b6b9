"""Programs that run in their own languages: whole, as they are shown, with all that their language minds.

Python has Chilkat's own package. For the others the binding cannot be had, and a stand-in hands each call
over to the same library: what is tried is the language, and with it every mistake that only a compiler sees.
"""

import json
from pathlib import Path

import pytest

from tests.chilkat.conftest import PRODUCTS, Bench
from tests.chilkat.running import COMPILED, INTERPRETED, Run, find
from tests.chilkat.test_programs import bare, event_type

NOT_AT_HAND = ("ruby", "php", "php-ax", *COMPILED)
BUILT = [pytest.mark.toolchain, pytest.mark.timeout(600)]
LANGUAGES = [
    pytest.param(each, marks=BUILT if each in NOT_AT_HAND else []) for each in (*INTERPRETED, *COMPILED)
]
STREAMS = [("binance-spot", "binance-spot"), ("bingx", "bingx-spot"), ("bingx", "bingx-swap")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_calls_run_in_their_own_language(bench: Bench, language: str, tmp_path: Path) -> None:
    """Create, extend and close, signed and not, as who copies the program sees them."""
    for product_name, signed in (("binance-spot", ""), ("bingx", "-signed")):
        product, key = PRODUCTS[product_name], ""
        for of in ("create", "extend", "close"):
            program = find(product_name, language, of, signed)
            text = bench.text(program, product).replace(product.sample_key, key or product.sample_key)
            folder = tmp_path / f"{product_name}-{of}"
            folder.mkdir()
            status, body = Run(folder, language, text, program.file).lines()
            assert status == "200"
            key = key or json.loads(body)["listenKey"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "stream_name"), STREAMS)
def test_lives_run_in_their_own_language(
    bench: Bench, language: str, name: str, stream_name: str, tmp_path: Path
) -> None:
    """From the key to the closed socket, with events and heartbeats on the way."""
    product = PRODUCTS[name]
    stream = next(each for each in product.streams if each.name == stream_name)
    program = find(name, language, f"life:{stream_name}")
    events = [{"e": event_type(product, stream), "n": number, "t": "é'\"$"} for number in range(3)]
    account = bench.account(name)
    publish = {
        "account": account,
        "stream": stream_name,
        "events": events,
        "after": stream.heartbeat.answers[0] if stream.heartbeat.answers else "",
        "admin": bench.gateway.admin,
        "token": bench.gateway.token,
    }
    run = Run(tmp_path, language, bench.text(program, product), program.file, publish)
    while language == "ckpython" and not run.ended(within=0.05):
        bench.gateway.publish(account, stream_name, events)
    lines = run.lines()
    assert lines[-2:] == ["200", "200"]
    shown = [bare(line) for line in lines[len(stream.subscriptions) : -2]]
    assert len(shown) == len(events)
    if language == "ckpython":  # its own package asks nobody when to publish
        assert all(each in events for each in shown)
    else:
        assert shown == events
