"""Bodies of answers, unpacked a piece at a time: how much one may hold is not for the other side to say."""

import zlib
from typing import Final

import httpx

_EITHER: Final = 47
"""zlib's word for gzip or its own format, whichever it is."""


async def read_body(response: httpx.Response, most: int) -> bytes | None:
    """The body; None where it is longer than `most`, broken, or packed in a way that was not asked for.
    Errors: those of httpx."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        return None
    unpack = zlib.decompressobj(wbits=_EITHER) if encoding not in {"", "identity"} else None
    body = bytearray()
    async for part in response.aiter_raw():
        try:
            body += part if unpack is None else unpack.decompress(part, most + 1 - len(body))
        except zlib.error:
            return None
        if len(body) > most:
            return None
    return None if unpack is not None and body and not unpack.eof else bytes(body)
