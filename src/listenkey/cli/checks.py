"""What is wrong with a configuration that only the dialects can tell: names, files, overlaps of paths."""

from listenkey.base.errors import ConfigError, DialectError
from listenkey.config import Settings


def dialect_problems(settings: Settings) -> list[str]:
    """A line for each problem: what, and what to do about it."""
    from listenkey.app.dialects import configured_dialects
    from listenkey.wire.routes import build_routes

    try:
        routes = build_routes(configured_dialects(settings), settings.hosts())
    except (DialectError, ConfigError) as error:
        return [str(error)]
    return [
        f"listen: {listener} names no dialect or stream; `listenkey dialect list` shows the names"
        for listener in settings.listeners()
        if listener.name and listener.name not in routes.names
    ]
