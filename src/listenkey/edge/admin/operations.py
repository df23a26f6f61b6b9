"""What runs: connections, health, metrics, backup."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from listenkey.base.clock import to_millis
from listenkey.base.errors import Refused, StoreError
from listenkey.edge.admin.call import Answer, Call, json
from listenkey.service.gateway import Gateway
from listenkey.service.outlet import Outlet, Subscription


class _Backup(msgspec.Struct, forbid_unknown_fields=True):
    path: str


async def list_connections(gateway: Gateway, call: Call) -> Answer:
    """`GET /v1/connections`, oldest first."""
    after = call.number_cursor()
    outlets = (outlet for outlet in gateway.connections.all() if int(outlet.id[1:]) > after)
    length = call.page_length() + 1
    page = [outlet for _, outlet in zip(range(length), outlets, strict=False)]
    return call.page(page, lambda outlet: outlet.id[1:], partial(_show_connection, gateway))


def _show_connection(gateway: Gateway, outlet: Outlet) -> dict[str, Any]:
    return {
        "id": outlet.id, "address": outlet.address, "opened_at": to_millis(outlet.opened_at),
        "subscriptions": [_show_subscription(gateway, each) for each in _reading(outlet)],
        "queued_bytes": outlet.queued_bytes(),
    }  # fmt: skip


def _reading(outlet: Outlet) -> list[Subscription]:
    """Where there is a subscription for each topic, the one that only holds the key says nothing more."""
    by_topic = [each for each in outlet.subscriptions if each.topic]
    return by_topic or outlet.subscriptions


def _show_subscription(gateway: Gateway, subscription: Subscription) -> dict[str, Any]:
    offset = subscription.next - 1
    view = gateway.store.read_journal(subscription.stream, subscription.epoch)  # whose offsets these are
    return {
        "account": subscription.account, "stream": subscription.stream.stream, "offset": offset,
        "confirmed": None if subscription.reader is None else subscription.reader.confirmed,
        "head": offset if view is None else view.head,
    }  # fmt: skip


async def close_connection(gateway: Gateway, call: Call) -> Answer:
    """`DELETE /v1/connections/{id}`."""
    gateway.connections.close(call.parts[0])
    return json({})


async def backup(gateway: Gateway, call: Call) -> Answer:
    """`POST /v1/store/backup`: a consistent copy, in a file of the server's machine."""
    wanted = await call.read(_Backup)
    if not Path(wanted.path).is_absolute() or "\0" in wanted.path:
        raise Refused("the path of a backup is an absolute one", "name the file from / on", code="bad_path")
    await gateway.store.backup(wanted.path)
    return json({"path": wanted.path, "bytes": await asyncio.to_thread(_size_of, wanted.path)})


def _size_of(path: str) -> int:
    return Path(path).stat().st_size


async def live(gateway: Gateway, call: Call) -> Answer:
    """`GET /health/live`: the process answers."""
    return json({"status": "live"})


async def ready(gateway: Gateway, call: Call) -> Answer:
    """`GET /health/ready`: the store can be read."""
    try:
        gateway.store.read_next_expiry()
    except StoreError as error:
        return json({"status": "not ready", "reason": error.code}, 503)
    return json({"status": "ready"})
