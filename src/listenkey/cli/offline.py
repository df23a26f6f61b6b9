"""Commands that work on the data folder itself, or start the server: what they share."""

import os
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click

from listenkey.base.errors import Refused
from listenkey.config import Settings, load

# One module of each library that the extra brings.
_SERVER_MODULES: Final = (
    "apsw",
    "cryptography",
    "httptools",
    "isal",
    "jinja2",
    "prometheus_client",
    "pygments",
    "structlog",
    "uvicorn",
    "uvloop",
)


def require_server(what: str) -> None:
    """Errors: `Refused("no_server")` on the bare install, with the line to run."""
    require_modules(what, _SERVER_MODULES)


def require_modules(what: str, names: Iterable[str]) -> None:
    """The same for a command that needs only some of its libraries."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise Refused(
            f"`listenkey {what}` needs the server, and {missing[0]} is not installed",
            "run: pip install 'listenkey[server]'",
            code="no_server",
        )


def with_data(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which data folder is meant."""
    function = click.option(
        "--config", metavar="FILE", envvar="LISTENKEY_CONFIG", type=click.Path(path_type=Path),
        help="Configuration file.",
    )(function)  # fmt: skip
    return click.option("--data", metavar="DIR", help="Data folder.")(function)


def offline_settings(data: str | None, config: Path | None) -> Settings:
    """The settings of a data folder that nobody serves. Errors: `ConfigError`."""
    return load(config, os.environ, {} if data is None else {"data": data}).settings
