"""`GET /docs/`: the reference, shown to whoever reaches the listener; it holds no secrets."""

import asyncio
import gzip
from collections.abc import Callable
from hashlib import sha256
from typing import Final, Protocol, TypeAlias

import msgspec

from listenkey.base.errors import Refused
from listenkey.edge.admin.call import Answer, Call

_POLICY: Final = (
    b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'none'; "
    b"base-uri 'none'; frame-ancestors 'none'"
)
_TYPES: Final = {
    "html": b"text/html; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
    "json": b"application/json",
}


class Site(Protocol):
    """What is shown; each file is made when it is read."""

    def read(self, path: str) -> bytes | None:
        """The content of a file; None where there is none."""


SiteMaker: TypeAlias = Callable[[], Site]
"""Makes the site. Slow, so it is called when somebody wants to see it."""


class _File(msgspec.Struct, frozen=True):
    packed: bytes
    tag: bytes
    kind: bytes


class Docs:
    """The files of the site, each made once, beside the event loop, and kept packed."""

    def __init__(self, maker: SiteMaker | None) -> None:
        """Without a maker there is nothing to show."""
        self._maker = maker
        self._site: Site | None = None
        self._files: dict[str, _File] = {}
        self._making = asyncio.Lock()

    async def enter(self, call: Call) -> Answer:
        """`GET /docs`: to the address under which relative links hold."""
        return Answer(308, b"", [(b"location", b"/docs/")])

    async def show(self, call: Call) -> Answer:
        """`GET /docs/{path}`. Errors: `not_found`."""
        path = call.parts[0]
        file = await self._file(f"{path}index.html" if not path or path.endswith("/") else path)
        headers = [
            (b"etag", file.tag),
            (b"cache-control", b"no-cache"),
            (b"content-security-policy", _POLICY),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            (b"vary", b"accept-encoding"),
        ]
        if file.tag in call.headers.get(b"if-none-match", b""):
            return Answer(304, b"", headers)
        headers.append((b"content-type", file.kind))
        if b"gzip" in call.headers.get(b"accept-encoding", b""):
            return Answer(200, file.packed, [*headers, (b"content-encoding", b"gzip")])
        return Answer(200, gzip.decompress(file.packed), headers)

    async def _file(self, path: str) -> _File:
        if path not in self._files:
            async with self._making:
                found = self._files.get(path) or await asyncio.to_thread(self._make, path)
            if found is None:
                raise Refused("there is no such page", "begin at /docs/", code="not_found")
            self._files[path] = found
        return self._files[path]

    def _make(self, path: str) -> _File | None:
        if self._maker is None:
            return None
        if self._site is None:
            self._site = self._maker()
        content = self._site.read(path)
        if content is None:
            return None
        tag = f'"{sha256(content).hexdigest()[:32]}"'.encode()
        return _File(gzip.compress(content, mtime=0), tag, _TYPES[path.rpartition(".")[2]])
