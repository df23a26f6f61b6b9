"""What is wrong with a configuration beyond its values: what the dialects and the certificate have to say."""

from listenkey.base.errors import ConfigError, DialectError
from listenkey.config import Settings


def deeper_problems(settings: Settings) -> list[str]:
    """A line for each problem: what, and what to do about it."""
    return [
        *_dialect_problems(settings),
        *_certificate_problems(settings),
        *_accepted_problems(settings),
        *_passage_problems(settings),
        *_upstream_problems(settings),
        *_replay_problems(settings),
    ]


def _dialect_problems(settings: Settings) -> list[str]:
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


def _accepted_problems(settings: Settings) -> list[str]:
    from listenkey.app.accepted import accepted_api_keys

    try:
        accepted_api_keys(settings)
    except ConfigError as error:
        return [str(error)]
    return []


def _upstream_problems(settings: Settings) -> list[str]:
    if not settings.upstream:
        return []
    from listenkey.app.dialects import configured_dialects
    from listenkey.app.upstream_settings import upstream_openers

    try:
        upstream_openers(settings, configured_dialects(settings))
    except DialectError:
        return []  # said already
    except ConfigError as error:
        return [str(error)]
    return []


def _replay_problems(settings: Settings) -> list[str]:
    if not settings.replay:
        return []
    from listenkey.app.dialects import configured_dialects
    from listenkey.app.replay_settings import replayed_streams

    try:
        replayed_streams(settings, configured_dialects(settings))
    except DialectError:
        return []  # said already
    except ConfigError as error:
        return [str(error)]
    return []


def _passage_problems(settings: Settings) -> list[str]:
    if not settings.passage:
        return []
    from listenkey.app.dialects import configured_dialects
    from listenkey.app.passage_settings import configured_venues

    try:
        dialects = configured_dialects(settings)
    except (DialectError, ConfigError):
        return []  # said already
    try:
        configured_venues(settings, dialects)
    except ConfigError as error:
        return [str(error)]
    return []


def _certificate_problems(settings: Settings) -> list[str]:
    if not settings.tls.cert:
        return []
    import ssl

    try:
        # The empty password keeps OpenSSL from asking for one at the terminal.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls.cert, settings.tls.key, password="")
    except (OSError, ValueError) as error:
        pair = f"{settings.tls.cert} and {settings.tls.key}"
        return [f"tls.cert: {pair} are no certificate and its unencrypted key ({error}); name two PEM files"]
    return []
