import json
import os
import shutil
import subprocess
import sys
import tomllib

import pytest

from listenkey.cli.serve import settings_to_serve
from listenkey.config import load, reference
from tools.tracked import ROOT

SERVER = "apsw,cryptography,httptools,isal,jinja2,prometheus_client,pygments,structlog,uvicorn,uvloop"
WITHOUT_SERVER = """
import sys
sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(",")))
from listenkey.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def bare(*arguments: str, cwd) -> subprocess.CompletedProcess[str]:
    """The command as the bare client install has it: none of the server's libraries can be imported."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_SERVER, SERVER, *arguments],
        capture_output=True, text=True, check=False, cwd=cwd,
        env={name: value for name, value in os.environ.items() if not name.startswith("LISTENKEY_")},
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("dialect", "list"),
        ("dialect", "show", "bingx"),
        ("config", "check"),
        ("config", "show"),
        ("config", "doc"),
    ],
)
def test_offline_commands_work_on_the_bare_install(arguments, tmp_path):
    """A client's machine can look up dialects and check a configuration."""
    run = bare(*arguments, cwd=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout


@pytest.mark.parametrize(
    "arguments", [("serve",), ("journal", "verify"), ("store", "restore", "x"), ("docs", "build", "x")]
)
def test_what_needs_the_server_says_what_to_install(arguments, tmp_path):
    """One line with the command to run, and nothing made on disk."""
    run = bare(*arguments, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.endswith("run: pip install 'listenkey[server]'\n")
    assert run.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_good_configuration_is_ok(command, tmp_path):
    """Status 0 and one line."""
    (tmp_path / "c.toml").write_text('log_level = "debug"\n[dialect.bingx]\nrequire_signature = true\n')
    result = command("config", "check", "--config", "c.toml")
    assert (result.status, result.out, result.err) == (0, "ok, 2 settings given\n", "")


def test_every_problem_is_listed_and_the_status_is_1(command, tmp_path):
    """All lines to mend on standard output, one line of summary on standard error."""
    (tmp_path / "c.toml").write_text('loglevel = "debug"\n[http]\nhead_seconds = 0\n')
    result = command("config", "check", "--config", "c.toml")
    assert result.status == 1
    assert [line.split(": ")[1] for line in result.out.splitlines()] == ["loglevel", "http.head_seconds"]
    assert (
        result.err
        == "listenkey: 2 problems in the configuration; mend what is listed above and check again\n"
    )


@pytest.mark.parametrize(
    "text,what",
    [
        ("[dialect.binance-spt]\nroot = true", "binance-spt"),
        ("[dialect.bingx.limits]\nnone = 3", "none"),
        ('listen = ["127.0.0.1:0=bingx-coin"]', "127.0.0.1:0=bingx-coin names no dialect or stream"),
        ('[dialects]\nfiles = ["none.toml"]', "none.toml"),
        ("[dialect.binance-us]\nroot = true\n", "binance-us"),
    ],
)
def test_what_only_the_dialects_can_tell_is_checked_too(command, tmp_path, text, what):
    """Names, buckets and files are looked up, not only spelled right."""
    (tmp_path / "c.toml").write_text(text)
    result = command("config", "check", "--config", "c.toml")
    assert result.status == 1
    assert what in result.out


UPSTREAM = '[[upstream]]\naccount = "desk"\nstream = "binance-spot"\napi_key = "k"\napi_secret = "s"\n'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (UPSTREAM.replace('account = "desk"\n', ""), "upstream.1.account is not set; name the account"),
        (UPSTREAM.replace("desk", "The Desk"), "upstream.1.account: "),
        (UPSTREAM.replace("-spot", "-spt"), "upstream.1.stream: there is no stream binance-spt"),
        (
            UPSTREAM.replace('api_key = "k"', 'api_key_file = "none"'),
            "upstream.1.api_key_file cannot be read",
        ),
        (UPSTREAM + 'api_secret_file = "none"', "upstream.1.api_secret_file cannot be read"),
        (UPSTREAM + 'gateway = "http://127.0.0.1:1"\nby = "listen_key"', "goes without base_url"),
        (UPSTREAM + 'gateway = "127.0.0.1:1"', "upstream.1.gateway: '127.0.0.1:1' is no address"),
        (UPSTREAM + 'base_url = "ftp://127.0.0.1"', "upstream.1.base_url: 'ftp://127.0.0.1' is no address"),
        (UPSTREAM + 'base_url = "http://api.example.com"', "upstream.1.base_url: to api.example.com"),
        (UPSTREAM + 'ws_url = "ws://api.example.com"', "upstream.1.ws_url: to api.example.com"),
        (UPSTREAM.replace('api_secret = "s"', ""), "upstream.1: there is no API secret"),
        (UPSTREAM + UPSTREAM, "upstream.2 fills the journal that upstream.1 fills"),
    ],
)
def test_upstreams_are_checked_without_asking_them(tmp_path, text, what):
    """On any machine, the bare client install too: what would keep the relay from starting is said before."""
    (tmp_path / "c.toml").write_text(text)
    run = bare("config", "check", "--config", "c.toml", cwd=tmp_path)
    assert (run.returncode, what in run.stdout) == (1, True), run.stdout + run.stderr
    (tmp_path / "c.toml").write_text(UPSTREAM)
    assert bare("config", "check", "--config", "c.toml", cwd=tmp_path).returncode == 0


def test_a_record_is_not_played_among_what_happens_now(command, tmp_path):
    """A fill of last Tuesday between today's would be taken for one of today's."""
    (tmp_path / "old.ndjson").write_text('{"record":1,"stream":"binance-spot","at":1}\n')
    for account, status in (("desk", 1), ("rehearsal", 0)):
        replay = f'[[replay]]\nfile = "old.ndjson"\naccount = "{account}"\n'
        (tmp_path / "c.toml").write_text(UPSTREAM + replay)
        result = command("config", "check", "--config", "c.toml")
        assert result.status == status
        assert ("replay.1 fills the journal that upstream.1 fills" in result.out) == bool(status)


def test_an_overlap_that_nothing_resolves_is_found(command, tmp_path):
    """BingX coin-M has spot's path: both at the root would leave the choice to chance."""
    (tmp_path / "c.toml").write_text("[dialect.bingx-coinm]\nroot = true\n")
    result = command("config", "check", "--config", "c.toml")
    assert result.status == 1
    assert "/market" in result.out


def test_a_variable_that_is_no_setting_is_a_warning(command, monkeypatch):
    """Checked and said, and no reason to fail."""
    monkeypatch.setenv("LISTENKEY_LOGLEVEL", "debug")
    result = command("config", "check")
    assert result.status == 0
    assert "did you mean LISTENKEY_LOG_LEVEL?" in result.err


def test_show_prints_what_serve_would_run_with_and_no_secret(command, monkeypatch):
    """TOML and JSON say the same, and neither says the secret."""
    monkeypatch.setenv("LISTENKEY_MASTER_SECRET", "hush-hush-hush-hush")
    monkeypatch.setenv("LISTENKEY_DATA", "here")
    toml, as_json = command("config", "show"), command("config", "show", "--json")
    assert tomllib.loads(toml.out)["data"] == json.loads(as_json.out)["data"] == "here"
    assert json.loads(as_json.out)["master_secret"] == "***"
    assert "hush" not in toml.out + as_json.out


def test_doc_prints_the_reference(command):
    """The same text that the documentation has."""
    assert command("config", "doc").out == reference()


def test_the_dialects_are_listed_with_their_streams(command):
    """What can be served, as a table and as JSON."""
    items = json.loads(command("dialect", "list", "--json").out)
    streams = {item["name"]: item["streams"] for item in items}
    assert streams["bingx"] == ["bingx-spot", "bingx-swap", "bingx-coinm"]
    assert streams["binance-margin-isolated"] == ["binance-margin-isolated"]
    lines = command("dialect", "list").out.splitlines()
    assert lines[0].split() == ["name", "venue", "title", "streams"]
    assert len(lines) == len(items) + 1


def test_a_dialect_is_shown_with_its_calls_and_failures(command):
    """The table has what a client's author looks for; JSON has all of it."""
    out = command("dialect", "show", "binance-usdm").out
    assert "/fapi/v1/listenKey" in out
    assert "-1125" in out
    assert "TRADE_LITE  " in out
    assert "2026-04-23" in out
    whole = json.loads(command("dialect", "show", "binance-usdm", "--json").out)
    assert whole["name"] == "binance-usdm"
    assert {"operations", "sockets", "failures", "limits", "closes"} <= set(whole)


def test_a_dialect_that_is_not_there_names_those_that_are(command):
    """A refusal with the choice."""
    result = command("dialect", "show", "binance")
    assert (result.status, result.out) == (1, "")
    assert "binance-usdm" in result.err


def own_dialect(folder):
    """A dialect file of one's own: spot's, under other names."""
    spot = (ROOT / "src" / "listenkey" / "dialect" / "data" / "binance-spot.toml").read_text(encoding="utf-8")
    file = folder / "own.toml"
    renamed = spot.replace("binance-spot", "my-spot").replace('file = "my-spot"', 'file = "binance-spot"')
    file.write_text(renamed, encoding="utf-8")
    return file


def test_a_dialect_file_of_ones_own_is_checked(command, tmp_path):
    """A good one is named, a wrong one or one that cannot be read is refused with its place."""
    own_dialect(tmp_path)
    assert command("dialect", "check", "own.toml").out == "ok, my-spot\n"
    (tmp_path / "bad.toml").write_text('name = "x"\n')
    for name in ("bad.toml", "none.toml"):
        result = command("dialect", "check", name)
        assert (result.status, result.out) == (1, "")
        assert name in result.err


def test_a_dialect_of_ones_own_that_claims_a_taken_path_is_an_overlap_until_resolved(command, tmp_path):
    """Nobody is answered by chance: the check names both dialects, and the setting that decides."""
    own_dialect(tmp_path)
    files = '[dialects]\nfiles = ["own.toml"]\n'
    (tmp_path / "c.toml").write_text(files)
    result = command("config", "check", "--config", "c.toml")
    assert result.status == 1
    assert "binance-spot and my-spot both answer" in result.out
    assert "dialect.my-spot.root = false" in result.out
    (tmp_path / "c.toml").write_text(files + "[dialect.my-spot]\nroot = false\n")
    assert command("config", "check", "--config", "c.toml").status == 0
    assert "my-spot" in command("dialect", "list", "--config", "c.toml").out


def test_a_demo_has_a_data_folder_of_its_own_unless_one_is_named(monkeypatch, tmp_path):
    """Trying the demo never touches a real gateway's data."""
    monkeypatch.delenv("LISTENKEY_DATA", raising=False)
    named = tmp_path / "c.toml"
    named.write_text('data = "from-file"\n')
    assert settings_to_serve(None, {}, demo=False).settings.data == load().settings.data
    assert settings_to_serve(None, {}, demo=True).settings.data == "listenkey-data-demo"
    assert settings_to_serve(None, {"data": "x"}, demo=True).settings.data == "x"
    assert settings_to_serve(named, {}, demo=True).settings.data == "from-file"
    monkeypatch.setenv("LISTENKEY_DATA", "from-environment")
    assert settings_to_serve(None, {}, demo=True).settings.data == "from-environment"


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
def test_a_demo_beyond_loopback_is_refused(command, listen, tmp_path):
    """Status 1, one line, and nothing started or made."""
    result = command("serve", "--demo", "--listen", listen)
    assert (result.status, result.out) == (1, "")
    assert "--demo serves loopback only" in result.err
    assert result.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text,what",
    [
        ('loglevel = "info"', "did you mean log_level?"),
        ('[streams]\nresume = "later"', 'must be "replay" or "live"'),
        ('listen = ["127.0.0.1:0=bingx-coin"]', "names no dialect or stream"),
        ('[dialects]\nfiles = ["none.toml"]', "none.toml"),
        ('[stream.binance-usmd]\nresume = "live"', "there is no such stream"),
        ('[stream.binance-pm-pro]\nclose = "venue"', "belong to another stream too"),
        ("[dialect.binance-usdm]\nlifetime_seconds = 0", "lifetime_seconds: is not within 1 and"),
    ],
)
def test_serve_refuses_what_check_refuses(command, tmp_path, text, what):
    """A gateway never starts with a configuration that means something else than it says."""
    (tmp_path / "c.toml").write_text(text)
    result = command("serve", "--config", "c.toml")
    assert (result.status, result.out, result.err.count("\n")) == (1, "", 1)
    assert what in result.err
    assert not (tmp_path / "listenkey-data").exists()


def test_verify_makes_no_folder(command, tmp_path):
    """A mistyped folder is not an empty store in which nothing is wrong."""
    result = command("journal", "verify", "--data", "elsewhere")
    assert (result.status, result.out) == (1, "")
    assert list(tmp_path.iterdir()) == []


def test_python_m_and_the_script_are_the_same_command(tmp_path):
    """Both ways to start it exist after an install."""
    script = shutil.which("listenkey", path=os.path.dirname(sys.executable))  # noqa: PTH120
    assert script is not None
    for start in ([script], [sys.executable, "-m", "listenkey"]):
        run = subprocess.run(
            [*start, "dialect", "show", "no"], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert run.returncode == 1
        assert run.stderr.startswith("listenkey: there is no dialect no")


def test_a_key_that_does_not_fit_its_certificate_is_found(command, tmp_path):
    """By the check, and before a start; one that wants a password is never asked for at the terminal."""
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for name in ("one", "two"):
        files = ("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
        subprocess.run([*make, *files], cwd=tmp_path, check=True, capture_output=True)
    locked = ["openssl", "ec", "-aes256", "-passout", "pass:x", "-in", "one.key", "-out", "locked.key"]
    subprocess.run(locked, cwd=tmp_path, check=True, capture_output=True)
    for key, status in (("one.key", 0), ("two.key", 1), ("locked.key", 1), ("one.pem", 1)):
        (tmp_path / "c.toml").write_text(f'[tls]\ncert = "one.pem"\nkey = "{key}"\n')
        checked = command("config", "check", "--config", "c.toml")
        assert checked.status == status, key
        if status:
            assert checked.out.startswith("tls.cert: one.pem and ")
            assert command("serve", "--config", "c.toml").status == 1
