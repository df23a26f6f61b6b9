"""Opening a store and putting the gateway over it: the part of starting that needs no listener."""

from pathlib import Path

from listenkey.app.delivery import configured_close, configured_delivery
from listenkey.app.dialects import configured_symbols
from listenkey.base.clock import DAY
from listenkey.config import Settings
from listenkey.dialect.model import Dialect
from listenkey.service.clock import SystemClock
from listenkey.service.gateway import MASTER_CHECK, Gateway, GatewayOptions
from listenkey.service.vault import Vault, load_master_secret
from listenkey.store.base import Store
from listenkey.store.sqlite import open_sqlite


def open_store(settings: Settings) -> Store:
    """The configured store, its data folder locked. Errors: `StoreError` and its kin."""
    return open_sqlite(Path(settings.data), durability=settings.durability)


def open_vault(settings: Settings, *, make_secret: bool) -> Vault:
    """The vault of the configured master secret. Errors: `SecretError`."""
    folder = Path(settings.data)
    return Vault(
        load_master_secret(settings.master_secret, settings.master_secret_file, folder, make=make_secret)
    )


def make_gateway(settings: Settings, store: Store, dialects: dict[str, Dialect], *, demo: bool) -> Gateway:
    """The gateway over an open store; to be called on the running event loop."""
    options = GatewayOptions(
        limits=settings.limits,
        demo=demo,
        symbols=configured_symbols(settings),
        max_event_bytes=settings.http.event_bytes,
        check=settings.publish.check,
        retention=settings.journal.retention_days * DAY,
        max_events=settings.journal.max_events,
        delivery=configured_delivery(settings),
        close=configured_close(settings, dialects),
    )
    vault = open_vault(settings, make_secret=store.read_setting(MASTER_CHECK) is None)
    return Gateway(store, SystemClock(), vault, dialects, options)
