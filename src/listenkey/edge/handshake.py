"""The opening handshake of a WebSocket (RFC 6455 section 4.2), on a request that is parsed already.

No subprotocol is agreed to; of extensions `edge.deflate` decides."""

import binascii
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1
from typing import Final

import msgspec

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_NONCE_BYTES: Final = 16


class Refusal(msgspec.Struct, frozen=True):
    """An HTTP answer in place of the 101."""

    status: int
    message: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def check_upgrade(method: str, http_version: str, headers: Mapping[bytes, bytes]) -> bytes | Refusal:
    """The value of `Sec-WebSocket-Accept`, or why there will be no WebSocket. That `Upgrade` and `Connection`
    ask for one is known before."""
    if method != "GET":
        return Refusal(405, b"a WebSocket opens with GET", ((b"allow", b"GET"),))
    if http_version != "1.1":
        return Refusal(400, b"a WebSocket needs HTTP/1.1")
    if headers.get(b"sec-websocket-version", b"").strip() != b"13":
        return Refusal(426, b"WebSocket version 13 is spoken here", ((b"sec-websocket-version", b"13"),))
    key = headers.get(b"sec-websocket-key", b"").strip()
    try:
        nonce = binascii.a2b_base64(key, strict_mode=True)
    except binascii.Error:
        nonce = b""
    if len(nonce) != _NONCE_BYTES:
        return Refusal(400, b"Sec-WebSocket-Key is not 16 bytes in base 64")
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def switching_protocols(accept: bytes, date: bytes, extension: bytes = b"") -> bytes:
    """The 101. `extension`: what was agreed to."""
    agreed = b"Sec-WebSocket-Extensions: " + extension + b"\r\n" if extension else b""
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n" + agreed + b"Date: " + date + b"\r\n\r\n"
    )
