"""Streams over the WebSocket API, as Binance has them since it removed the listen keys."""

import asyncio
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import listenkey
from listenkey.base.errors import Refused
from listenkey.client.items import Gap
from tests.client.test_stream import WAIT, fill, take, until

ISOLATED = "binance-margin-isolated:BTCUSDT"


async def key_and_secret(gate, kind="hmac"):
    """An API key of an account, and what it is signed with."""
    if kind == "hmac":
        return await gate.api_key(secret="s" * 24), "s" * 24
    private = (
        ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)
    )
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return await gate.api_key(public_key=public), pem


def opened(gate, name, key, secret):
    """A stream by subscription."""
    return listenkey.open_stream(name, api_key=key, api_secret=secret, base_url=gate.venue, by="subscription")


@pytest.fixture
async def today(make_gate):
    """A gateway that plays the venue of today, on the time of today."""
    gate = make_gate(era="2026-03-01")
    gate.clock.set_wall(time.time_ns() // 1000)
    async with gate:
        yield gate


@pytest.mark.parametrize("kind", ["hmac", "ed25519", "rsa"])
async def test_spot_is_subscribed_to_by_signature(today, kind):
    """Each kind of key; the events are the venue's own bytes, out of their wrapping."""
    key, secret = await key_and_secret(today, kind)
    async with opened(today, "binance-spot", key, secret) as stream:
        await until(stream, "open")
        await today.publish(fill(1), stream="binance-spot")
        event = await take(stream)
        assert event.data == fill(1)


@pytest.mark.parametrize("name", ["binance-margin", ISOLATED])
async def test_margin_is_subscribed_to_by_listen_token(today, name):
    """The token is asked for by REST, and opens the stream."""
    key, secret = await key_and_secret(today)
    async with opened(today, name, key, secret) as stream:
        await until(stream, "open")
        await today.publish(fill(1), stream=name)
        assert (await take(stream)).data == fill(1)


async def test_it_comes_back_after_a_cut_and_says_so(today):
    """What came in between is not known to be whole."""
    key, secret = await key_and_secret(today)
    async with opened(today, "binance-spot", key, secret) as stream:
        await until(stream, "open")
        (connection,) = (await today.call("GET", "/v1/connections")).json()["items"]
        await today.call("DELETE", f"/v1/connections/{connection['id']}")
        gap = await take(stream, Gap)
        assert (gap.reason, bool(gap.why)) == ("disconnected", True)
        await today.publish(fill(2), stream="binance-spot")
        assert (await take(stream)).data == fill(2)


async def test_a_wrong_secret_is_said_at_once(today):
    """With the venue's words."""
    key, _ = await key_and_secret(today)
    with pytest.raises(Refused, match="Signature for this request is not valid"):
        async with opened(today, "binance-spot", key, "wrong") as stream:
            await asyncio.wait_for(until(stream, "open"), WAIT)


def test_streams_without_a_websocket_api_are_refused():
    """Before anything is sent."""
    with pytest.raises(Refused, match="not delivered over"):
        listenkey.open_stream("bingx-swap", api_key="k", base_url="http://127.0.0.1:1", by="subscription")
