import asyncio
import gzip
import json

from listenkey.config import Streams, StreamSettings
from listenkey.service import snapshots
from tests.edge.gate import BINGX, WAIT

ORDER = {"e": "ORDER_TRADE_UPDATE", "E": 9, "o": {"s": "BTC-USDT", "i": 1}}


def config(symbol, leverage, kind="ACCOUNT_CONFIG_UPDATE"):
    """An event about a symbol's leverage."""
    return {"e": kind, "E": 9, "ac": {"s": symbol, "l": leverage, "S": 9, "mt": "cross"}}


def account(balances, positions=()):
    """An event about balances by asset and positions by symbol and side."""
    return {
        "e": "ACCOUNT_UPDATE",
        "E": 9,
        "a": {
            "m": "ORDER",
            "B": [{"a": asset, "wb": amount, "cw": amount, "bc": "1.5"} for asset, amount in balances],
            "P": [{"s": symbol, "pa": size, "ps": side} for symbol, side, size in positions],
        },
    }


async def opened(gate, path="/swap-market", api_key=None):
    """A socket with a key that existed before what is published next."""
    key = await gate.listen_key(api_key or await gate.api_key(), BINGX)
    return lambda: gate.dial(f"{path}?listenKey={key}")


class TestPerpetuals:
    async def test_a_new_socket_is_told_the_newest_configuration_of_each_symbol_and_again(self, make_gate):
        """A bot that waits for the leverage of its symbols on connecting gets it, and every 5 seconds."""
        async with make_gate(streams=Streams(resume="live")) as gate:
            for path, stream in (("/swap-market", "bingx-swap"), ("/bingx-coinm/market", "bingx-coinm")):
                dial = await opened(gate, path)
                await gate.publish(
                    config("BTC-USDT", 5), config("ETH-USDT", 7), account([("USDT", "1")]), stream=stream
                )
                await gate.publish(config("BTC-USDT", 12), ORDER, stream=stream)
                socket = await dial()
                for seconds in (0, 5, 5):
                    gate.advance(seconds)
                    told = []
                    while len(told) < 2:
                        message = await heartbeat_or_json(socket)
                        told += [message] if message else []
                    assert [each["e"] for each in told] == ["SNAPSHOT", "SNAPSHOT"]
                    assert [(each["ac"]["s"], each["ac"]["l"]) for each in told] == [
                        ("BTC-USDT", 12),
                        ("ETH-USDT", 7),
                    ]

    async def test_all_tells_balances_and_positions_in_one(self, make_gate):
        """With `all`, as in 2024: the newest of each asset, and of each symbol and side."""
        settings = Streams(resume="live", snapshot="all")
        async with make_gate(streams=settings) as gate:
            dial = await opened(gate)
            await gate.publish(
                account([("USDT", "100.50"), ("USDC", "2")], [("BTC-USDT", "LONG", "1")]),
                account([("USDT", "90.00")], [("BTC-USDT", "SHORT", "2"), ("BTC-USDT", "LONG", "0.5")]),
                stream="bingx-swap",
            )
            told = (await (await dial()).json())["a"]
            assert [(each["a"], each["wb"], each["bc"]) for each in told["B"]] == [
                ("USDT", "90.00", "0"),
                ("USDC", "2", "0"),
            ]
            assert {(each["s"], each["ps"]): each["pa"] for each in told["P"]} == {
                ("BTC-USDT", "LONG"): "0.5",
                ("BTC-USDT", "SHORT"): "2",
            }

    async def test_off_for_one_stream_is_silence_there(self, make_gate):
        """Who does not want snapshots gets none, for one stream or all; the other streams go on."""
        own = {"bingx-swap": StreamSettings(snapshot="off")}
        async with make_gate(streams=Streams(resume="live"), stream=own) as gate:
            quiet, told = await opened(gate), await opened(gate, "/bingx-coinm/market")
            for stream in ("bingx-swap", "bingx-coinm"):
                await gate.publish(config("BTC-USDT", 5), stream=stream)
            await (await quiet()).silent()
            assert (await (await told()).json())["e"] == "SNAPSHOT"

    async def test_nothing_published_is_nothing_told(self, gate):
        """No configuration is made up for an account that nobody said anything of."""
        dial = await opened(gate)
        await gate.publish(ORDER, stream="bingx-swap")
        socket = await dial()
        assert await socket.json() == ORDER
        await socket.silent()

    async def test_what_is_replayed_comes_first_and_is_replayed_whole(self, gate):
        """A snapshot is no event: it takes no offset, confirms nothing, and comes after what was missed, so
        that nothing older follows it."""
        api_key = await gate.api_key()
        dial = await opened(gate, api_key=api_key)
        offsets = await gate.publish(config("BTC-USDT", 5), ORDER, stream="bingx-swap")
        assert [each["offset"] for each in offsets] == [1, 2]
        for _ in range(2):
            socket = await dial()
            messages = [await socket.json() for _ in range(2)]
            await socket.silent()
            gate.advance(0.1)
            messages.append(await socket.json())
            assert [each["e"] for each in messages] == ["ACCOUNT_CONFIG_UPDATE", ORDER["e"], "SNAPSHOT"]
            await socket.socket.close()
        assert (await gate.publish(ORDER, stream="bingx-swap"))[0]["offset"] == 3

    async def test_it_is_of_one_account_alone(self, make_gate):
        """Nobody is told of another account's leverage."""
        async with make_gate(streams=Streams(resume="live")) as gate:
            dial = await opened(gate)
            other = await opened(gate, api_key=await gate.api_key("bob"))
            await gate.publish(config("BTC-USDT", 5), stream="bingx-swap")
            await (await other()).silent()
            assert (await (await dial()).json())["ac"]["l"] == 5

    async def test_it_survives_a_new_epoch_and_a_restart(self, make_gate):
        """What was published before the gateway started again is told all the same."""
        async with make_gate(streams=Streams(resume="live")) as gate:
            api_key = await gate.api_key()
            await opened(gate, api_key=api_key)
            await gate.publish(config("BTC-USDT", 5), stream="bingx-swap")
        async with make_gate(streams=Streams(resume="live")) as gate:
            socket = await (await opened(gate, api_key=api_key))()
            assert (await socket.json())["ac"]["l"] == 5

    async def test_a_long_journal_is_read_in_parts(self, make_gate, monkeypatch):
        """A million events behind the newest configuration hold nobody's events up: what comes meanwhile is
        sent first, and the snapshot once all was read. Who asks after that waits no more."""
        monkeypatch.setattr(snapshots, "_EVENTS", 8)
        monkeypatch.setattr(snapshots, "_BATCH", 8)
        async with make_gate(streams=Streams(resume="live")) as gate:
            dial = await opened(gate)
            await gate.publish(config("BTC-USDT", 5), *[ORDER] * 60, stream="bingx-swap")
            socket = await dial()
            await gate.publish(ORDER, stream="bingx-swap")
            assert await socket.json() == ORDER
            turns = 0
            message = asyncio.ensure_future(socket.json())
            async with asyncio.timeout(WAIT):
                while not message.done():
                    gate.advance(0.1)
                    await asyncio.sleep(0.001)
                    turns += 1
            assert (await message)["ac"]["l"] == 5
            assert turns > 60 // 8
            assert (await (await dial()).json())["ac"]["l"] == 5

    async def test_what_nobody_asks_for_is_kept_no_longer_than_an_hour(self, make_gate):
        """Accounts that came once do not fill the memory, and are told all the same when they come again."""
        async with make_gate(streams=Streams(resume="live")) as gate:
            dial = await opened(gate)
            await gate.publish(config("BTC-USDT", 5), stream="bingx-swap")
            socket = await dial()
            assert (await socket.json())["ac"]["l"] == 5
            await socket.socket.close()
            gate.clock.advance(3601 * 1_000_000)
            api_key = await gate.api_key("bob")
            await (await (await opened(gate, api_key=api_key))()).silent()
            assert [stream.account_id for stream in gate.gateway.snapshots._readings] == [2]
            assert (await (await (await opened(gate))()).json())["ac"]["l"] == 5


class TestSpot:
    async def test_balances_are_told_whole_when_they_are_subscribed_to(self, make_gate):
        """`INIT` comes once after the answer, with the newest of each asset, and no `T`; not for orders."""
        async with make_gate(streams=Streams(resume="live")) as gate:
            dial = await opened(gate, "/market")
            await gate.publish(account([("ETH", "0.10"), ("LTC", "3")]), stream="bingx-spot")
            await gate.publish(account([("ETH", "0.20")]), stream="bingx-spot")
            socket = await dial()
            assert (await socket.ask(topic("spot.executionReport")))["code"] == 0
            await socket.silent()
            assert (await socket.ask(topic("ACCOUNT_UPDATE")))["code"] == 0
            told = await socket.json()
            assert (told["e"], told["a"]["m"], "T" in told) == ("ACCOUNT_UPDATE", "INIT", False)
            assert [(each["a"], each["wb"]) for each in told["a"]["B"]] == [("ETH", "0.20"), ("LTC", "3")]
            assert (await socket.ask(topic("ACCOUNT_UPDATE")))["code"] == 0
            await socket.silent()

    async def test_off_is_only_the_answer(self, make_gate):
        """Without snapshots nothing comes but the answer."""
        async with make_gate(streams=Streams(resume="live", snapshot="off")) as gate:
            dial = await opened(gate, "/market")
            await gate.publish(account([("ETH", "0.10")]), stream="bingx-spot")
            socket = await dial()
            await socket.ask(topic("ACCOUNT_UPDATE"))
            await socket.silent()


def topic(name):
    """A subscription."""
    return {"id": "one", "reqType": "sub", "dataType": name}


async def heartbeat_or_json(socket):
    """The next message; None for a heartbeat."""
    text = gzip.decompress(await socket.text()).decode()
    return None if text == "Ping" else json.loads(text)
