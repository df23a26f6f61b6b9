"""`listenkey tail` as its user runs it: a real gateway, a real process."""

import json
import os
import signal
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


def running(key, *arguments):
    """It, while it runs."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LISTENKEY_")}
    return subprocess.Popen(
        [sys.executable, "-m", "listenkey", "tail", *arguments],
        env=env | {"LISTENKEY_API_KEY": key},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interrupt_ends_it_in_good_order(alice):
    """No trace of the program's insides, and no error for a script to trip over."""
    gateway, key, epoch = alice
    with running(key, "binance-spot", "--gateway", gateway.venue, "--since", f"{epoch}:4") as process:
        assert json.loads(process.stdout.readline())["offset"] == 5
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in said


def test_a_reader_that_goes_away_ends_it_quietly(alice):
    """As `| head -1` does."""
    gateway, key, epoch = alice
    with running(key, "binance-spot", "--gateway", gateway.venue, "--since", f"{epoch}:0") as process:
        process.stdout.readline()
        process.stdout.close()
        for number in range(20):
            gateway.publish("alice", "binance-spot", [{"e": "y", "n": number}])
            if process.poll() is not None:
                break
        assert process.wait(20) in (0, 1)
        assert "Traceback" not in process.stderr.read()


def test_what_is_recorded_can_be_played_by_another_gateway(alice, tmp_path):
    """From one line on the command line to the same events in another journal, byte for byte."""
    gateway, key, epoch = alice
    record = tmp_path / "record"
    where = ("--gateway", gateway.venue, "--until-idle", "--record", str(record))
    status, printed, said = tail(key, "binance-spot", "--since", f"{epoch}:0", *where)
    assert status == 0, said
    assert key not in record.read_text()
    config = tmp_path / "listenkey.toml"
    config.write_text(f'[[replay]]\nfile = "{record}"\naccount = "desk"\nspeed = 0\n')
    with Gateway(tmp_path / "data", args=("--config", str(config))) as other:
        _, second, _ = other.add_api_key("desk")
        assert played(other, second, len(printed)) == [line["event"] for line in printed]
        other.restart()
        assert len(played(other, second, len(printed))) == len(printed), "once, not again at each start"


def played(gateway, key, wanted):
    """The events of a gateway's journal, once there are so many."""
    found = []
    for _ in range(20):
        _, lines, _ = tail(key, "binance-spot", "--gateway", gateway.venue, "--since", "x:0", "--until-idle")
        found = [line["event"] for line in lines if "event" in line]
        if len(found) >= wanted:
            break
    return found
