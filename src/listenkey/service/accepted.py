"""API keys of a venue's own that bots have already, and that are good here too.

They are kept as other API keys are, with no secret: nothing is known to check their signatures with. Which
ones there are is the configuration's to say, so each start makes the store say the same.
"""

from collections.abc import Mapping

import structlog

from listenkey.base.errors import ConfigError, Refused
from listenkey.base.ids import mask_api_key
from listenkey.core.records import ApiKey
from listenkey.service.accounts import Accounts
from listenkey.service.credentials import is_unproven
from listenkey.store.base import Store

_PAGE = 500
_log = structlog.get_logger(__name__)


async def keep_accepted(store: Store, accounts: Accounts, wanted: Mapping[str, str]) -> None:
    """Make `wanted` (account by API key) good, and revoke what was so before and is no more. An account that
    is missing is made. Errors: `ConfigError` where a key is another account's, before anything is changed."""
    held = {key: store.find_api_key(key) for key in wanted}
    for key, api_key in held.items():
        _refuse_conflict(key, api_key, wanted[key])
    for api_key in _accepted_before(store):
        if wanted.get(api_key.key) != api_key.account:
            await accounts.revoke_api_key(api_key.id)
            _log.info("api_key_no_longer_accepted", api_key=api_key.id, account=api_key.account)
    for key, account in wanted.items():
        if store.find_api_key(key) is None:
            await _accept(accounts, key, account)


def _refuse_conflict(key: str, api_key: ApiKey | None, account: str) -> None:
    if api_key is None or is_unproven(api_key) or api_key.account == account:
        return
    raise ConfigError(
        f"accept_api_keys: {mask_api_key(key)} is an API key of the account {api_key.account}, not {account}",
        f"name {api_key.account}, or start without it and `listenkey apikey revoke {api_key.id}` first",
    )


def _accepted_before(store: Store) -> list[ApiKey]:
    found: list[ApiKey] = []
    after = ""
    while page := store.read_api_keys(None, after, _PAGE):
        found += [api_key for api_key in page if is_unproven(api_key)]
        after = page[-1].id
    return found


async def _accept(accounts: Accounts, key: str, account: str) -> None:
    try:
        await accounts.add_missing(account)
        await accounts.add_accepted_key(account, key)
    except Refused as error:
        raise ConfigError(f"accept_api_keys: {error.message}", error.remedy) from error
