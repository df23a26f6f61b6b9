import pytest

from listenkey.base.errors import ConfigError
from listenkey.config import Settings, check_demo, examine, load, parse_listener


def problems(**options: object) -> list[str]:
    """What is wrong with these settings, dots written as double underscores."""
    given = {name.replace("__", "."): value for name, value in options.items()}
    return [str(problem) for problem in examine(None, {}, given)[1]]


@pytest.mark.parametrize(
    "text,host,port,name,loopback",
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, "", True),
        ("localhost:0", "localhost", 0, "", True),
        ("0.0.0.0:65535=bingx", "0.0.0.0", 65535, "bingx", False),
        ("[::1]:80", "::1", 80, "", True),
        ("[::]:80=binance-us", "::", 80, "binance-us", False),
        ("gateway.lan:80", "gateway.lan", 80, "", False),
    ],
)
def test_an_address_is_read_and_written_back(text, host, port, name, loopback):
    """Host, port and dialect arrive as written, and loopback is known for what it is."""
    listener = parse_listener(text)
    assert (listener.host, listener.port, listener.name) == (host, port, name)
    assert listener.is_loopback is loopback
    assert str(listener) == text


@pytest.mark.parametrize(
    "text", ["", "8080", ":8080", "host:", "host:65536", "::1:80", "host:80=", "host:80=A", "a b:1"]
)
def test_what_is_no_address_is_refused(text):
    """An address that the system would read otherwise than its writer meant is not taken."""
    with pytest.raises(ConfigError, match="no address to listen on"):
        parse_listener(text)


def test_two_listeners_on_one_port_are_a_problem():
    """Said before the second bind fails, and for the admin listener too."""
    assert (
        "listen: 127.0.0.1:1 is listened on twice" in problems(listen=["127.0.0.1:1", "127.0.0.1:1=bingx"])[0]
    )
    assert "admin.listen: 127.0.0.1:8080 is listened on twice" in problems(admin__listen="127.0.0.1:8080")[0]
    assert problems(listen=["127.0.0.1:0", "127.0.0.1:0"], admin__listen="127.0.0.1:0") == []


def test_the_admin_listener_beyond_loopback_wants_tls_or_the_flag(tmp_path):
    """Tokens never travel in clear by accident."""
    (line,) = problems(admin__listen="0.0.0.0:8081")
    assert line.startswith("admin.listen: 0.0.0.0:8081 is reachable from other machines")
    assert problems(admin__listen="0.0.0.0:8081", admin__allow_remote=True) == []
    pem = tmp_path / "a.pem"
    pem.write_text("x")
    assert problems(admin__listen="0.0.0.0:8081", tls__cert=str(pem), tls__key=str(pem)) == []


def test_tls_wants_both_files_and_both_readable(tmp_path):
    """A start with TLS half configured would be a start without it."""
    pem = tmp_path / "a.pem"
    pem.write_text("x")
    assert problems(tls__cert=str(pem)) == ["tls.cert: is set without tls.key; set both or none"]
    assert problems(tls__key=str(pem)) == ["tls.key: is set without tls.cert; set both or none"]
    (line,) = problems(tls__cert=str(pem), tls__key=str(tmp_path / "none"))
    assert line.startswith(f"tls.key: {tmp_path / 'none'} cannot be read")


def test_one_master_secret_is_enough(tmp_path):
    """Two of them would leave open which one rules."""
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.write_text("s" * 16)
    lines = problems(master_secret="hush-hush-hush-hush", master_secret_file=str(secret))
    assert lines == ["master_secret_file: is set beside master_secret; set one of them"]


def test_a_master_secret_is_long_enough(tmp_path):
    """The check refuses what `serve` would refuse, before the start on another machine does."""
    secret = tmp_path / "secret"
    secret.write_text("s" * 15 + "\n")
    (line,) = problems(master_secret="s" * 15)
    assert line == "master_secret: has fewer than 16 characters; give a longer one"
    (line,) = problems(master_secret_file=str(secret))
    assert line == f"master_secret_file: has fewer than 16 characters; put a longer one into {secret}"
    assert problems(master_secret="s" * 16) == []


@pytest.mark.parametrize("seconds,is_good", [(0, False), (1, True), (3_153_600_000, True), (10**12, False)])
def test_lifetimes_are_of_this_world(tmp_path, seconds, is_good):
    """A life too long to be a time would end every create with an error."""
    file = tmp_path / "listenkey.toml"
    file.write_text(f"[dialect.binance-usdm]\nlifetime_seconds = {seconds}\n")
    lines = [str(problem) for problem in examine(file, {}, {})[1]]
    assert lines == [] if is_good else "dialect.binance-usdm.lifetime_seconds" in lines[0]


@pytest.mark.parametrize(
    "host,is_good", [("api.lan", True), ("[::1]", True), ("a:80", False), ("http://a", False)]
)
def test_hosts_are_names_without_port(tmp_path, host, is_good):
    """A host with a port would never match, and its requests go to another dialect."""
    file = tmp_path / "listenkey.toml"
    file.write_text(f'[dialect.binance-usdm]\nhosts = ["{host}"]\n')
    lines = [str(problem) for problem in examine(file, {}, {})[1]]
    assert lines == [] if is_good else "without port" in lines[0]


def test_settings_do_not_show_the_secret(tmp_path):
    """Nor does a traceback that prints them."""
    assert "hush" not in repr(Settings(master_secret="hush-hush-hush-hush"))


def test_proxies_are_addresses_or_networks():
    """A name could be anybody's, and would be trusted with everybody's address."""
    assert problems(trusted_proxies=["10.0.0.0/8", "::1", "192.168.0.1"]) == []
    assert problems(trusted_proxies=["proxy.lan"])[0].startswith('trusted_proxies: "proxy.lan" is no address')


def test_one_host_means_one_dialect(tmp_path):
    """Two meanings of a Host are refused, in any case of letters."""
    file = tmp_path / "c.toml"
    file.write_text('[dialect.bingx]\nhosts = ["a.b"]\n[dialect.binance-us]\nhosts = ["A.B", "c.d"]\n')
    (problem,) = examine(file)[1]
    assert "means bingx already" in problem.what
    file.write_text('[dialect.bingx]\nhosts = ["A.b"]\n[dialect.binance-us]\nhosts = ["c.d"]\n')
    assert load(file).settings.hosts() == {"a.b": "bingx", "c.d": "binance-us"}


def test_an_event_must_fit_a_publish_request():
    """Else the largest event that is allowed could never be published."""
    lines = problems(http__event_bytes=2048, http__publish_body_bytes=1024)
    assert lines == ["http.event_bytes: is more than http.publish_body_bytes; an event has to fit a request"]


@pytest.mark.parametrize("store", ["redis://localhost", "sqlite:/elsewhere", "file"])
def test_a_store_that_is_not_there_is_refused(store):
    """Nobody shall believe that events go somewhere where they do not."""
    assert problems(store=store)[0].startswith(f'store: "{store}" is no store that there is')


@pytest.mark.parametrize(
    "options", [{"listen": ["0.0.0.0:8080"]}, {"admin.listen": "gateway.lan:1", "admin.allow_remote": True}]
)
def test_a_demo_stays_on_loopback(options):
    """Everybody knows the demo's key."""
    check_demo(load().settings)
    with pytest.raises(ConfigError, match="--demo serves loopback only"):
        check_demo(load(None, {}, options).settings)


def test_what_one_stream_is_given_has_the_bounds_of_all(tmp_path):
    """A bound that holds for every stream is not got round by naming one."""
    file = tmp_path / "c.toml"
    file.write_text('[stream.binance-usdm]\noverlap_seconds = 3601\nreplay_events = 0\nresume = "live"\n')
    found = [str(problem).removeprefix(f"{file}: ").partition(";")[0] for problem in examine(file, {})[1]]
    assert found == [
        "stream.binance-usdm.overlap_seconds: is 3601, must be a whole number, 0 to 3600",
        "stream.binance-usdm.replay_events: is 0, must be a whole number, at least 1",
    ]
