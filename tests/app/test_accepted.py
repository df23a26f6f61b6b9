"""`[[accept_api_keys]]` as it is read: keys in the file, beside it, in the environment, never in messages."""

import pytest

from listenkey.app.accepted import accepted_api_keys
from listenkey.base.errors import ConfigError
from listenkey.config import as_toml, load

KEY, OTHER = "k" * 64, "o" * 64


def read(folder, text, environ=None):
    """What a configuration says."""
    (folder / "listenkey.toml").write_text(text, encoding="utf-8")
    return load(folder / "listenkey.toml", environ)


def test_keys_come_from_everywhere(tmp_path):
    """A list, a file with a key a line, a variable; by number or by name."""
    (tmp_path / "keys").write_text(f"{OTHER}\n\n  third \n", encoding="utf-8")
    text = (
        f'[[accept_api_keys]]\naccount = "desk"\nkeys = ["{KEY}"]\nkeys_file = "{tmp_path}/keys"\n'
        '[[accept_api_keys]]\naccount = "floor"\n'
    )
    loaded = read(tmp_path, text, {"LISTENKEY_ACCEPT_API_KEYS_2_KEYS": "fourth,fifth"})
    accounts = {KEY: "desk", OTHER: "desk", "third": "desk", "fourth": "floor", "fifth": "floor"}
    assert accepted_api_keys(loaded.settings) == accounts
    shown = as_toml(loaded)
    assert 'keys = "***"' in shown
    assert not [key for key in accounts if key in shown]
    assert accepted_api_keys(load().settings) == {}


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (f'keys = ["{KEY}"]', "accept_api_keys.1.account is not set"),
        (f'account = "A"\nkeys = ["{KEY}"]', "an account name is"),
        ('account = "desk"', "has no keys"),
        (f'account = "desk"\nkeys = ["{KEY}", "{OTHER} "]', "key 2 is none"),
        ('account = "desk"\nkeys_file = "/nowhere"', "keys_file cannot be read"),
        (
            f'account = "desk"\nkeys = ["{KEY}"]\n[[accept_api_keys]]\naccount = "floor"\nkeys = ["{KEY}"]',
            "accept_api_keys.2: one of its keys is there for desk too",
        ),
    ],
)
def test_what_cannot_be_is_said_without_the_key(tmp_path, table, says):
    """With the setting's name and what to do."""
    loaded = read(tmp_path, f"[[accept_api_keys]]\n{table}\n")
    with pytest.raises(ConfigError, match=says) as error:
        accepted_api_keys(loaded.settings)
    assert error.value.remedy
    assert KEY not in str(error.value)
    assert OTHER not in str(error.value)
