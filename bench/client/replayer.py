"""A venue of one page: gives anybody a listen key, and whoever opens a socket all the frames that it has.

Prints its port. `--events`: how many frames a socket is sent; 0 leaves it quiet.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import re
import socketserver
import sys
import threading

from listenkey.dialect.registry import load_dialects
from listenkey.wire.frames import TEXT, ws_frame

DIFFERENT = 20_000
"""Events that differ; then the same come again."""
KEY = "k" * 64
BODIES = {
    "listenKey": {"listenKey": KEY},
    "time": {"serverTime": 1732180000000},
    "exchangeInfo": {"timezone": "UTC", "serverTime": 1732180000000, "rateLimits": [], "symbols": []},
}


def order_updates(count: int) -> list[bytes]:
    """Fills of orders of their own, as the venue sends them."""
    dialect = load_dialects()["binance-usdm"]
    (event,) = (each for each in dialect.events if each.type == "ORDER_TRADE_UPDATE")
    sample = json.loads(event.sample)
    made = []
    for number in range(count):
        at = 1_732_180_000_000 + number
        order = sample["o"] | {"c": f"bench-{number}", "i": 8_000_000_000 + number, "t": number, "T": at}
        made.append(json.dumps(sample | {"E": at, "T": at, "o": order}, separators=(",", ":")).encode())
    return made


class Handler(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Answer calls until one asks for a socket."""
        left = b""
        while True:
            while b"\r\n\r\n" not in left:
                if not (got := self.request.recv(65536)):
                    return
                left += got
            head, _, left = left.partition(b"\r\n\r\n")
            text = head.decode("latin-1")
            length = re.search(r"^content-length: (\d+)", text, re.IGNORECASE | re.MULTILINE)
            while length and len(left) < int(length[1]):
                left += self.request.recv(65536)
            left = left[int(length[1]) if length else 0 :]
            if key := re.search(r"^sec-websocket-key: (\S+)", text, re.IGNORECASE | re.MULTILINE):
                self.play(key[1])
                return
            self.answer(text.split(" ")[1])

    def answer(self, target: str) -> None:
        """Any call."""
        name = target.partition("?")[0].rpartition("/")[2]
        body = json.dumps(BODIES.get(name, {})).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.request.sendall(head.encode() + body)

    def play(self, key: str) -> None:
        """A socket: the frames, and then silence until the other side closes."""
        token = key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(token).digest()).decode()  # noqa: S324 - RFC 6455
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        with contextlib.suppress(ConnectionError):
            self.request.sendall(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
            for part in self.server.parts:  # type: ignore[attr-defined]
                self.request.sendall(part)
            while self.request.recv(65536):
                pass


class Server(socketserver.ThreadingTCPServer):
    """All connections, a thread each."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024


def parts(events: int) -> list[bytes]:
    """What a socket is sent: so many frames, half a megabyte at a time."""
    frames = [ws_frame(event, TEXT) for event in order_updates(min(DIFFERENT, events))]
    whole, rest = divmod(events, len(frames)) if frames else (0, 0)
    some = [b"".join(frames[at : at + 1000]) for at in range(0, len(frames), 1000)]
    return some * whole + [b"".join(frames[:rest])]


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=0)
    given = parser.parse_args()
    with Server(("127.0.0.1", 0), Handler) as server:
        server.parts = parts(given.events)  # type: ignore[attr-defined]
        print(server.server_address[1], flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
