import asyncio

import pytest

from listenkey.base.clock import DAY, HOUR, MINUTE, SECOND
from listenkey.base.errors import SecretError, StoreError, StoreLocked
from listenkey.core.records import StreamId
from listenkey.service.clock import ServiceClock, SystemClock
from listenkey.service.gateway import Gateway, _repeat
from listenkey.service.metrics import COUNTERS
from listenkey.service.names import scoped_name
from listenkey.testing import VirtualClock
from tests.service.house import BINGX, DIALECTS, ISOLATED, SPOT, USDM, House

# Start and stop ----------------------------------------------------------------------------------------


async def test_a_store_opens_with_its_own_master_secret_only(house):
    """A wrong secret is refused at the start, before any key gets another string; the store is unharmed."""
    api_key = await house.account()
    string = await house.create(USDM, api_key)
    await house.close()
    with pytest.raises(SecretError):
        await House(house.folder, clock=house.clock, master_secret=b"not the right one").open()
    await house.open()
    assert house.resolve(string)


async def test_one_process_a_folder(house):
    """A second gateway on the same folder does not start."""
    with pytest.raises(StoreLocked):
        await House(house.folder).open()


async def test_the_upkeep_expires_trims_and_sweeps_by_itself(tmp_path, monkeypatch):
    """Left alone, a gateway ends keys on time, forgets old events and old windows."""
    monkeypatch.setattr("listenkey.service.gateway._SWEEP_EVERY", 1)
    monkeypatch.setattr("listenkey.service.gateway._TRIM_EVERY", 1)
    monkeypatch.setattr("listenkey.service.keys._LONGEST_NAP", 1)
    house = House(tmp_path / "house", limits="account", retention=DAY)
    real = Gateway.start
    kept = []

    async def start(gateway):
        await real(gateway)
        kept.extend(gateway._tasks)
        gateway._tasks = []

    monkeypatch.setattr(Gateway, "start", start)
    await house.open()
    try:
        watcher = house.watch(await house.create(USDM, await house.account()))
        await house.publish("alice", "binance-usdm", {"e": "x"})
        house.clock.advance(DAY + 1)
        await asyncio.wait_for(watcher.over.wait(), 10)
        view = house.store.read_journal(StreamId(1, "binance-usdm"))
        async with asyncio.timeout(10):
            while view.oldest == 1 or len(house.gateway.limiter._quota):
                await asyncio.sleep(0.001)
                view = house.store.read_journal(StreamId(1, "binance-usdm"))
        assert (view.oldest, view.head) == (2, 1)
    finally:
        house.gateway._tasks = kept
        await house.close()
    assert all(task.done() for task in kept)


@pytest.mark.parametrize("error", [StoreError("not now"), ValueError("a fault of ours")])
async def test_upkeep_that_fails_once_goes_on(error):
    """A full disk, a busy store or a fault of ours costs one turn and not all that would have come."""
    turns = []
    again = asyncio.Event()

    async def work():
        turns.append(1)
        if len(turns) == 1:
            raise error
        again.set()

    task = asyncio.create_task(_repeat(1, work))
    await asyncio.wait_for(again.wait(), 10)
    task.cancel()


# The service clock -------------------------------------------------------------------------------------


def test_the_machine_s_clocks_are_microseconds():
    """One since 1970, one that only ever goes on."""
    clock = SystemClock()
    assert 50 * 365 * DAY < clock.wall() < 200 * 365 * DAY
    assert clock.monotonic() <= clock.monotonic()


def test_a_leap_that_nobody_has_to_deal_with_is_followed():
    """Before anything hangs on the time."""
    machine = VirtualClock()
    clock = ServiceClock(machine, 0)
    machine.jump(HOUR)
    clock.now()
    assert clock.now() == machine.wall()


async def test_a_leap_is_dealt_with_once(house):
    """However often the time is read meanwhile."""
    house.clock.jump(DAY)
    for _ in range(50):
        house.gateway.clock.now()
        await asyncio.sleep(0)
    while house.gateway.clock._dealing is not None:
        await asyncio.wait([house.gateway.clock._dealing])
    assert house.gateway.metrics.clock_jumps == 1


# Names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, there",
    [
        ("binance-usdm", True),
        ("binance-pm-pro", True),
        ("bingx-coinm", True),
        ("bingx", False),
        ("binance-margin-isolated:BTCUSDT", True),
        ("binance-margin-isolated", False),
        ("binance-margin-isolated:", False),
        ("binance-margin-isolated:btcusdt", False),
        ("binance-margin-isolated:BTC/USDT", False),
        ("binance-usdm:BTCUSDT", False),
        ("", False),
        (":", False),
    ],
)
async def test_which_streams_there_are(house, name, there):
    """A journal is of a stream that some dialect has, isolated margin's of a symbol."""
    assert house.gateway.names.is_stream(name) is there


async def test_a_key_opens_the_streams_of_its_space(house):
    """One each for spot and isolated margin, two for USD-M, three for BingX."""
    api_key = await house.account()
    names = house.gateway.names
    for path, query, streams in (
        (SPOT, "", ("binance-spot",)),
        (USDM, "", ("binance-usdm", "binance-pm-pro")),
        (ISOLATED, "symbol=BTCUSDT", ("binance-margin-isolated:BTCUSDT",)),
        (BINGX, "", ("bingx-spot", "bingx-swap", "bingx-coinm")),
    ):
        live = house.resolve(await house.create(path, api_key, query))
        assert names.of_key(live.key) == streams
        assert all(names.is_stream(name) for name in streams)
    assert scoped_name("binance-spot", "") == "binance-spot"


async def test_all_streams_are_streams(house):
    """What the demonstration publishes to is there, isolated margin's with its symbol."""
    every = house.gateway.names.all_with("BTCUSDT")
    assert all(house.gateway.names.is_stream(name) for name in every)
    assert "binance-margin-isolated:BTCUSDT" in every
    assert len(every) == sum(len(dialect.streams) for dialect in DIALECTS.values())


# Metrics -----------------------------------------------------------------------------------------------


async def test_the_page_shows_what_was_counted(make_house):
    """Every counter, requests, ended keys, refusals and the gauges, in Prometheus' text."""
    house = await make_house(limits="account")
    api_key = await house.account()
    watcher = house.watch(await house.create(USDM, api_key))
    await house.publish("alice", "binance-usdm", {"e": "x"}, {"e": "y"})
    for _ in range(3):
        await house.call("POST", BINGX, api_key)
    await house.call("DELETE", USDM, api_key)
    watcher.queued_bytes = lambda: 17
    text = house.gateway.metrics_page().render().decode()
    for name in COUNTERS:
        assert f"# TYPE listenkey_{name}_total counter" in text
    for line in (
        "listenkey_events_published_total 2.0",
        "listenkey_events_sent_total 2.0",
        'listenkey_requests_total{dialect="binance-usdm",operation="create",status="200"} 1.0',
        'listenkey_keys_ended_total{cause="closed"} 1.0',
        'listenkey_calls_refused_total{failure="rate_limited"} 1.0',
        "listenkey_sockets 1.0",
        "listenkey_queued_bytes 17.0",
        "listenkey_keys_active 2.0",
        "listenkey_keys_closed 1.0",
        "listenkey_keys_expired 0.0",
    ):
        assert f"\n{line}\n" in text
    assert "alice" not in text
    assert api_key.id not in text


async def test_a_gauge_of_keys_agrees_over_a_crash(house):
    """Counts by state are what the store holds."""
    api_key = await house.account()
    for _ in range(3):
        await house.create(BINGX, api_key)
    string = await house.create(BINGX, api_key)
    await house.call("DELETE", BINGX, api_key, f"listenKey={string}")
    await house.crash(away=HOUR - SECOND)
    assert house.store.count_keys() == {"active": 3, "closed": 1, "expired": 0}
    house.clock.advance(MINUTE)
    await house.gateway.keys.expire_due()
    assert house.store.count_keys() == {"active": 0, "closed": 1, "expired": 3}
