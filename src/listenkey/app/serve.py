"""`listenkey serve`: start everything, say so in one line, wait for the signal, drain."""

import asyncio
import gc
import os
import secrets
import signal
from pathlib import Path

import structlog
import uvloop

from listenkey.app import demo as demonstration
from listenkey.app.accepted import accepted_api_keys
from listenkey.app.compose import make_gateway, open_store
from listenkey.app.dialects import configured_dialects
from listenkey.app.logs import configure
from listenkey.app.passage import make_passage
from listenkey.app.replays import Replays
from listenkey.app.upstreams import Upstreams
from listenkey.base.errors import ConfigError, ListenKeyError
from listenkey.config import Settings
from listenkey.edge.admin.docs import SiteMaker
from listenkey.edge.listeners import Listeners
from listenkey.service.accepted import keep_accepted
from listenkey.service.gateway import Gateway
from listenkey.wire.routes import build_routes

DRAIN_SECONDS = 8.0
_YOUNG_OBJECTS = 20_000
_log = structlog.get_logger(__name__)


def serve(settings: Settings, *, demo: bool, docs: SiteMaker | None = None) -> int:
    """Run the gateway until SIGTERM or SIGINT; the exit status. `docs`: makes the reference that the admin
    listener shows. Errors before the start: `ListenKeyError`."""
    configure(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, demo, docs))


async def _run(settings: Settings, demo: bool, docs: SiteMaker | None) -> int:
    admin = settings.admin_listener()
    if not admin.is_loopback and not settings.tls.cert and not settings.admin.allow_remote:
        raise ConfigError(
            "the admin listener would be reachable without TLS",
            "give a certificate, listen on loopback, or set admin.allow_remote",
        )
    accepted = accepted_api_keys(settings)
    dialects = configured_dialects(settings)
    routes = build_routes(dialects, settings.hosts())
    store = open_store(settings)
    try:
        if not demo:
            demonstration.check_absent(store, settings.data)
        gateway = make_gateway(settings, store, dialects, demo=demo)
        await gateway.start()
    except BaseException:
        await store.close()
        raise
    try:
        await _keep_admin_token(gateway, Path(settings.data))
        await keep_accepted(gateway.store, gateway.accounts, accepted)
        beyond = make_passage(settings, gateway)
        listeners = Listeners(settings, gateway, routes, docs=docs, beyond=beyond)
        return await _serve(settings, gateway, listeners, demo)
    finally:
        await gateway.stop()


async def _serve(settings: Settings, gateway: Gateway, listeners: Listeners, demo: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, _reload, listeners)
    if demo:
        await demonstration.prepare(gateway)
    upstreams, replays = Upstreams(settings, gateway), Replays(settings, gateway)
    try:
        await upstreams.start()
        await listeners.start()
        venues, admin = listeners.venue_urls(), listeners.admin_url()
        _settle_memory()
        print(f"listenkey ready venue={','.join(venues)} admin={admin}", flush=True)
        events = None
        if demo:
            demonstration.print_lines(venues[0])
            events = demonstration.start(gateway)
        await replays.start()
        _log.info("ready", venues=venues, admin=admin, data=settings.data)
        await stop.wait()
        _log.info("draining")
        if events is not None:
            events.cancel()
    finally:
        await replays.stop()
        await upstreams.stop()
        await listeners.drain(DRAIN_SECONDS)
    return 0


def _settle_memory() -> None:
    """What the start made stays for good; and sockets, of which there may be ten thousand, are no garbage to
    be looked through every few requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 100)


def _reload(listeners: Listeners) -> None:
    try:
        listeners.reload_tls()
        _log.info("certificate_reloaded")
    except (OSError, ListenKeyError) as error:
        _log.error("certificate_not_reloaded", error=str(error))


async def _keep_admin_token(gateway: Gateway, folder: Path) -> None:
    """The data folder's own token: made at the first start, known to the gateway from then on. An empty file
    is what a start that was cut short leaves, and no token: anybody could send it."""
    path = folder / "admin-token"
    text = path.read_text(encoding="ascii").strip() if path.exists() else ""
    if not text:
        path.unlink(missing_ok=True)
        text = secrets.token_urlsafe(32)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
    await gateway.tokens.keep("admin", text)
