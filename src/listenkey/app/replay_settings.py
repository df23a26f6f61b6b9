"""`[[replay]]`: what is to be played, from the configuration and the first lines of records. Needs nothing of
the server's, so that any machine can check a configuration."""

from collections.abc import Mapping
from pathlib import Path

from listenkey.app.sections import check_account, check_stream
from listenkey.base.errors import ConfigError
from listenkey.client.record import stream_of
from listenkey.config import ReplaySettings, Settings
from listenkey.dialect.model import Dialect
from listenkey.service.names import StreamNames


def replayed_streams(settings: Settings, dialects: Mapping[str, Dialect]) -> dict[str, str]:
    """The stream that each `[[replay]]` fills. Errors: `ConfigError` for what is missing, cannot be read, or
    is no record."""
    names = StreamNames(dict(dialects))
    streams = {name: _stream(f"replay.{name}", given, names) for name, given in settings.replay.items()}
    live = {(given.account, given.stream): name for name, given in settings.upstream.items()}
    for name, stream in streams.items():
        if other := live.get((settings.replay[name].account, stream)):
            raise ConfigError(
                f"replay.{name} fills the journal that upstream.{other} fills",
                "give it another account: what is played would pass for what happens now",
            )
    return streams


def _stream(where: str, given: ReplaySettings, names: StreamNames) -> str:
    check_account(where, given.account, "name the account to journal for")
    try:
        with Path(given.file).open("rb") as lines:
            recorded = stream_of(next((line for line in lines if line.strip()), b""))
    except OSError as error:
        problem = f"{where}.file cannot be read: {error.strerror}"
        raise ConfigError(problem, "check the path and its mode") from error
    if not recorded:
        raise ConfigError(f"{where}.file is no record", "make one with `listenkey tail --record`")
    stream = given.stream or recorded
    check_stream(where, stream, names)
    return stream
