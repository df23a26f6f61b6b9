"""A bot whose gateway was put back from a backup: it knows nothing of it and misses nothing that is there."""

from __future__ import annotations

from pathlib import Path

from tests.process.serving import create_usdm, listenkey, order, receive, venue_socket, wait_for
from tests.support.gateway import Gateway

STREAM = "binance-usdm"


def test_a_bot_goes_on_in_the_new_history(tmp_path: Path) -> None:
    """Its key still opens the stream. It is told what the backup has, as far as it goes back anyway, and then
    everything of the new epoch, though offsets there are lower than those that it had."""
    with Gateway(tmp_path / "data") as gateway:
        _, api_key, _ = gateway.add_api_key(gateway.add_account("alice"))
        socket = f"/private/ws?listenKey={create_usdm(gateway, api_key)}"
        with venue_socket(gateway, socket) as bot:
            gateway.publish("alice", STREAM, [order(number) for number in (1, 2)])
            copy = tmp_path / "copy.db"
            gateway.admin_json("POST", "/v1/store/backup", {"path": str(copy)})
            gateway.publish("alice", STREAM, [order(number) for number in (3, 4, 5)])
            assert [receive(bot)["n"] for _ in range(5)] == [1, 2, 3, 4, 5]
            wait_for(lambda: confirmed(gateway) == 5)
        gateway.stop()
        for file in gateway.data.glob("*.db*"):
            file.unlink()
        restored = listenkey("store", "restore", str(copy), "--data", str(gateway.data))
        assert restored.returncode == 0, restored.stderr
        gateway.start()
        gateway.publish("alice", STREAM, [order(6)])
        with venue_socket(gateway, socket) as bot:
            assert [receive(bot)["n"] for _ in range(3)] == [1, 2, 6]
            gateway.publish("alice", STREAM, [order(7)])
            assert receive(bot)["n"] == 7
            wait_for(lambda: confirmed(gateway) == 2)


def confirmed(gateway: Gateway) -> int:
    """What the only socket surely has."""
    (connection,) = gateway.admin_items("/v1/connections")
    (subscription,) = connection["subscriptions"]
    value: int = subscription["confirmed"]
    return value
