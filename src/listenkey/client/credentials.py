"""An API key and its secret: given, made when they are needed, or found in the environment. None of them is
ever part of what this prints."""

import inspect
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeAlias

from listenkey.base.errors import Refused

Credential: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A key or a secret, or something that gives it whenever it is needed, at once or in its own time."""
KEY_VARIABLE: Final = "LISTENKEY_API_KEY"
SECRET_VARIABLE: Final = "LISTENKEY_API_SECRET"  # noqa: S105 - a name
_PEM: Final = "-----BEGIN "
_ENCRYPTED: Final = "ENCRYPTED"


class Credentials:
    """Asked anew before each call, so that keys may be changed while a stream is open."""

    def __init__(self, api_key: Credential | None, api_secret: Credential | None) -> None:
        """What is None is looked for in the environment. Errors: `Refused` where there is no key, for a file
        that cannot be read, and for a private key that wants a pass phrase."""
        self._key = _found(api_key, KEY_VARIABLE)
        self._secret = _found(api_secret, SECRET_VARIABLE)
        if not self._key:
            raise Refused(
                "there is no API key", f"give api_key, or set {KEY_VARIABLE} or {KEY_VARIABLE}_FILE"
            )
        self._last_key = _sendable(self._key) if isinstance(self._key, str) else ""
        self._last_secret = checked(self._secret) if isinstance(self._secret, str) else ""

    @property
    def has_secret(self) -> bool:
        """Whether there is one, or something that may give it."""
        return bool(self._secret)

    async def refresh(self) -> None:
        """Ask for both. Errors: whatever asking raises, and `Refused` for what is no text."""
        if not isinstance(self._key, str):
            self._last_key = _sendable(await _asked(self._key))
        if not isinstance(self._secret, str):
            self._last_secret = checked(await _asked(self._secret))

    def key(self) -> str:
        """The API key, as it was when it was last asked for."""
        return self._last_key

    def secret(self) -> str:
        """The same of the secret; nothing where there is none."""
        return self._last_secret

    def masked(self, text: str) -> str:
        """A text without them."""
        for each in (self._last_key, self._last_secret):
            text = text.replace(each, "…") if each else text
        return text


def found(variable: str) -> str:
    """What the environment says, in the variable itself or in the file that `…_FILE` names; nothing where
    neither is set. Errors: `Refused` for a file that cannot be read."""
    if text := os.environ.get(variable):
        return text
    file = os.environ.get(f"{variable}_FILE")
    return read_file(Path(file)) if file else ""


def read_file(file: Path) -> str:
    """A secret out of a file. Errors: `Refused`."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Refused(f"cannot read {file}: {reason}", "check the path and its mode") from None


def checked(secret: str) -> str:
    """A secret that can be signed with; of a private key the lines, also where they were written as one.
    Errors: `Refused` for one that is encrypted."""
    if not secret.lstrip().startswith(_PEM):
        return secret
    if _ENCRYPTED in secret:
        raise Refused(
            "the private key is encrypted",
            "give it in clear: openssl pkey -in KEY.pem -out CLEAR.pem, in a file that only you may read",
        )
    return secret.strip().replace("\\n", "\n")


def _sendable(key: str) -> str:
    """An API key that can stand in a header."""
    if key.isascii() and key.isprintable() and key == key.strip():
        return key
    raise Refused(
        "the API key has characters that no API key has", "look for line breaks and spaces around it"
    )


def _found(given: Credential | None, variable: str) -> Credential:
    return found(variable) if given is None else given


async def _asked(source: Callable[[], str | Awaitable[str]]) -> str:
    answer = source()
    if inspect.isawaitable(answer):
        answer = await answer
    if not isinstance(answer, str):
        raise Refused(f"a credential is no text but {type(answer).__name__}", "give a function of text")
    return answer
