"""`listenkey tail` as its user runs it: a real gateway, a real process."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.gateway import Gateway


@pytest.fixture(scope="module")
def alice(tmp_path_factory):
    """A gateway with five events, and an API key that may read them."""
    with Gateway(tmp_path_factory.mktemp("tail") / "data") as gateway:
        gateway.add_account("alice")
        _, key, _ = gateway.add_api_key("alice")
        first = gateway.publish("alice", "binance-spot", [{"e": "x", "n": n} for n in range(5)])[0]
        yield gateway, key, first["epoch"]


def tail(key, *arguments):
    """Run it; status, lines, and what it said."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LISTENKEY_")}
    done = subprocess.run(
        [sys.executable, "-m", "listenkey", "tail", *arguments],
        env=env | {"LISTENKEY_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_everything_after_a_position_and_then_the_end(alice):
    """A script that keeps its position misses nothing."""
    gateway, key, epoch = alice
    status, lines, said = tail(
        key, "binance-spot", "--gateway", gateway.venue, "--since", f"{epoch}:2", "--until-idle"
    )
    assert status == 0, said
    assert lines == [{"offset": n + 1, "epoch": epoch, "event": {"e": "x", "n": n}} for n in (2, 3, 4)]
    assert said.splitlines() == ["connecting", "open"]


def test_a_hole_is_a_line(alice):
    """What is missing stands where it would have been."""
    gateway, key, epoch = alice
    status, lines, _ = tail(
        key, "binance-spot", "--gateway", gateway.venue, "--since", f"{epoch}:9", "--until-idle"
    )
    assert (status, lines) == (0, [{"gap": {"reason": "ahead", "first": f"{epoch}:6"}}])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "there is no stream nowhere"),
        (["binance-spot", "--until-idle"], "give --gateway"),
        (["binance-spot", "--since", "x:1"], "cannot be resumed"),
        (["binance-spot", "--api-key-file", "/nonexistent"], "cannot read /nonexistent"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(alice, arguments, says):
    """Status 1, and what to do."""
    status, lines, said = tail(alice[1], *arguments)
    assert (status, lines) == (1, [])
    assert says in said
    assert len(said.splitlines()) == 1


def test_a_key_that_is_not_good_ends_it_and_is_not_told(alice):
    """No retries for ever, and no key on the screen."""
    status, _, said = tail("not-a-good-key-at-all", "binance-spot", "--gateway", alice[0].venue)
    assert status == 1
    assert "credential is not good" in said
    assert "not-a-good-key-at-all" not in said
