import pytest

from listenkey.base.errors import ConfigError
from listenkey.config import Settings, examine, load


@pytest.fixture
def file(tmp_path):
    """A function that writes the configuration file."""
    path = tmp_path / "listenkey.toml"

    def write(text: str):
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems(file=None, environ=None, options=None) -> list[str]:
    """The lines that `config check` would print."""
    return [str(problem) for problem in examine(file, environ, options)[1]]


def test_nothing_given_is_the_documented_defaults():
    """A gateway without configuration listens on loopback and keeps everything in ./listenkey-data."""
    settings = load().settings
    assert settings == Settings()
    assert [str(listener) for listener in settings.listeners()] == ["127.0.0.1:8080"]
    assert str(settings.admin_listener()) == "127.0.0.1:8081"
    assert (settings.data, settings.store, settings.limits) == ("listenkey-data", "sqlite:", "account")


def test_the_command_line_beats_the_environment_beats_the_file_beats_the_default(file):
    """Each source alone is taken, and the later one wins where several speak."""
    path = file('log_level = "debug"\ndata = "from-file"\nlimits = "off"\n')
    environ = {"LISTENKEY_DATA": "from-environment", "LISTENKEY_LIMITS": "venue"}
    loaded = load(path, environ, {"limits": "account"})
    assert loaded.settings.log_level == "debug"
    assert loaded.settings.data == "from-environment"
    assert loaded.settings.limits == "account"
    assert loaded.settings.store == "sqlite:"
    assert loaded.origins == {
        "log_level": str(path),
        "data": "LISTENKEY_DATA",
        "limits": "command line",
    }


def test_every_kind_of_value_can_come_from_the_environment():
    """Texts, numbers, switches, lists, tables and what is set for one dialect."""
    environ = {
        "LISTENKEY_LISTEN": "127.0.0.1:1, [::1]:2=bingx-coinm",
        "LISTENKEY_STREAMS_QUEUE_BYTES": "65536",
        "LISTENKEY_HEARTBEAT_ENFORCE": "off",
        "LISTENKEY_ADMIN_ALLOW_REMOTE": "yes",
        "LISTENKEY_DIALECT_BINANCE_MARGIN_ISOLATED_SYMBOLS": "BTCUSDT,ETHUSDT",
        "LISTENKEY_DIALECT_BINGX_LIMITS": "ip=7, uid=9",
        "LISTENKEY_DIALECT_BINGX_REQUIRE_SIGNATURE": "1",
    }
    settings = load(None, environ).settings
    assert [(each.host, each.port, each.name) for each in settings.listeners()] == [
        ("127.0.0.1", 1, ""),
        ("::1", 2, "bingx-coinm"),
    ]
    assert settings.streams.queue_bytes == 65_536
    assert settings.heartbeat.enforce is False
    assert settings.admin.allow_remote is True
    assert settings.dialect["binance-margin-isolated"].symbols == ("BTCUSDT", "ETHUSDT")
    assert settings.dialect["bingx"].limits == {"ip": 7, "uid": 9}
    assert settings.dialect["bingx"].require_signature is True


def test_an_empty_variable_counts_as_none():
    """Container files often pass variables on that nobody set."""
    assert load(None, {"LISTENKEY_DATA": "", "LISTENKEY_HEARTBEAT_ENFORCE": ""}).settings == Settings()


@pytest.mark.parametrize(
    "text,line",
    [
        ('loglevel = "info"', "loglevel: there is no such setting; did you mean log_level?"),
        (
            "[streams]\nqueue_byte = 1",
            "streams.queue_byte: there is no such setting; did you mean queue_bytes?",
        ),
        ("[strems]\nqueue_bytes = 1", "strems: there is no such setting; did you mean streams?"),
        (
            "[dialect.bingx]\nlimit = {}",
            "dialect.bingx.limit: there is no such setting; did you mean limits?",
        ),
        ("zzz = 1", "zzz: there is no such setting; `listenkey config doc` lists all settings"),
        ("streams = 1", "streams: is a table, not a value; write [streams]"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_the_near_miss(file, text, line):
    """A mistyped limit or secret that is quietly ignored is worse than no start."""
    path = file(text)
    assert problems(path) == [f"{path}: {line}"]
    with pytest.raises(ConfigError):
        load(path)


@pytest.mark.parametrize(
    "text,line",
    [
        ("listen = []", "listen: is not right, must be a list of texts, not empty"),
        ('listen = "127.0.0.1:1"', 'listen: is "127.0.0.1:1", must be a list of texts, not empty'),
        ('limits = "some"', 'limits: is "some", must be "account" or "venue" or "off"'),
        ("[http]\nhead_seconds = 0", "http.head_seconds: is 0, must be a whole number, 1 to 3600"),
        ("[http]\nhead_seconds = true", "http.head_seconds: is true, must be a whole number, 1 to 3600"),
        ("[journal]\nmax_events = 1.5", "journal.max_events: is 1.5, must be a whole number, at least 1"),
        ("[admin]\nallow_remote = 1", "admin.allow_remote: is 1, must be true or false"),
        (
            "[dialect.bingx.limits]\nip = 0",
            "dialect.bingx.limits: is not right, must be a table of whole numbers, each at least 1",
        ),
    ],
)
def test_a_bad_value_is_named_with_its_path_and_what_it_should_be(file, text, line):
    """The reader knows which line to mend, and how, without the reference."""
    path = file(text)
    assert problems(path) == [f"{path}: {line}; see `listenkey config doc`"]


@pytest.mark.parametrize(
    "variable,text,line",
    [
        ("LISTENKEY_STREAMS_QUEUE_BYTES", "much", 'is "much", must be a whole number, at least 4096'),
        ("LISTENKEY_HEARTBEAT_ENFORCE", "perhaps", 'is "perhaps", must be true or false'),
        ("LISTENKEY_LOG_LEVEL", "loud", 'is "loud", must be "debug" or "info" or "warning" or "error"'),
    ],
)
def test_a_bad_variable_is_named(variable, text, line):
    """A variable that does not fit is an error under its own name."""
    assert problems(None, {variable: text}) == [f"{variable}: {line}; see `listenkey config doc`"]


@pytest.mark.parametrize("era", ["2026", "today", "2026-1-1", "2026-02-30", "20260220", ""])
@pytest.mark.parametrize("table", ["", "[dialect.binance-spot]\n"])
def test_an_era_is_all_or_a_day(file, era, table):
    """What is neither is refused with the way to write it, before a bot is tried against the wrong year."""
    (line,) = problems(file(f'{table}era = "{era}"'))
    name = "dialect.binance-spot.era" if table else "era"
    assert line.endswith(f'{name}: is "{era}", must be "all" or a day; write a day as 2026-02-20')


def test_a_day_is_an_era(file):
    """The day that everybody asks for, with one venue left as it was."""
    assert problems(file('era = "2026-02-20"\n[dialect.binance-spot]\nera = "all"')) == []


def test_all_problems_are_found_at_once_and_the_error_counts_them(file):
    """`config check` lists every problem; `serve` says the first and where to see the others."""
    path = file('loglevel = "x"\nlimits = 3\n[http]\nhead_seconds = 0')
    assert len(problems(path, {"LISTENKEY_LOG_LEVEL": "x"})) == 4
    with pytest.raises(ConfigError, match=r"\(3 more: `listenkey config check` lists them\)"):
        load(path, {"LISTENKEY_LOG_LEVEL": "x"})


def test_a_variable_that_is_no_setting_is_a_warning_with_the_near_miss():
    """Orchestrators set `LISTENKEY_PORT` and kin beside a service of this name: no reason not to start."""
    loaded = load(None, {"LISTENKEY_LOGLEVEL": "debug", "LISTENKEY_PORT": "tcp://10.0.0.1:80"})
    assert loaded.settings == Settings()
    assert loaded.warnings == (
        "LISTENKEY_LOGLEVEL in the environment is no setting; did you mean LISTENKEY_LOG_LEVEL?",
        "LISTENKEY_PORT in the environment is no setting; `listenkey config doc` lists all settings",
    )


def test_variables_of_the_commands_are_no_settings_and_no_warning():
    """The address and token of the commands live in the same environment."""
    environ = {"LISTENKEY_ADMIN": "http://x:1", "LISTENKEY_TOKEN": "t", "LISTENKEY_CONFIG": "c"}
    loaded = load(None, environ)
    assert (loaded.settings, loaded.warnings) == (Settings(), ())


@pytest.mark.parametrize(
    "content,what",
    [
        (None, "there is no such file"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"a = = 1", "is not TOML"),
        (b"a = 1\na = 2", "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path, content, what):
    """Whatever is wrong with the file itself is said in one line that names it."""
    path = tmp_path / "listenkey.toml"
    if content is not None:
        path.write_bytes(content)
    (line,) = problems(path)
    assert line.startswith(f"{path}: {what}")


def test_a_folder_in_place_of_a_file_is_one_problem(tmp_path):
    """The same for what can be opened but not read."""
    (line,) = problems(tmp_path)
    assert line.startswith(f"{tmp_path}: cannot be read: ")
