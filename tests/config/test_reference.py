import tomllib

import msgspec
import pytest

from listenkey.config import Settings, as_mapping, as_toml, examine, load, reference
from listenkey.config.fields import NAME, all_fields, sections

SECRET = "a-secret-that-nobody-may-see"


@pytest.mark.parametrize("field", all_fields(), ids=lambda field: field.name)
def test_every_setting_is_in_the_reference_with_its_variable_and_meaning(field):
    """What can be set can be looked up: name, variable, default and meaning stand together."""
    _, _, entry = reference().partition(f"### `{field.name}`\n")
    entry = entry.partition("\n### ")[0]
    assert f"`{field.variable}`" in entry
    assert field.meaning in entry
    assert "- default: " in entry
    assert field.meaning.endswith(".")


def test_every_section_says_what_it_is_about():
    """A table without a word would be a list of names."""
    assert all(section.meaning.endswith(".") for section in sections() if section.fields)


def test_no_two_settings_share_a_variable():
    """Sections and names are joined by the same sign, so that two could meet."""
    variables = [field.variable for field in all_fields()]
    assert len(variables) == len(set(variables))


@pytest.mark.parametrize(
    "field", [each for each in all_fields() if NAME not in each.path], ids=lambda field: field.name
)
def test_every_default_is_a_value_that_could_be_given(field):
    """A default that its own check refuses could not be written down by who wants to be explicit."""
    assert msgspec.convert(msgspec.to_builtins(field.default), field.type) == field.default


def test_what_is_shown_can_be_loaded_again(tmp_path):
    """`config show` of one gateway is a configuration file for another."""
    first = tmp_path / "first.toml"
    first.write_text(
        'listen = ["127.0.0.1:1", "[::1]:2"]\n[streams]\nqueue_bytes = 9999\n[heartbeat]\nenforce = true\n'
        '[dialect.bingx]\nhosts = ["a.b"]\nlimits = { ip = 3, "odd name" = 4 }\n'
        '[stream.bingx-spot]\nresume = "live"\n[stream.binance-spot]\noverlap_events = 0\n',
        encoding="utf-8",
    )
    loaded = load(first)
    second = tmp_path / "second.toml"
    second.write_text(as_toml(loaded), encoding="utf-8")
    assert load(second).settings == loaded.settings


def test_what_is_shown_says_where_it_came_from():
    """Among four sources, the question is always which one won."""
    text = as_toml(load(None, {"LISTENKEY_DATA": "here"}, {"log_level": "debug"}))
    assert 'data = "here"  # LISTENKEY_DATA\n' in text
    assert 'log_level = "debug"  # command line\n' in text
    assert 'store = "sqlite:"\n' in text


def test_secrets_are_never_shown(tmp_path):
    """Neither as TOML nor as JSON, nor in the message about a value that does not fit."""
    loaded = load(None, {"LISTENKEY_MASTER_SECRET": SECRET})
    assert loaded.settings.master_secret == SECRET
    shown = as_toml(loaded) + repr(as_mapping(loaded.settings))
    assert SECRET not in shown
    assert tomllib.loads(as_toml(loaded))["master_secret"] == "***"
    file = tmp_path / "c.toml"
    file.write_text(f'master_secret = ["{SECRET}"]\n')
    (problem,) = examine(file)[1]
    assert SECRET not in str(problem)
    assert "master_secret" in str(problem)


def test_an_unset_secret_is_shown_as_unset():
    """Whether there is one is no secret, and the first question when keys do not fit."""
    assert as_mapping(Settings())["master_secret"] == ""
