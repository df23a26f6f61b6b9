"""Performs programs in a process of its own, so that a crash of the library is a failed test and no more.

Standard input is JSON, `{"programs": [{"language", "text"}], "publish": {...} or null, "carried": ""}`.
Standard output is a line of JSON for each program as soon as it is done:
`{"language", "printed", "calls", "left", "error"}`.
"""

import http.client
import json
import re
import sys
from typing import Any
from urllib.parse import urlsplit

from tests.chilkat.grammars import GRAMMARS
from tests.chilkat.performing import Call, Performer, PerformError
from tests.chilkat.reading import read
from tests.chilkat.strings import ReadError


class Publisher:
    """Publishes a stream's events once the program is ready for them."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        self._open = False

    def after(self, call: Call) -> None:
        """When the handshake is through, or later: when a frame was sent, or a method called."""
        if call.member == "ValidateServerHandshake":
            self._open = True
        awaited = self._told["after"]
        sent = call.member == awaited or (call.member == "SendFrame" and call.arguments[0] == awaited)
        if self._open and (sent if awaited else True):
            self._open = False
            self._publish()

    def _publish(self) -> None:
        told = self._told
        url = urlsplit(told["admin"])
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=20)
        lines = [
            {"account": told["account"], "stream": told["stream"], "event": event} for event in told["events"]
        ]
        connection.request(
            "POST",
            "/v1/publish",
            "\n".join(json.dumps(line) for line in lines),
            {"Authorization": f"Bearer {told['token']}", "Content-Type": "application/x-ndjson"},
        )
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status == http.client.OK


def perform(language: str, text: str, publish: dict[str, Any] | None) -> dict[str, Any]:
    """One program."""
    performer = Performer(GRAMMARS[language])
    if publish:
        performer.after = Publisher(publish).after
    error = ""
    try:
        performer.run(read(language, text))
    except (ReadError, PerformError) as found:
        error = f"{type(found).__name__}: {found}"
    calls = [
        [each.kind, each.member, [getattr(one, "kind", one) for one in each.arguments]]
        for each in performer.calls
    ]
    return {
        "language": language,
        "printed": performer.printed,
        "calls": calls,
        "left": performer.left,
        "error": error,
    }


def main() -> None:
    """All programs of standard input."""
    told = json.loads(sys.stdin.read())
    carried = told["carried"]
    key = carried
    for each in told["programs"]:
        text = each["text"].replace(carried, key) if carried else each["text"]
        done = perform(each["language"], text, told["publish"])
        for line in done["printed"]:
            found = re.search(r'"listenKey":"(\w+)"', line)
            key = found[1] if found else key
        sys.stdout.write(json.dumps(done) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
