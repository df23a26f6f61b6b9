"""Lines given to curl itself: what it sends is what the reader of lines said it would."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from listenkey.reference.foreign import read_line
from listenkey.reference.foreign.request import Foreign, Pair, read_body, read_target


class Listener(ThreadingHTTPServer):
    """Keeps the requests that came, and answers each with nothing."""

    def __init__(self) -> None:
        self.heard: list[Foreign] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def _hear(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        kind, body = read_body(content)
        target = read_target(self.path)
        heard = Foreign(
            method=self.command,
            path=target.path,
            query=target.query,
            headers=tuple(Pair(name, value) for name, value in self.headers.items()),
            body=body,
            body_kind=kind,
        )
        self.server.heard.append(heard)
        self.send_response(204)
        self.end_headers()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _hear  # noqa: N815 the names that the library calls

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """A listener on a port of its own."""
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


LINES = [
    "curl -s URL",
    "curl -sX PUT URL",
    "curl -s -XDELETE 'URL?a=1&b=%20x'",
    "curl -s --request PUT --url URL --header 'X-K: a b'",
    "curl -s -d a=1 -d 'b=2 3' URL",
    "curl -s -G -d a=1 --data-urlencode 'b=x y&z' URL",
    "curl -s --data-urlencode 'x y' --data-urlencode '=q' --data-urlencode a=é URL",
    "curl -s -X PUT --data-raw '@a=1' URL",
    "curl -s -X PUT --data-binary 'a=1&b=2' -H 'X-K: it' URL",
    "curl -s -H $'X-K: a\\'b\\x21' URL",
    'curl -s -H "X-K: a\\"b\\\\c" URL',
    "curl -s \\\n  -X PUT \\\n  -H 'X-K: q' \\\n  URL",
    "K=secret; curl -s -H \"X-K: $K\" -X PUT URL",
    "export K=URL\ncurl -s -X PUT \"${K}?a=b\"",
    "curl -s -X PUT URL?a=1&b=2",
    "curl -s URL/a URL/b",
    "curl -s -X PUT URL/a --next -s URL/b",
    "curl -s -I URL",
    "curl -s -H 'X-K;' URL",
    "curl -s -H 'X-K:' URL",
    "curl -s -d '' URL",
    "curl -s -H 'Content-Type: application/json' -d '{\"a\": 1, \"b\": \"c\"}' URL",
    "curl -s -X POST URL -d 'a=1' | cat",
    "curl -sS -o /dev/null -w '%{http_code}' -m 5 --retry 0 -A agent URL",
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_curl_sends_what_was_read(line, listener):
    """Method, path, parameters, body: for each request of the line, in its order."""
    text = line.replace("URL", f"http://127.0.0.1:{listener.server_port}/p")
    listener.heard.clear()
    subprocess.run(
        ["bash", "-c", text],
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    assert [seen(each) for each in listener.heard] == [seen(each) for each in read_line(text)]


def seen(request: Foreign) -> tuple[object, ...]:
    """What both sides know of a request."""
    own = request.header("X-K")
    return request.method, request.path, request.query, request.body, request.body_kind, own
