"""A gateway that answers wrong: it passes each call on to a real one and changes what comes back."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Planted:
    """Everywhere in the answers' bodies, and for a number in their status, `old` becomes `new`."""

    def __init__(self, upstream: str, old: str, new: str) -> None:
        self._client = httpx.Client(base_url=upstream, trust_env=False)
        self._old, self._new = old, new
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> str:
        """Serve on a port of its own; returns the address."""
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._client.close()

    def _answer(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        kept = {name: value for name, value in headers.items() if name.lower().startswith("x-")}
        answer = self._client.request(method, path, headers=kept)
        body = re.sub(self._old, self._new, answer.text)
        return int(re.sub(self._old, self._new, str(answer.status_code))), body.encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        planted = self

        class Handler(BaseHTTPRequestHandler):
            """One connection of newman's."""

            def _pass_on(self) -> None:
                status, body = planted._answer(self.command, self.path, dict(self.headers))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815 the names that the library calls

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler
