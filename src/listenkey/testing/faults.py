"""What a testing venue gets wrong, as it is told to. Change the fields while it runs."""

from collections import deque
from typing import Literal

import msgspec

from listenkey.dialect.history import QueryKind


class Mishap(msgspec.Struct, frozen=True):
    """How one answer goes wrong."""

    status: int = 500
    body: bytes = b'{"code":-1000,"msg":"An unknown error occurred while processing the request."}'
    headers: tuple[tuple[str, str], ...] = ()
    half: bool = False
    """The right answer, and of it the first half of the bytes; then the connection is cut."""
    never: bool = False
    """No answer at all, for as long as the client waits."""
    kind: QueryKind | None = None
    """Only an answer to this; None for any."""


class Faults(msgspec.Struct):
    """Faults of the venue's history. Without any it is right, and at once."""

    lag_ms: int = 0
    """History ends so long ago, as venues warn that it does in a fast market."""
    page_order: Literal["right", "reversed", "doubled"] = "right"
    """How rows stand in a page: in their order, backwards, or each of them twice."""
    leaves_out: Literal["newest", "oldest"] = "newest"
    """Which rows of a span are not in a page that is too short for them; venues do not say."""
    stuck_pages: int = 0
    """So many of the next pages are the page before once more."""
    widest_ms: int = 0
    """Narrower windows than the venue's own are refused from here on; 0 for the venue's own."""
    weight_a_minute: int = 0
    """Weight that an address may spend in a minute before it is answered 429; 0 for no bound."""
    mishaps: deque[Mishap] = msgspec.field(default_factory=deque)
    """Answers that go wrong, the next one first."""

    def fail(self, times: int = 1, *, status: int = 500, kind: QueryKind | None = None) -> None:
        """The next answers are errors of the server, or with another status the venue's own for it."""
        self.mishaps.extend([Mishap(status, kind=kind)] * times)

    def limit(self, times: int = 1, *, status: Literal[418, 429] = 429, retry_after: int = 1) -> None:
        """The next answers say that there were too many requests, or that the address is banned."""
        body = b'{"code":-1003,"msg":"Too many requests; please use the websocket for live updates."}'
        headers = (("retry-after", str(retry_after)),)
        self.mishaps.extend([Mishap(status, body, headers)] * times)

    def page_of_html(self, times: int = 1, *, status: int = 200) -> None:
        """The next answers are pages of HTML, as of something that stands in front of the venue."""
        body = b"<html><body><h1>Please stand by</h1></body></html>"
        self.mishaps.extend([Mishap(status, body, (("content-type", "text/html"),))] * times)

    def cut_in_half(self, times: int = 1, *, kind: QueryKind | None = None) -> None:
        """The next answers break off."""
        self.mishaps.extend([Mishap(half=True, kind=kind)] * times)

    def never_answer(self, times: int = 1, *, kind: QueryKind | None = None) -> None:
        """The next requests are taken, and nothing comes of them."""
        self.mishaps.extend([Mishap(never=True, kind=kind)] * times)

    def next_for(self, kind: QueryKind) -> Mishap | None:
        """What is to go wrong with an answer of a kind, which is used up by that."""
        found = next((each for each in self.mishaps if each.kind in {None, kind}), None)
        if found is not None:
            self.mishaps.remove(found)
        return found
