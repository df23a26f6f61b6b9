import pytest

from listenkey.app.dialects import configured_dialects
from listenkey.base.errors import ConfigError
from listenkey.config import DialectSettings, Settings
from tests.edge.gate import BINGX, SPOT, USDM

GONE = (
    b"<html>\r\n<head><title>410 Gone</title></head>\r\n<body>\r\n<center><h1>410 Gone</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
MARGIN, ISOLATED = "/sapi/v1/userDataStream", "/sapi/v1/userDataStream/isolated"
EVENT = {"e": "ORDER_TRADE_UPDATE", "E": 1}


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", [SPOT, MARGIN, ISOLATED, f"/binance-spot{SPOT}", f"/binance-margin{MARGIN}"])
async def test_removed_calls_answer_as_the_venue_does(make_gate, verb, path):
    """A bot can be seen to fail today as it does at the venue, with its page and not with JSON."""
    async with make_gate(era="2026-02-20") as gate:
        api_key = await gate.api_key()
        answer = await gate.venue_call(verb, path, api_key, params={"listenKey": "K", "symbol": "BTCUSDT"})
        assert (answer.status_code, answer.content) == (410, GONE)
        assert answer.headers["content-type"] == "text/html"


async def test_before_that_day_and_where_nothing_was_removed_all_is_as_ever(make_gate):
    """The day decides, call by call: what was there then works, and so does what is there still."""
    async with make_gate(era="2026-02-19") as gate:
        assert await gate.listen_key(await gate.api_key(), SPOT)
    async with make_gate(era="2026-11-21") as gate:
        assert await gate.listen_key(await gate.api_key("bob"), USDM)
        assert (await gate.venue_call("GET", "/api/v3/ping")).status_code == 200


async def test_one_dialect_may_keep_what_its_venue_removed(make_gate):
    """`[dialect.NAME] era` beats `era`: spot bots live on while margin ones are tried."""
    async with make_gate(era="2026-02-20", dialect={"binance-spot": DialectSettings(era="all")}) as gate:
        api_key = await gate.api_key()
        assert await gate.listen_key(api_key, SPOT)
        assert (await gate.venue_call("POST", MARGIN, api_key)).status_code == 410


@pytest.mark.parametrize("path", ["/ws/{}", "/stream?streams={}", "/binance-usdm/ws/{}", "/ws?listenKey={}"])
async def test_unrouted_paths_open_and_stay_silent(make_gate, path):
    """USD-M since 2026-04-23: the handshake succeeds and no event comes, which is what bots then wait for."""
    async with make_gate(era="2026-04-23") as gate:
        key = await gate.listen_key(await gate.api_key())
        old, new = await gate.dial(path.format(key)), await gate.dial(f"/private/ws/{key}")
        await gate.publish(EVENT)
        assert await new.json() == EVENT
        gate.advance(61)
        await old.silent()


async def test_bingx_had_the_key_in_the_path(make_gate):
    """A bot of 2023 opens its socket as it did then; with `era` from 2024 on it opens, beats, and is told
    nothing."""
    paths = (("/market/{}", "bingx-spot"), ("/bingx-swap/ws/{}", "bingx-swap"))
    for era in ("all", "2024-01-01"):
        async with make_gate(era=era) as gate:
            api_key = await gate.api_key(f"of.{era}")
            key = await gate.listen_key(api_key, BINGX)
            for path, stream in paths:
                socket = await gate.dial(path.format(key))
                await socket.socket.send('{"id":"1","reqType":"sub","dataType":"ACCOUNT_UPDATE"}')
                if era == "all":
                    assert (await socket.json())["code"] == 0
                await gate.publish({"e": "ACCOUNT_UPDATE", "E": 1}, account=f"of.{era}", stream=stream)
                if era == "all":
                    assert (await socket.json())["e"] == "ACCOUNT_UPDATE"
                await socket.silent()


async def test_removed_methods_are_unknown(make_gate):
    """`userDataStream.start` on spot's WebSocket API, of which USD-M's knows nothing."""
    request = {"id": 1, "method": "userDataStream.start", "params": {}}
    async with make_gate(era="2026-02-20") as gate:
        request["params"]["apiKey"] = await gate.api_key()
        spot, usdm = await gate.dial("/ws-api/v3"), await gate.dial("/ws-fapi/v1")
        assert (await spot.ask(request))["error"]["code"] == -1020
        assert (await usdm.ask(request))["result"]["listenKey"]


async def test_pro_keeps_its_own_base(make_gate):
    """The paths that USD-M lost are still those of Portfolio Margin Pro, under its own name."""
    async with make_gate(era="2026-04-23") as gate:
        key = await gate.listen_key(await gate.api_key())
        socket = await gate.dial(f"/binance-pm-pro/ws/{key}")
        await gate.publish(EVENT, stream="binance-pm-pro")
        assert await socket.json() == EVENT


def test_a_stream_has_no_era_of_its_own():
    """A setting that would do nothing is refused, and the place where it does something is named."""
    settings = Settings(dialect={"binance-pm-pro": DialectSettings(era="2026-02-20")})
    with pytest.raises(ConfigError, match=r"alone; set the rest in \[dialect.binance-usdm\]"):
        configured_dialects(settings)
