"""`listenkey serve`: the gateway."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import click

from listenkey.base.errors import ConfigError
from listenkey.cli.admin import DEMO_DATA
from listenkey.cli.checks import deeper_problems
from listenkey.cli.docs import site
from listenkey.cli.offline import require_server
from listenkey.cli.output import note
from listenkey.config import Loaded, check_demo, load

_SETTINGS = {
    "listen": "listen",
    "admin": "admin.listen",
    "store": "store",
    "data": "data",
    "limits": "limits",
    "tls_cert": "tls.cert",
    "tls_key": "tls.key",
}


@click.command()
@click.option(
    "--config", metavar="FILE", envvar="LISTENKEY_CONFIG", type=click.Path(path_type=Path),
    help="Configuration file.",
)  # fmt: skip
@click.option(
    "--listen", multiple=True, metavar="HOST:PORT[=DIALECT]",
    help="Venue listener, for one dialect alone where named; repeat. [127.0.0.1:8080]",
)  # fmt: skip
@click.option("--admin", metavar="HOST:PORT", help="Admin listener. [127.0.0.1:8081]")
@click.option("--store", metavar="URL", help="Where everything is kept. [sqlite: in the data folder]")
@click.option("--data", metavar="DIR", help="Data folder. [./listenkey-data]")
@click.option("--demo", is_flag=True, help="Serve a demo account with an event a second, on loopback only.")
@click.option("--limits", type=click.Choice(["account", "venue", "off"]), help="Rate limits. [account]")
@click.option("--tls-cert", metavar="F", help="Certificate chain, PEM.")
@click.option("--tls-key", metavar="F", help="Its private key, PEM.")
def command(config: Path | None, demo: bool, **given: Any) -> int:
    """Run the gateway.

    Prints one line on standard output once all listeners accept; logs go to standard error. SIGTERM and
    SIGINT end it within 10 s, SIGHUP reads the certificate again.
    """
    require_server("serve")
    loaded = settings_to_serve(config, given, demo=demo)
    for warning in loaded.warnings:
        note(f"listenkey: {warning}")
    if problems := deeper_problems(loaded.settings):
        raise ConfigError(problems[0])
    from listenkey.app.serve import serve

    return serve(loaded.settings, demo=demo, docs=partial(site, loaded.settings.dialects.files))


def settings_to_serve(config: Path | None, given: dict[str, Any], *, demo: bool) -> Loaded:
    """The settings in force. A demo has a data folder of its own unless one is named anywhere.
    Errors: `ConfigError`."""
    options = {_SETTINGS[name]: value for name, value in given.items() if value not in (None, ())}
    loaded = load(config, os.environ, options)
    if demo and "data" not in loaded.origins:
        loaded = load(config, os.environ, options | {"data": DEMO_DATA})
    if demo:
        check_demo(loaded.settings)
    return loaded
