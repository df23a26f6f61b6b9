"""A call to the admin listener and its answer."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec

from listenkey.base.errors import ListenKeyError, Refused, StoreError, StoreFull
from listenkey.edge.asgi import BodyTooLarge, BodyTooSlow, Receive, Send, read_body

_Body = TypeVar("_Body")
_Item = TypeVar("_Item")
JSON: Final = (b"content-type", b"application/json")
_PAGE_LENGTH: Final = 100
_LONGEST_PAGE: Final = 1000
_SMALL_BODY: Final = 65_536
_NAME: Final = re.compile("[a-z0-9._-]{1,64}")
_NUMBER: Final = re.compile("[0-9]{1,18}")

_STATUS: Final = {
    "unauthorized": 401, "forbidden": 403, "bad_host": 403, "bad_origin": 403, "not_found": 404,
    "method_not_allowed": 405, "body_too_slow": 408, "account_exists": 409, "api_key_exists": 409,
    "file_exists": 409, "too_large": 413,
}  # fmt: skip


class MethodNotAllowed(Refused):
    """The path is there, with other methods."""

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        remedy = f"use {' or '.join(allowed)}"
        super().__init__(f"{method} is not done here", remedy, code="method_not_allowed")
        self.allowed = allowed


class Answer(msgspec.Struct):
    """A whole answer."""

    status: int = 200
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = []


class Call(msgspec.Struct):
    """A request that is let in. `parts` are the pieces of the path that its route leaves open."""

    parts: list[str]
    query: dict[str, str]
    headers: dict[bytes, bytes]
    receive: Receive
    send: Send
    body_seconds: float

    async def read(self, shape: type[_Body]) -> _Body:
        """The body as JSON of this shape. Errors: `bad_body`, `too_large`, `body_too_slow`."""
        try:
            body = await read_body(self.receive, self.headers, _SMALL_BODY, self.body_seconds)
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(
                f"the body is not what is wanted: {error}", "send a JSON object", code="bad_body"
            ) from None
        except BodyTooLarge:
            raise Refused(f"the body has over {_SMALL_BODY} bytes", "send less", code="too_large") from None
        except BodyTooSlow:
            raise Refused(
                "the body took too long to arrive", "send it faster", code="body_too_slow"
            ) from None

    def page_length(self) -> int:
        """`limit`, 1 to 1000. Errors: `bad_limit`."""
        text = self.query.get("limit", str(_PAGE_LENGTH))
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= _LONGEST_PAGE):
            what = f"limit is not a number from 1 to {_LONGEST_PAGE}"
            raise Refused(what, "leave it out, or send a number", code="bad_limit")
        return int(text)

    def page(
        self,
        items: Iterable[_Item],
        cursor_of: Callable[[_Item], str],
        show: Callable[[_Item], dict[str, Any]],
    ) -> Answer:
        """The first `limit` of the items as a page of a list; `items` has at least one more where there are
        more."""
        length = self.page_length()
        found = list(items)
        shown = found[:length]
        following = cursor_of(shown[-1]) if len(found) > length else None
        return json({"items": [show(item) for item in shown], "next": following})

    def cursor(self) -> str:
        """Where the page begins, in a list in the order of names or ids; nothing for the start. Errors:
        `bad_cursor`."""
        return self._cursor(_NAME)

    def number_cursor(self) -> int:
        """The same in a list in the order of numbers."""
        return int(self._cursor(_NUMBER) or "0")

    def _cursor(self, shape: re.Pattern[str]) -> str:
        text = self.query.get("cursor", "")
        if text and not shape.fullmatch(text):
            raise Refused("the cursor is not one that a list gave", "start without one", code="bad_cursor")
        return text


def json(value: Any, status: int = 200) -> Answer:
    """An answer in JSON."""
    return Answer(status, msgspec.json.encode(value), [JSON])


def failure(error: ListenKeyError) -> Answer:
    """The answer to a call that was refused or could not be done."""
    if isinstance(error, StoreFull):
        status = 507
    elif isinstance(error, StoreError):
        status = 503
    else:
        status = _STATUS.get(error.code, 404 if error.code.startswith("unknown_") else 400)
    answer = json({"error": {"code": error.code, "message": error.message, "remedy": error.remedy}}, status)
    if status == 401:
        answer.headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, MethodNotAllowed):
        answer.headers.append((b"allow", ", ".join(error.allowed).encode()))
    return answer
