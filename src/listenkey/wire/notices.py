"""What a socket is told when a key of its ends, or the server."""

from listenkey.base.clock import Micros, to_millis
from listenkey.core.keylife import EndCause
from listenkey.dialect.model import Dialect
from listenkey.dialect.template import fill_json
from listenkey.wire import frames


def notices_for(dialect: Dialect, stream: str, cause: EndCause, listen_key: str, now: Micros) -> list[str]:
    """The dialect's notices on this stream, in the order of its rows; often none. `stream` is the dialect's
    stream, without a symbol."""
    values = {"now_ms": to_millis(now), "listen_key": listen_key}
    return [
        fill_json(notice.body, values)
        for notice in dialect.notices
        if cause in notice.on and stream in notice.streams
    ]


def render_goodbye(dialect: Dialect, now: Micros, *, combined: bool) -> bytes | None:
    """What a stream socket is told before the server ends, as a frame; `combined`: where it has its events
    wrapped. None where the venue tells nothing."""
    rows = dialect.frames
    if not rows.shutdown:
        return None
    variant = frames.combined(rows.shutdown_name, rows.codec) if combined else frames.raw(rows.codec)
    return variant.wrap(fill_json(rows.shutdown, {"now_ms": to_millis(now)}).encode())
