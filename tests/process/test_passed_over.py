"""Events that a replay leaves out: the gateway says which, counts them, and says how to read them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from tests.process.serving import create_usdm, listenkey, order, receive, venue_socket
from tests.support.gateway import Gateway

STREAM = "binance-usdm"
BOUNDS = f"[stream.{STREAM}]\nreplay_events = 5\noverlap_events = 0\n"


def test_what_was_passed_over_can_be_read(tmp_path: Path) -> None:
    """The command in the log brings, as it stands there, what the bot was not told; so an operator can look
    up its fills."""
    file = tmp_path / "listenkey.toml"
    file.write_text(BOUNDS, encoding="ascii")
    with Gateway(tmp_path / "data", args=["--config", str(file)]) as gateway:
        _, api_key, _ = gateway.add_api_key(gateway.add_account("alice"))
        listen_key = create_usdm(gateway, api_key)
        gateway.publish("alice", STREAM, [order(number) for number in range(1, 9)])
        with venue_socket(gateway, f"/private/ws?listenKey={listen_key}") as bot:
            assert [receive(bot)["n"] for _ in range(5)] == [4, 5, 6, 7, 8]
        (line,) = [line for line in gateway.stderr.splitlines() if "events_passed_over" in line]
        said = json.loads(line)
        program, *arguments = shlex.split(said["read_them"])
        assert program == "listenkey"
        where = {"LISTENKEY_ADMIN": gateway.admin, "LISTENKEY_TOKEN": gateway.token}
        read = [json.loads(each) for each in listenkey(*arguments, env=where).stdout.splitlines()]
        first, last = said["first"], said["last"]
        passed = [each["event"]["n"] for each in read if first <= each.get("offset", 0) <= last]
        assert passed == [1, 2, 3]
        assert "listenkey_events_passed_over_total 3.0" in gateway.admin_call("GET", "/metrics").text
