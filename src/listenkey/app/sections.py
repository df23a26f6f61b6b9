"""What several sections of the configuration say alike: whose, of which stream, and out of which file. Needs
nothing of the server's, so that any machine can check a configuration."""

from pathlib import Path

from listenkey.base.errors import ConfigError, Refused
from listenkey.base.ids import check_account_name
from listenkey.service.names import StreamNames


def check_account(where: str, account: str, remedy: str) -> None:
    """Errors: `ConfigError` for an account that is not named, with what to name, or cannot be one."""
    if not account:
        raise ConfigError(f"{where}.account is not set", remedy)
    try:
        check_account_name(account)
    except Refused as error:
        raise ConfigError(f"{where}.account: {error.message}", error.remedy) from error


def check_stream(where: str, stream: str, names: StreamNames) -> None:
    """Errors: `ConfigError` for a stream that there is not."""
    if not names.is_stream(stream):
        raise ConfigError(
            f"{where}.stream: there is no stream {stream or '(empty)'}", "see `listenkey dialect list`"
        )


def read_text(setting: str, file: str) -> str:
    """The file that a setting names. Errors: `ConfigError` for one that cannot be read."""
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{setting} cannot be read: {error}", "check the path and its mode") from error
