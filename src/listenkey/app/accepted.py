"""`[[accept_api_keys]]`: the venue's own API keys of the bots, read from the configuration and its files."""

from listenkey.app.sections import check_account, read_text
from listenkey.base.errors import ConfigError, Refused
from listenkey.base.ids import check_api_key
from listenkey.config import AcceptedKeys, Settings


def accepted_api_keys(settings: Settings) -> dict[str, str]:
    """The account of each accepted API key. Errors: `ConfigError`, which shows no key."""
    accounts: dict[str, str] = {}
    for name, given in settings.accept_api_keys.items():
        where = f"accept_api_keys.{name}"
        check_account(where, given.account, "name the account whose the keys are")
        for key in _keys(where, given):
            if accounts.setdefault(key, given.account) != given.account:
                raise ConfigError(
                    f"{where}: one of its keys is there for {accounts[key]} too", "give each key one account"
                )
    return accounts


def _keys(where: str, given: AcceptedKeys) -> list[str]:
    keys = [*given.keys, *_lines(where, given.keys_file)]
    if not keys:
        raise ConfigError(f"{where} has no keys", "list them in keys, or name a keys_file")
    for number, key in enumerate(keys, 1):
        try:
            check_api_key(key)
        except Refused as error:
            raise ConfigError(f"{where}: key {number} is none: {error.message}", "mend it") from error
    return keys


def _lines(where: str, file: str) -> list[str]:
    lines = read_text(f"{where}.keys_file", file).splitlines() if file else []
    return [line.strip() for line in lines if line.strip()]
