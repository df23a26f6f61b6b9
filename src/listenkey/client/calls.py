"""REST calls to a venue: sent, bounded, and whatever comes back read as an answer or as a reason for none."""

import asyncio
import contextlib
import time
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from listenkey.base.clock import SECOND, Micros
from listenkey.client.body import read_body
from listenkey.client.socket import tls
from listenkey.core.keeper import Fault
from listenkey.wire.client import Call, CallResult

_CALL_TIMEOUT: Final = 10.0
_LARGEST_ANSWER: Final = 4 << 20


class Calls:
    """Calls to one address, and how far its clock is from ours."""

    def __init__(self, rest: str) -> None:
        """`rest`: the address that the paths of calls are added to."""
        self._rest = rest
        # Not a whole client: that one logs each address, and with it listen keys.
        self._http = httpx.AsyncHTTPTransport(verify=tls())
        self.clock_offset: Micros = 0
        self._least = self._most = wall_micros() - _steady_micros()
        """How far the venue's clock is from the steady one, at least and at most: as ours is, until an answer
        said what time it was there."""
        self._was_told = False

    def now(self) -> Micros:
        """What calls are signed with: the wall clock, set only when the venue refused it."""
        return wall_micros() + self.clock_offset

    def at_venue_ms(self, at_ms: int) -> int:
        """A moment of the steady clock by the venue's, as well as is known by now, and no later one."""
        return at_ms + self._least // 1000

    def now_ms(self) -> int:
        """The venue's clock in milliseconds, and no earlier time than it shows."""
        return (_steady_micros() + self._most) // 1000

    async def request(self, call: Call) -> httpx.Response | CallResult:
        """The answer to a call, with its body; or why there is none."""
        request = httpx.Request(
            call.method,
            self._rest + call.path,
            headers={"Accept": "*/*", "Accept-Encoding": "gzip", **dict(call.headers)},
            extensions={"timeout": httpx.Timeout(_CALL_TIMEOUT).as_dict()},
        )
        asked = _steady_micros()
        try:
            async with asyncio.timeout(_CALL_TIMEOUT):
                response = await self._http.handle_async_request(request)
                try:
                    body = await read_body(response, _LARGEST_ANSWER)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            return CallResult("transient", reason=type(error).__name__)
        if body is None:
            return CallResult("transient", reason="an answer without an end")
        self._see(response, asked)
        return httpx.Response(response.status_code, headers=_plain(response), content=body)

    def _see(self, response: httpx.Response, asked: Micros) -> None:
        """Note how far the clocks are apart. A `Date` is of whole seconds, and was written some time between
        question and answer."""
        with contextlib.suppress(KeyError, ValueError, OverflowError):
            told = int(parsedate_to_datetime(response.headers["date"]).timestamp() * SECOND)
            least, most = told - _steady_micros(), told + SECOND - asked
            if self._was_told and least <= self._most and self._least <= most:
                least, most = max(least, self._least), min(most, self._most)
            self._least, self._most, self._was_told = least, most, True

    async def fault(self, result: CallResult) -> Fault:
        """What a failure means; a clock that is wrong has been set by then."""
        assert result.outcome != "done"
        if result.outcome == "clock":
            await self._set_clock()
        until = now_micros() + max(0, result.retry_at - wall_micros()) if result.retry_at else 0
        return Fault(result.outcome, until, result.reason)

    async def _set_clock(self) -> None:
        """Take the venue's time from the `Date` of any answer; a second's grain is enough for the windows."""
        answer = await self.request(Call("GET", "/", ()))
        if isinstance(answer, httpx.Response):
            with contextlib.suppress(KeyError, ValueError, OverflowError):
                told = parsedate_to_datetime(answer.headers["date"]).timestamp()
                self.clock_offset = int(told * SECOND) - wall_micros()

    async def close(self) -> None:
        """Leave nothing open."""
        await self._http.aclose()


def now_micros() -> Micros:
    """The monotonic clock."""
    return time.monotonic_ns() // 1000


def wall_micros() -> Micros:
    """The wall clock."""
    return time.time_ns() // 1000


def _steady_micros() -> Micros:
    through_sleep = getattr(time, "CLOCK_BOOTTIME", None)
    return (time.monotonic_ns() if through_sleep is None else time.clock_gettime_ns(through_sleep)) // 1000


def steady_ms() -> int:
    """A clock that nobody sets, and that runs on while the machine sleeps, where it has such a one."""
    return _steady_micros() // 1000


def headers_of(response: httpx.Response) -> dict[str, str]:
    """The headers by lower-case name."""
    return {name.lower(): value for name, value in response.headers.items()}


def _plain(response: httpx.Response) -> list[tuple[str, str]]:
    """The headers of an answer whose body was decompressed."""
    told = {"content-encoding", "content-length", "transfer-encoding"}
    return [(name, value) for name, value in response.headers.multi_items() if name.lower() not in told]
