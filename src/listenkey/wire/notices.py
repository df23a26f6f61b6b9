"""What a socket is told when a key of its ends."""

from listenkey.base.clock import Micros, to_millis
from listenkey.core.keylife import EndCause
from listenkey.dialect.model import Dialect
from listenkey.dialect.template import fill_json


def notices_for(dialect: Dialect, stream: str, cause: EndCause, listen_key: str, now: Micros) -> list[str]:
    """The dialect's notices on this stream, in the order of its rows; often none. `stream` is the dialect's
    stream, without a symbol."""
    values = {"now_ms": to_millis(now), "listen_key": listen_key}
    return [
        fill_json(notice.body, values)
        for notice in dialect.notices
        if cause in notice.on and stream in notice.streams
    ]
