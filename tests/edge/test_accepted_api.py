"""A venue's own API key on the gateway's WebSocket API: listen keys, and nothing that a signature has to
prove."""

import hashlib
import hmac

import pytest

from listenkey.service.accepted import keep_accepted
from tests.edge.test_api_socket import SPOT, Signer, ask, code

KEY = "v" * 64


@pytest.mark.parametrize("secret", [b"", b"the venue's"])
@pytest.mark.parametrize("method", ["userDataStream.subscribe.signature", "session.logon"])
async def test_nobody_is_proven_by_a_secret_that_is_not_here(gate, method, secret):
    """Not with any signature, and not with that of an empty secret."""
    await keep_accepted(gate.gateway.store, gate.gateway.accounts, {KEY: "desk"})
    signer = Signer(gate, KEY, lambda text: hmac.new(secret, text, hashlib.sha256).hexdigest())
    socket = await gate.dial(SPOT)
    assert code(await ask(socket, method, **signer.params())) == -1022


async def test_listen_keys_are_made_over_the_websocket_api(gate):
    """As over REST: the key alone is enough, here as at the venue."""
    await keep_accepted(gate.gateway.store, gate.gateway.accounts, {KEY: "desk"})
    socket = await gate.dial(SPOT)
    made = (await ask(socket, "userDataStream.start", apiKey=KEY))["result"]["listenKey"]
    stream = await gate.dial(f"/ws/{made}")
    await gate.publish({"e": "balanceUpdate", "n": 1}, account="desk", stream="binance-spot")
    assert (await stream.json())["n"] == 1
