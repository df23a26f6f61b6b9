"""Accounts, API keys, listen keys, tokens and bans."""

from typing import Any

import msgspec

from listenkey.base.clock import to_millis
from listenkey.base.errors import Refused
from listenkey.base.ids import mask_api_key
from listenkey.core.keylife import is_live
from listenkey.core.records import Account, ApiKey, Ban, ListenKey, Scope, Token
from listenkey.edge.admin.call import Answer, Call, json
from listenkey.service.accounts import NewApiKey
from listenkey.service.gateway import Gateway


class _NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class _NewToken(msgspec.Struct, forbid_unknown_fields=True):
    scope: Scope


async def add_account(gateway: Gateway, call: Call) -> Answer:
    """`POST /v1/accounts`."""
    wanted = await call.read(_NewAccount)
    return json(_show_account(await gateway.accounts.add(wanted.name)), 201)


async def list_accounts(gateway: Gateway, call: Call) -> Answer:
    """`GET /v1/accounts`."""
    accounts = gateway.accounts.page(call.cursor(), call.page_length() + 1)
    return call.page(accounts, lambda account: account.name, _show_account)


async def remove_account(gateway: Gateway, call: Call) -> Answer:
    """`DELETE /v1/accounts/{name}`."""
    await gateway.accounts.remove(call.parts[0])
    return json({})


def _show_account(account: Account) -> dict[str, Any]:
    return {"name": account.name, "created_at": to_millis(account.created_at)}


async def add_api_key(gateway: Gateway, call: Call) -> Answer:
    """`POST /v1/accounts/{name}/api-keys`."""
    made = await gateway.accounts.add_api_key(call.parts[0], await call.read(NewApiKey))
    return json({"id": made.id, "key": made.key, "secret": made.secret}, 201)


async def list_api_keys(gateway: Gateway, call: Call) -> Answer:
    """`GET /v1/api-keys`."""
    keys = gateway.accounts.api_keys(_account(gateway, call), call.cursor(), call.page_length() + 1)
    return call.page(keys, lambda key: key.id, _show_api_key)


async def revoke_api_key(gateway: Gateway, call: Call) -> Answer:
    """`DELETE /v1/api-keys/{id}`."""
    await gateway.accounts.revoke_api_key(call.parts[0])
    return json({})


def _show_api_key(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id, "account": key.account, "key": mask_api_key(key.key), "permissions": key.permissions,
        "ip_allow": key.ip_allow, "created_at": to_millis(key.created_at),
    }  # fmt: skip


async def list_listen_keys(gateway: Gateway, call: Call) -> Answer:
    """`GET /v1/listen-keys`."""
    space, scope = _space_of(gateway, call.query["stream"]) if "stream" in call.query else (None, None)
    now = gateway.clock.now()
    keys = gateway.store.read_keys(
        _account(gateway, call), space, scope, call.number_cursor(), call.page_length() + 1
    )
    return call.page(keys, lambda key: str(key.id), lambda key: _show_listen_key(key, is_live(key, now)))


def _account(gateway: Gateway, call: Call) -> str | None:
    """The account that a list is of. Errors: `unknown_account`."""
    name = call.query.get("account")
    if name is not None and gateway.store.find_account(name) is None:
        what = f"there is no account {name}"
        raise Refused(what, "listenkey account list shows them", code="unknown_account")
    return name


def _space_of(gateway: Gateway, stream: str) -> tuple[str, str | None]:
    """The key space, and the scope where the name has one, of the keys that open a stream."""
    base, _, scope = stream.partition(":")
    for dialect in gateway.dialects.values():
        if any(each.name == base for each in dialect.streams):
            return dialect.name, scope or None
    raise Refused(f"there is no stream {stream}", "listenkey dialect list shows them", code="unknown_stream")


def _show_listen_key(key: ListenKey, live: bool) -> dict[str, Any]:
    return {
        "id": str(key.id), "account": key.account, "key_space": key.key_space, "scope": key.scope,
        "api_key": key.holder, "state": "expired" if key.state == "active" and not live else key.state,
        "created_at": to_millis(key.created_at), "expires_at": to_millis(key.expires_at),
    }  # fmt: skip


async def close_listen_key(gateway: Gateway, call: Call) -> Answer:
    """`DELETE /v1/listen-keys/{id}`."""
    await gateway.keys.close_by_id(call.parts[0])
    return json({})


async def add_token(gateway: Gateway, call: Call) -> Answer:
    """`POST /v1/tokens`."""
    wanted = await call.read(_NewToken)
    made = await gateway.tokens.add(wanted.scope)
    return json({"id": made.id, "scope": wanted.scope, "token": made.key}, 201)


async def list_tokens(gateway: Gateway, call: Call) -> Answer:
    """`GET /v1/tokens`."""
    after = call.cursor()
    tokens = [token for token in gateway.tokens.all() if token.id > after]
    return call.page(tokens, lambda token: token.id, _show_token)


def _show_token(token: Token) -> dict[str, Any]:
    return {"id": token.id, "scope": token.scope, "created_at": to_millis(token.created_at)}


async def revoke_token(gateway: Gateway, call: Call) -> Answer:
    """`DELETE /v1/tokens/{id}`."""
    await gateway.tokens.revoke(call.parts[0])
    return json({})


async def list_bans(gateway: Gateway, call: Call) -> Answer:
    """`GET /v1/bans`."""
    after = call.cursor()
    bans = [ban for ban in gateway.limiter.bans(gateway.clock.now()) if ban.id > after]
    return call.page(bans, lambda ban: ban.id, _show_ban)


def _show_ban(ban: Ban) -> dict[str, Any]:
    return {
        "id": ban.id, "dialect": ban.dialect, "bucket": ban.bucket, "since": to_millis(ban.since),
        "until": to_millis(ban.until), "strikes": ban.strikes,
    }  # fmt: skip


async def lift_ban(gateway: Gateway, call: Call) -> Answer:
    """`DELETE /v1/bans/{id}`."""
    await gateway.limiter.lift(call.parts[0], gateway.clock.now())
    return json({})
