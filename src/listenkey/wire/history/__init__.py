"""What a stream missed, asked of the venue's REST calls and told in the venue's own events, by dialect."""

from listenkey.wire.history.changes import reading_of, resting_among, totals_of
from listenkey.wire.history.events import RecoveredEvent, events_of, missing_orders
from listenkey.wire.history.holdings import Holdings, fold, holdings_of
from listenkey.wire.history.identity import Identity, identity_of
from listenkey.wire.history.query import Page, Query, Row, build_query, read_page, windows

__all__ = [
    "Holdings",
    "Identity",
    "Page",
    "Query",
    "RecoveredEvent",
    "Row",
    "build_query",
    "events_of",
    "fold",
    "holdings_of",
    "identity_of",
    "missing_orders",
    "read_page",
    "reading_of",
    "resting_among",
    "totals_of",
    "windows",
]
