"""I7 over a whole scenario: whatever happens, what is logged, counted and raised names no secret."""

import asyncio
import io
import logging

import pytest
import structlog

from listenkey.base.clock import DAY, HOUR, MINUTE, SECOND
from listenkey.base.errors import Refused, SecretError, StoreError
from tests.service.house import BINGX, ISOLATED, MASTER_SECRET, SPOT, USDM, House


@pytest.fixture
def written():
    """Everything that the logs write, rendered as the program renders it, tracebacks included."""
    text = io.StringIO()
    before = structlog.get_config()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(text),
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
    )
    handler = logging.StreamHandler(text)
    logging.getLogger().addHandler(handler)
    yield text
    logging.getLogger().removeHandler(handler)
    structlog.configure(**before)


class Witness:
    """Collects what must not be seen, and what was."""

    def __init__(self):
        self.secrets = [MASTER_SECRET.decode()]
        self.seen = []

    async def provoke(self, awaitable):
        """Do something that is refused, and keep what the refusal says."""
        try:
            await awaitable
        except (Refused, StoreError, SecretError) as error:
            self.seen.append(f"{error} {error.args!r}")


def failing(error):
    """A verb that fails: with a fault of the store's once it is tried, with one of ours at once."""

    def verb(*_):
        if not isinstance(error, StoreError):
            raise error
        future = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    return verb


async def everyday_life(house, witness):
    """Two accounts, all products, publishing, extending and closing, admin work."""
    await house.gateway.accounts.add("alice")
    await house.gateway.accounts.add("bob")
    keys = [
        await house.api_key("alice"),
        await house.api_key("alice", key="alice-s-own-api-key", secret="alice-s-own-secret"),
        await house.api_key("bob", ip_allow=("198.51.100.0/24",)),
    ]
    token = await house.gateway.tokens.add("admin")
    witness.secrets += [key.key for key in keys] + [key.secret for key in keys] + [token.key]
    strings = [await house.create(path, keys[0]) for path in (SPOT, USDM, BINGX)]
    strings.append(await house.create(ISOLATED, keys[1], "symbol=BTCUSDT"))
    witness.secrets += strings
    watchers = [house.watch(string) for string in strings]
    await house.publish("alice", "binance-usdm", {"e": "x"})
    await house.call("PUT", SPOT, keys[1], f"listenKey={strings[0]}")
    await house.call("DELETE", BINGX, keys[0], f"listenKey={strings[2]}")
    assert house.gateway.tokens.allows(token.key, "admin")
    return keys, strings, watchers


async def everything_refused(house, witness, keys, strings):
    """Wrong keys, signatures and addresses, limits until the ban, the breaker, an administrator's slips."""
    for api_key in (None, "some-unknown-key", "not well-formed", keys[2]):
        for path in (USDM, BINGX):
            await house.call("POST", path, api_key)
    witness.secrets += ["some-unknown-key", "not well-formed"]
    await house.call("PUT", SPOT, keys[0], f"listenKey={strings[1]}")
    await house.call("PUT", SPOT, keys[0], f"listenKey={strings[1]}%00<script>")
    await house.call("POST", BINGX, keys[0], f"timestamp=1&signature={keys[0].secret}")
    for _ in range(2450):
        await house.call("PUT", USDM, keys[1])
    for _ in range(25):
        await house.call("POST", BINGX, keys[2])
        house.clock.advance(SECOND)
    assert set(house.gateway.metrics.refused_by_limit) >= {"banned", "error_breaker"}
    await witness.provoke(house.api_key("alice", key=keys[0].key))
    await witness.provoke(house.api_key("alice", key=keys[0].key + "!"))
    await witness.provoke(house.api_key("alice", ip_allow=("nonsense",)))
    await witness.provoke(house.gateway.keys.close_by_id(strings[0]))
    await witness.provoke(house.gateway.tokens.revoke(witness.secrets[1]))
    await house.gateway.publisher.publish_lines(f'{{"account":"alice","key":"{keys[0].secret}"'.encode())


async def everything_broken(house, witness, keys, strings, monkeypatch):
    """The store fails at each verb, a feed fails, the clock leaps, the upkeep stumbles."""
    verbs = ("create_key", "extend_key", "close_key", "reserve", "put_ban", "find_key", "find_api_key")
    for verb in verbs:
        for error in (ValueError("a fault of ours"), StoreError("the disk is gone")):
            if verb.startswith("find") and isinstance(error, StoreError):
                continue
            with monkeypatch.context() as broken:
                broken.setattr(house.store, verb, failing(error))
                house.gateway.credentials.forget()
                house.clock.advance(MINUTE)
                for method in ("POST", "PUT", "DELETE"):
                    await house.call(method, SPOT, keys[0], f"listenKey={strings[0]}")
                try:
                    house.resolve(strings[0])
                except (StoreError, ValueError) as raised:
                    witness.seen.append(str(raised))
    with monkeypatch.context() as broken:
        broken.setattr(house.store, "read_events", failing(ValueError("a fault of ours")))
        house.read_from("alice", "binance-usdm", None, name=strings[1])
        await asyncio.wait(house.gateway.streams._feeds)
    house.clock.jump(DAY)
    house.gateway.clock.now()
    await asyncio.wait([house.gateway.clock._dealing])


async def test_no_secret_is_written_anywhere(tmp_path, written, monkeypatch):
    """I7: listen keys, API keys, secrets and tokens are in no log line, metric, refusal or traceback."""
    witness = Witness()
    house = await House(tmp_path / "house", limits="account").open()
    keys, strings, watchers = await everyday_life(house, witness)
    await everything_refused(house, witness, keys, strings)
    await everything_broken(house, witness, keys, strings, monkeypatch)
    witness.seen.append(house.gateway.metrics_page().render().decode())
    witness.seen += [repr(ban) for ban in house.gateway.limiter.bans(house.gateway.clock.now())]
    await house.crash(away=2 * HOUR)
    await house.gateway.accounts.revoke_api_key(keys[1].id)
    await house.gateway.accounts.remove("alice")
    house.clock.advance(MINUTE)
    await house.close()
    await witness.provoke(House(house.folder, master_secret=b"a wrong master secret").open())
    assert [watcher.reasons for watcher in watchers if watcher.reasons] != []
    lines = written.getvalue()
    for event in (
        "request_failed",
        "key_not_changed",
        "banned",
        "feed_failed",
        "clock_jumped",
        "limit_not_persisted",
    ):
        assert event in lines, f"the scenario was to provoke {event}"
    everything = "\n".join([lines, *witness.seen])
    assert [secret for secret in witness.secrets if secret in everything] == []
