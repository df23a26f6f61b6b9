"""The whole life of a user-data stream under programs that nobody here wrote.

Each client makes a listen key, opens its stream, is given what is published for its account, extends the
key, closes it, and hears nothing more. All it was told is what the how-to page tells its reader.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.cast import CAST, Client
from tests.clients.stage import Account, start, whole_life
from tests.support.gateway import Gateway
from tests.support.tap import Tap


def parts() -> Iterator[Any]:
    """Every client on every stream of its own; those beyond `make test` are marked."""
    for client in CAST:
        for stream in client.streams:
            marks = () if stream in client.short else (pytest.mark.every_client,)
            yield pytest.param(client, stream, id=f"{client.name}-{stream}", marks=marks)


@pytest.mark.parametrize(("client", "stream"), list(parts()))
def test_whole_life(client: Client, stream: str, gateway: Gateway, request: pytest.FixtureRequest) -> None:
    account = Account(gateway, request.node.callspec.id, ed25519=client.ed25519)
    with Tap(gateway.venue) as tap, start(client, stream, account, tap.url) as play:
        whole_life(client, stream, account, play)
    refused = [(method, target) for method, target, status in tap.exchanges if status >= 400]
    assert {target.partition("?")[0] for _, target in refused} <= set(client.survives), refused
    secrets = {account.key, account.secret} | tap.listen_keys
    assert len(secrets) > 2 or stream in client.keyless
    assert not [secret for secret in secrets if secret in gateway.stderr]
