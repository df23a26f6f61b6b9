"""`[passage.NAME]` as it is read: where each dialect's calls and sockets go, and what is refused."""

import pytest

from listenkey.app.dialects import configured_dialects
from listenkey.app.passage_settings import configured_venues
from listenkey.base.errors import ConfigError
from listenkey.config import load


def read(folder, text, environ=None):
    """The venues of a configuration."""
    (folder / "listenkey.toml").write_text(text, encoding="utf-8")
    settings = load(folder / "listenkey.toml", environ).settings
    return configured_venues(settings, configured_dialects(settings))


def places(venue):
    """Where a venue is."""
    sockets = {name: base.authority for name, base in venue.sockets.items()}
    return venue.rest and venue.rest.authority, sockets, venue.api and venue.api.authority


def test_a_table_with_nothing_in_it_is_the_venue_itself(tmp_path):
    """With its own addresses, as the dialect knows them; dialects of the same REST host go along."""
    venues = read(tmp_path, "[passage.binance-spot]\n[passage.bingx]\n")
    assert places(venues["binance-spot"]) == (
        b"api.binance.com",
        {"": b"stream.binance.com:9443", "binance-spot": b"stream.binance.com:9443"},
        b"ws-api.binance.com:443",
    )
    assert places(venues["bingx"])[1] == {
        "bingx-spot": b"open-api-ws.bingx.com", "bingx-swap": b"open-api-swap.bingx.com",
        "bingx-coinm": b"open-api-cswap-ws.bingx.com",
    }  # fmt: skip
    assert places(venues["binance-margin"]) == (b"api.binance.com", {}, None)
    assert "binance-usdm" not in venues
    assert read(tmp_path, "") == {}


def test_everything_may_be_said(tmp_path):
    """In the file and in the environment; what is empty is not passed."""
    text = '[passage.binance-usdm]\nrest = "https://a.example/b"\nsockets = ""\nconnections = 7\n'
    environ = {"LISTENKEY_PASSAGE_BINANCE_USDM_API": "", "LISTENKEY_PASSAGE_BINANCE_COINM_REST": "venue"}
    venues = read(
        tmp_path, text + 'api = ""\nconnect_seconds = 1\nanswer_seconds = 2\nidle_seconds = 0', environ
    )
    venue = venues["binance-usdm"]
    assert (venue.rest.authority, venue.rest.prefix, venue.sockets, venue.api) == (
        b"a.example",
        b"/b",
        {},
        None,
    )
    assert (venue.most, venue.connect, venue.patience, venue.idle) == (7, 1, 2, 0)
    assert venues["binance-coinm"].rest.authority == b"dapi.binance.com"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[passage.nobody]", "there is no such dialect"),
        (
            '[passage.bingx]\nrest = "http://api.example.com"',
            "passage.bingx.rest: to api.example.com API keys",
        ),
        ('[passage.bingx]\nca_file = "/nowhere"', "passage.bingx.ca_file"),
        (
            'listen = ["0.0.0.0:8080"]\n[passage.bingx]',
            "API keys and orders would reach 0.0.0.0:8080 in clear",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, text, says):
    """At the start and by `config check`, with what to do."""
    with pytest.raises(ConfigError, match=says) as error:
        read(tmp_path, text)
    assert error.value.remedy


def test_beyond_loopback_it_needs_tls_or_a_word(tmp_path):
    """Which the operator has to say for each venue."""
    text = 'listen = ["0.0.0.0:8080"]\n[passage.bingx]\nallow_remote = true\n'
    assert "bingx" in read(tmp_path, text)
    (tmp_path / "pem").write_text("", encoding="ascii")
    tls = f'[tls]\ncert = "{tmp_path}/pem"\nkey = "{tmp_path}/pem"\n'
    assert "bingx" in read(tmp_path, f'listen = ["0.0.0.0:8080"]\n{tls}[passage.bingx]\n')
