import json
import re

import pytest

ITEM = {"name": "alice", "created_at": 1_732_180_000_000}


@pytest.fixture
def call(command, stand_in):
    """Run a command against the stand-in, with a token."""
    return lambda *arguments: command(*arguments, "--admin", stand_in.url, "--token", "t0ken")


def test_a_table_is_aligned_and_its_json_is_whole(call, stand_in):
    """People get columns and a readable time, programs every field as it came."""
    items = [ITEM, {"name": "a-much-longer-name", "created_at": None, "more": 1}]
    stand_in.answer({"items": items, "next": None})
    assert call("account", "list").out.splitlines() == [
        "name                created",
        "alice               2024-11-21T09:06:40Z",
        "a-much-longer-name  -",
    ]
    assert json.loads(call("account", "list", "--json").out) == items


def test_all_pages_of_a_list_are_read(call, stand_in):
    """A list that is longer than a page is not cut silently."""
    stand_in.answer({"items": [{"name": "a"}], "next": "after a"})
    stand_in.answer({"items": [{"name": "b"}], "next": None})
    assert [item["name"] for item in json.loads(call("account", "list", "--json").out)] == ["a", "b"]
    assert stand_in.asked[1].path == "/v1/accounts?limit=1000&cursor=after+a"


def test_the_token_travels_as_bearer(call, stand_in):
    """The way in that the admin listener documents."""
    stand_in.answer({"items": [], "next": None})
    call("ban", "list")
    assert stand_in.asked[0].headers["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize(
    "arguments,method,path",
    [
        (("account", "remove", "alice"), "DELETE", "/v1/accounts/alice"),
        (("account", "remove", "../tokens"), "DELETE", "/v1/accounts/..%2Ftokens"),
        (("apikey", "revoke", "id1"), "DELETE", "/v1/api-keys/id1"),
        (("token", "revoke", "id1"), "DELETE", "/v1/tokens/id1"),
        (("key", "close", "7"), "DELETE", "/v1/listen-keys/7"),
        (("ban", "lift", "b/1"), "DELETE", "/v1/bans/b%2F1"),
    ],
)
def test_what_is_taken_away_is_named_in_the_path_whatever_it_is(call, stand_in, arguments, method, path):
    """A name with a slash never becomes another call."""
    stand_in.answer({})
    result = call(*arguments)
    assert result.status == 0
    assert (stand_in.asked[0].method, stand_in.asked[0].path) == (method, path)


def test_filters_reach_the_listener(call, stand_in):
    """Of one account only, where asked for."""
    stand_in.answer({"items": [], "next": None})
    call("key", "list", "--account", "alice")
    call("apikey", "list", "alice")
    assert [asked.path for asked in stand_in.asked] == [
        "/v1/listen-keys?account=alice&limit=1000",
        "/v1/api-keys?account=alice&limit=1000",
    ]


def test_an_api_key_is_made_as_asked_and_shown_once(call, stand_in, tmp_path):
    """Everything given is passed on, the secret from a file without its line end."""
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "key.pem").write_text("-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n")
    stand_in.answer({"id": "id1", "key": "k1", "secret": "s3cret"})
    result = call(
        *("apikey", "add", "alice", "--permission", "read", "--permission", "trade", "--ip", "10.0.0.0/8"),
        *("--key", "k1", "--secret-file", "secret", "--public-key", "key.pem"),
    )
    assert result.out.splitlines() == ["id      id1", "key     k1", "secret  s3cret"]
    assert "not shown again" in result.err
    assert json.loads(stand_in.asked[0].body) == {
        "permissions": ["read", "trade"],
        "ip_allow": ["10.0.0.0/8"],
        "key": "k1",
        "secret": "s3cret",
        "public_key": "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----",
    }


def test_an_api_key_without_options_may_read(call, stand_in):
    """Nothing that was not given is sent, so that the gateway makes it up."""
    stand_in.answer({"id": "id1", "key": "k1", "secret": "x"})
    assert json.loads(call("apikey", "add", "alice", "--json").out)["secret"] == "x"
    assert json.loads(stand_in.asked[0].body) == {"permissions": ["read"], "ip_allow": []}


@pytest.mark.parametrize(
    "name,content,why",
    [
        ("none", None, "No such file"),
        ("empty", b" \n", "is empty, too long or no text"),
        ("binary", b"\xff\xfe\x00", "is empty, too long or no text"),
        ("endless", b"x" * 100_000, "is empty, too long or no text"),
    ],
)
def test_a_secret_that_cannot_be_read_is_refused_before_anything_is_asked(
    call, stand_in, tmp_path, name, content, why
):
    """No key is made with a secret that its owner did not mean."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = call("apikey", "add", "alice", "--secret-file", name)
    assert (result.status, stand_in.asked) == (1, [])
    assert why in result.err


def test_a_private_key_is_not_sent_as_a_public_one(call, stand_in, tmp_path):
    """The one mistake with PEM files that would hurt."""
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n")
    result = call("apikey", "add", "alice", "--public-key", "key.pem")
    assert (result.status, stand_in.asked) == (1, [])
    assert "no public key" in result.err


def test_a_refusal_is_one_line_with_its_remedy_and_status_1(call, stand_in):
    """Why, and what to do, as the listener says it."""
    error = {"code": "unknown_account", "message": "there is no account\nbob", "remedy": "add it first"}
    stand_in.answer({"error": error}, 404)
    result = call("account", "remove", "bob")
    assert (result.status, result.out) == (1, "")
    assert result.err == "listenkey: there is no account bob; add it first\n"


@pytest.mark.parametrize(
    "answer,status", [(b"<html>", 200), (b"<html>", 404), (b'{"code":-1,"msg":"x"}', 404), (b"[]", 500)]
)
def test_an_answer_of_somebody_else_is_named_as_such(call, stand_in, answer, status):
    """The venue listener's port in place of the admin's is the likeliest mistake."""
    stand_in.answer(answer, status)
    result = call("account", "list")
    assert result.status == 1
    assert "does not answer as an admin listener does" in result.err


def test_nobody_there_is_said_with_what_to_do(command, unused_tcp_port):
    """The first thing that happens to everybody."""
    result = command("account", "list", "--token", "t", "--admin", f"127.0.0.1:{unused_tcp_port}")
    assert result.status == 1
    assert result.err.count("\n") == 1
    assert f"no admin listener answers at http://127.0.0.1:{unused_tcp_port}" in result.err
    assert "listenkey serve" in result.err


def test_a_missing_token_names_the_file_and_the_ways_to_give_one(command):
    """Before any connection, since there is nothing to say without one."""
    result = command("account", "list", "--data", "elsewhere")
    assert result.status == 1
    assert "elsewhere/admin-token" in result.err
    assert "--token" in result.err


def test_the_data_folders_token_is_used(command, stand_in, tmp_path):
    """On the gateway's machine nothing need be copied."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "admin-token").write_text("from-file\n")
    stand_in.answer({"items": [], "next": None})
    assert command("ban", "list", "--admin", stand_in.url, "--data", "folder").status == 0
    assert stand_in.asked[0].headers["Authorization"] == "Bearer from-file"


def test_the_environment_says_where_and_with_what(command, stand_in, monkeypatch):
    """Address and token of the environment, and the options above them."""
    monkeypatch.setenv("LISTENKEY_ADMIN", stand_in.url)
    monkeypatch.setenv("LISTENKEY_TOKEN", "from-environment")
    stand_in.answer({"items": [], "next": None})
    command("ban", "list")
    command("ban", "list", "--token", "from-option")
    assert [asked.headers["Authorization"] for asked in stand_in.asked] == [
        "Bearer from-environment",
        "Bearer from-option",
    ]


def test_the_configuration_says_where(command, stand_in, tmp_path):
    """The file that the gateway runs with leads the commands to it."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "admin-token").write_text("from-file\n")
    port = stand_in.url.rpartition(":")[2]
    (tmp_path / "c.toml").write_text(
        f'data = "folder"\n[admin]\nlisten = "0.0.0.0:{port}"\nallow_remote = true\n'
    )
    stand_in.answer({"items": [], "next": None})
    assert command("ban", "list", "--config", "c.toml").status == 0
    assert stand_in.asked[0].headers["Authorization"] == "Bearer from-file"


def test_beside_a_demo_alone_the_demo_is_meant(command, stand_in, tmp_path):
    """Whoever ran `make serve` goes on without naming its folder; a real data folder comes first."""
    (tmp_path / "listenkey-data-demo").mkdir()
    (tmp_path / "listenkey-data-demo" / "admin-token").write_text("demo\n")
    stand_in.answer({"items": [], "next": None})
    command("ban", "list", "--admin", stand_in.url)
    (tmp_path / "listenkey-data").mkdir()
    (tmp_path / "listenkey-data" / "admin-token").write_text("real\n")
    command("ban", "list", "--admin", stand_in.url)
    assert [asked.headers["Authorization"] for asked in stand_in.asked] == ["Bearer demo", "Bearer real"]


def test_what_the_listener_sends_cannot_steer_the_terminal(call, stand_in):
    """An account's name comes from whoever made it."""
    stand_in.answer({"items": [{"name": "a\x1b[2Jb\r\n", "created_at": 0}], "next": None})
    assert "\x1b" not in call("account", "list").out
    assert call("account", "list").out.count("\n") == 2


def test_a_proxy_of_the_environment_does_not_get_the_token(call, stand_in, monkeypatch):
    """Commands talk to the listener itself."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    stand_in.answer({"items": [], "next": None})
    assert call("ban", "list").status == 0


@pytest.mark.parametrize("url", ["ftp://x", "unix:///x"])
def test_an_address_of_another_kind_is_refused(command, url):
    """Said before anything is tried."""
    result = command("ban", "list", "--token", "t", "--admin", url)
    assert (result.status, result.err.count("\n")) == (1, 1)


def test_a_certificate_that_is_none_is_refused(command, tmp_path):
    """`--ca` with the wrong file is named, not a failed handshake."""
    (tmp_path / "ca.pem").write_text("nothing")
    result = command("ban", "list", "--token", "t", "--admin", "https://127.0.0.1:1", "--ca", "ca.pem")
    assert result.status == 1
    assert "ca.pem cannot be read as a certificate" in result.err


def test_a_connection_that_breaks_off_is_said(call, stand_in):
    """While it is being read, too: what was printed by then is not the whole."""
    stand_in.answer(b"{}")
    stand_in.cut = True
    for arguments in (("account", "list"), ("journal", "read", "alice", "bingx-spot")):
        result = call(*arguments)
        assert result.status == 1
        assert "broke off" in result.err


def test_an_account_and_a_token_are_made(call, stand_in):
    """The calls behind the two commands."""
    stand_in.answer({"name": "alice", "created_at": 1})
    assert call("account", "add", "alice").out == "added alice\n"
    stand_in.answers = []
    stand_in.answer({"id": "i", "scope": "read", "token": "secret-token"})
    assert "secret-token" in call("token", "add", "--scope", "read").out
    assert [(asked.path, json.loads(asked.body)) for asked in stand_in.asked] == [
        ("/v1/accounts", {"name": "alice"}),
        ("/v1/tokens", {"scope": "read"}),
    ]


def test_a_backup_is_written_where_the_command_was_run(call, stand_in, tmp_path):
    """The gateway has a folder of its own, so that the path is sent whole."""
    stand_in.answer({"path": "/x/copy", "bytes": 7})
    result = call("store", "backup", "copy")
    assert result.out == "backed up to /x/copy, 7 bytes\n"
    assert json.loads(stand_in.asked[0].body) == {"path": str(tmp_path / "copy")}


def test_secrets_exclude_each_other(call, stand_in):
    """Which of the two was meant is not for the command to guess."""
    result = call("apikey", "add", "alice", "--secret", "a", "--secret-file", "b")
    assert (result.status, stand_in.asked) == (2, [])


@pytest.mark.parametrize("token", ["é", "a\nb", "\x7f"])
def test_a_token_that_cannot_be_sent_is_said(command, stand_in, token):
    """One line, where a header of that kind would end in a traceback."""
    result = command("account", "list", "--admin", stand_in.url, "--token", token)
    assert (result.status, stand_in.asked) == (1, [])
    assert re.fullmatch("listenkey: the token has characters .*\n", result.err), result.err


@pytest.mark.parametrize(
    "address", ["http://[::1", "http://", "http://127.0.0.1:99999", "http://a:b", "x://y"]
)
def test_an_address_that_is_none_is_said(command, address):
    """Nor does a mistyped address end in one."""
    result = command("account", "list", "--token", "t", "--admin", address)
    assert (result.status, result.out) == (1, "")
    assert "is no address of an admin listener" in result.err
    assert result.err.count("\n") == 1
