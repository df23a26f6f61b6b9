"""The commands against the real program: what a person does from the first account to a restore."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import httpx
import pytest

from tests.support.gateway import Gateway

STREAM = "binance-usdm"
EVENT = {"e": "ORDER_TRADE_UPDATE", "o": {"i": 1}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """One gateway for all tests here that do not stop it."""
    with Gateway(tmp_path_factory.mktemp("gateway") / "data") as running:
        yield running


@pytest.fixture
def run(command, gateway):
    """A command that finds the gateway as its user would: by address and data folder."""
    return lambda *arguments: command(*arguments, "--admin", gateway.admin, "--data", gateway.data)


@pytest.fixture
def account(run, request):
    """An account of the test's own."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:64]
    assert run("account", "add", name).status == 0
    return name


def items(result):
    """What a list command printed as JSON."""
    assert (result.status, result.err) == (0, "")
    return json.loads(result.out)


def create(gateway, key):
    """Create a listen key as a bot would."""
    return httpx.post(f"{gateway.venue}/fapi/v1/listenKey", headers={"X-MBX-APIKEY": key}, timeout=60)


def test_an_account_is_added_listed_and_removed(run):
    """And a second one of the same name, or one that is not there, is refused with a remedy."""
    assert run("account", "add", "alice").out == "added alice\n"
    assert [item["name"] for item in items(run("account", "list", "--json"))].count("alice") == 1
    again = run("account", "add", "alice")
    assert (again.status, again.err.count("\n")) == (1, 1)
    assert "; " in again.err
    assert run("account", "remove", "alice").status == 0
    assert "alice" not in run("account", "list").out
    assert run("account", "remove", "alice").status == 1
    assert run("account", "add", "No Such Name").status == 1
    assert run("account", "add", "demo").status == 1


def test_an_api_key_works_until_it_is_revoked(run, account, gateway):
    """What `apikey add` printed opens the venue listener; listings never show it whole."""
    made = json.loads(run("apikey", "add", account, "--json").out)
    assert set(made) == {"id", "key", "secret"}
    assert create(gateway, made["key"]).status_code == 200
    listed = run("apikey", "list", account)
    assert made["id"] in listed.out
    assert made["key"] not in listed.out
    assert made["secret"] not in listed.out
    (item,) = items(run("apikey", "list", account, "--json"))
    assert (item["account"], item["permissions"], item["ip_allow"]) == (account, ["read"], [])
    assert run("apikey", "revoke", made["id"]).status == 0
    assert create(gateway, made["key"]).json()["code"] == -2015
    assert run("apikey", "revoke", made["id"]).status == 1


def test_an_api_key_of_ones_own_is_taken_as_it_is(run, account, tmp_path):
    """A bot keeps the key and the secret that it has."""
    (tmp_path / "secret").write_text("my-secret\n")
    result = run(
        "apikey", "add", account, "--key", "my-own_KEY", "--secret-file", "secret", "--ip", "10.0.0.0/8"
    )
    assert result.status == 0
    assert [line.split()[1] for line in result.out.splitlines()][1:] == ["my-own_KEY", "my-secret"]
    assert run("apikey", "add", account, "--key", "my-own_KEY").status == 1
    assert run("apikey", "add", account, "--key", "no spaces").status == 1
    assert run("apikey", "add", account, "--ip", "10.0.0.0/99").status == 1
    assert run("apikey", "add", "nobody").status == 1


def test_a_public_key_stands_in_for_a_secret(run, account, tmp_path):
    """Then there is no secret to show."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    pem = (
        Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "key.pem").write_bytes(pem)
    result = run("apikey", "add", account, "--public-key", "key.pem")
    assert result.status == 0
    assert [line.split()[0] for line in result.out.splitlines()] == ["id", "key"]


def test_tokens_may_do_what_their_scope_says(run, command, gateway):
    """A token for publishing opens nothing else, and a revoked one nothing at all."""
    made = json.loads(run("token", "add", "--scope", "read", "--json").out)
    assert run("token", "list").out.count(made["id"]) == 1
    assert made["token"] not in run("token", "list").out
    with_token = ("--admin", gateway.admin, "--token", made["token"])
    assert command("account", "list", *with_token).status == 0
    refused = command("account", "add", "eve", *with_token)
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert run("token", "revoke", made["id"]).status == 0
    assert command("account", "list", *with_token).status == 1


def test_listen_keys_are_listed_and_closed_by_id(run, account, gateway):
    """The listing has what the contract names, never the key; closing ends it for its bot."""
    made = json.loads(run("apikey", "add", account, "--json").out)
    string = create(gateway, made["key"]).json()["listenKey"]
    listed = run("key", "list", "--account", account, "--json")
    (item,) = items(listed)
    assert string not in listed.out
    assert {"id", "account", "key_space", "api_key", "state", "created_at", "expires_at"} <= set(item)
    assert (item["account"], item["state"], item["api_key"]) == (account, "active", made["id"])
    assert run("key", "close", item["id"]).status == 0
    (item,) = items(run("key", "list", "--account", account, "--json"))
    assert item["state"] == "closed"
    assert run("key", "close", item["id"]).status == 1
    extended = httpx.put(
        f"{gateway.venue}/fapi/v1/listenKey", headers={"X-MBX-APIKEY": made["key"]}, timeout=60
    )
    assert extended.json()["code"] == -1125


def test_there_are_no_bans_at_first_and_none_to_lift(run):
    """An empty list is a list, and an unknown ban a refusal."""
    assert items(run("ban", "list", "--json")) == []
    assert run("ban", "lift", "nothing").status == 1


def test_events_are_published_read_and_exported(run, account, tmp_path):
    """What went in comes out: in order, byte for byte, under offsets from 1."""
    events = [json.dumps({"e": "X", "n": number}) for number in range(3)]
    (tmp_path / "events").write_text("\n".join(events))
    published = run("publish", account, STREAM, "events")
    assert (published.status, published.out, published.err) == (0, "published 3\n", "")

    lines = [json.loads(line) for line in run("journal", "read", account, STREAM).out.splitlines()]
    assert [line["offset"] for line in lines[:-1]] == [1, 2, 3]
    assert [json.dumps(line["event"]) for line in lines[:-1]] == events
    assert lines[-1]["position"] == 3

    since = f"{lines[0]['epoch']}:2"
    rest = [
        json.loads(line)
        for line in run("journal", "read", account, STREAM, "--since", since).out.splitlines()
    ]
    assert [line.get("offset") for line in rest] == [3, None]

    assert run("journal", "export", account, STREAM, "out").out == "exported 3 events\n"
    exported = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert exported[:-1] == lines[:-1]


def test_bad_lines_are_named_and_good_ones_kept(run, account, tmp_path):
    """Of a file with mistakes every good event is journaled, and the status is 1."""
    (tmp_path / "events").write_bytes(
        b'{"e":"A"}\nnonsense\n{"e":"listenKeyExpired"}\n[]\n{"e":"B","x":"'
        + b"x" * 1_048_576
        + b'"}\n{"e":"C"}\n'
    )
    result = run("publish", account, STREAM, "events")
    assert (result.status, result.out) == (1, "published 2\n")
    assert "4 of 6 lines not published: line 2: bad_line" in result.err
    assert "also lines 4, 3, 5;" in result.err
    lines = [json.loads(line) for line in run("journal", "read", account, STREAM).out.splitlines()]
    assert [line["event"]["e"] for line in lines if "event" in line] == ["A", "C"]


@pytest.mark.parametrize("who,stream", [("nobody", STREAM), ("alice2", "binance-future")])
def test_what_cannot_be_published_to_is_refused(run, tmp_path, who, stream):
    """An unknown account or stream journals nothing and says which it was."""
    run("account", "add", "alice2")
    (tmp_path / "events").write_text('{"e":"A"}\n')
    result = run("publish", who, stream, "events")
    assert (result.status, result.out) == (1, "published 0\n")
    assert "unknown_" in result.err
    assert run("journal", "read", who, stream).status == 1


@pytest.mark.parametrize("since", ["nonsense", "e:-1", "e:", ":1"])
def test_a_position_that_is_none_is_refused(run, account, since):
    """Nothing is read from a place that nobody meant."""
    result = run("journal", "read", account, STREAM, "--since", since)
    assert (result.status, result.out) == (1, "")


def test_following_a_journal_brings_what_is_published_next(run, account, gateway):
    """`--follow` prints each event once, and goes on until Ctrl-C ends it without a word."""
    gateway.publish(account, STREAM, [{"n": 1}])
    process = subprocess.Popen(
        [*(sys.executable, "-m", "listenkey", "journal", "read", account, STREAM, "--follow"),
         *("--admin", gateway.admin, "--data", str(gateway.data))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["event"] == {"n": 1}
        assert json.loads(process.stdout.readline())["position"] == 1
        gateway.publish(account, STREAM, [{"n": 2}])
        assert json.loads(process.stdout.readline())["event"] == {"n": 2}
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err.strip()) == (130, "")
    finally:
        process.kill()
        process.communicate()


def test_a_folder_in_use_is_left_alone(command, gateway):
    """What wants the gateway stopped says so and who holds the folder, and a second `serve` too."""
    for arguments in (("journal", "verify"), ("store", "restore", "x"), ("serve", "--listen", "127.0.0.1:0")):
        result = command(*arguments, "--data", gateway.data)
        assert (result.status, result.out) == (1, ""), arguments
        assert result.err.count("\n") == 1, result.err
    assert str(gateway.pid) in result.err


def test_a_backup_is_restored_with_its_secret_and_begins_new_epochs(command, tmp_path):
    """The way back after a lost disk: copy while it runs, verify, restore, serve; not without the secret."""
    with Gateway(tmp_path / "data") as gateway:
        gateway.add_account("alice")
        _, key, _ = gateway.add_api_key("alice")
        gateway.publish("alice", STREAM, [EVENT])
        made = command("store", "backup", "copy", "--admin", gateway.admin, "--data", gateway.data)
        assert made.status == 0
        assert "master secret" in made.err
        again = command("store", "backup", "copy", "--admin", gateway.admin, "--data", gateway.data)
        assert again.status == 1
        gateway.publish("alice", STREAM, [EVENT])
        before = gateway.publish("alice", STREAM, [EVENT])[0]
        gateway.stop()
    assert command("journal", "verify", "--data", tmp_path / "data").out == "nothing wrong\n"

    secret = next((tmp_path / "data").glob("master-secret*"))
    new = tmp_path / "new"
    refused = command("store", "restore", "copy", "--data", new)
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    new.mkdir(exist_ok=True)
    shutil.copy(secret, new / secret.name)
    restored = command("store", "restore", "copy", "--data", new)
    assert (restored.status, restored.err) == (0, "")
    with Gateway(new) as gateway:
        assert create(gateway, key).status_code == 200
        after = gateway.publish("alice", STREAM, [EVENT])[0]
        assert after["epoch"] != before["epoch"]

    over = command("store", "restore", "copy", "--data", tmp_path / "data")
    assert (over.status, over.err) == (0, "")
    assert (tmp_path / "data" / "listenkey.db.replaced-1").stat().st_size
    with Gateway(tmp_path / "data") as gateway:
        assert gateway.publish("alice", STREAM, [EVENT])[0]["epoch"] not in (before["epoch"], after["epoch"])


def test_a_damaged_store_is_found(command, tmp_path):
    """`journal verify` fails with status 1 and never with a traceback."""
    with Gateway(tmp_path / "data") as gateway:
        gateway.add_account("alice")
        gateway.publish("alice", STREAM, [EVENT] * 2000)
    file = tmp_path / "data" / "listenkey.db"
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        opened.write(os.urandom(8192))
    result = command("journal", "verify", "--data", tmp_path / "data")
    assert result.status == 1
    assert "Traceback" not in result.err
    assert result.err.count("\n") == 1
