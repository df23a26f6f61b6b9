"""Asks a desk as the client asks a venue, without a socket."""

from urllib.parse import parse_qsl

import msgspec

from listenkey.base.clock import MILLISECOND
from listenkey.dialect.registry import load_dialects
from listenkey.testing.desk import Desk
from listenkey.testing.faults import Faults
from listenkey.testing.ledger import Ledger
from listenkey.testing.shape import shapes
from listenkey.wire.client import CallResult
from listenkey.wire.history import (
    Page,
    Query,
    build_query,
    events_of,
    fold,
    holdings_of,
    identity_of,
    missing_orders,
    read_page,
    windows,
)

DIALECTS = load_dialects()
STREAMS = [" ".join(key).strip() for key in sorted(shapes())]


class DeskReader:
    """One stream's ledger, the desk over it, and what a reader makes of both."""

    def __init__(self, stream, limit=0):
        """`limit`: rows that a page may have; 0 for as many as the venue gives."""
        name, _, part = stream.partition(" ")
        self.dialect = next(each for each in DIALECTS.values() if each.histories(name))
        history = next(each for each in self.dialect.histories(name) if each.part == part)
        if limit:
            calls = {
                kind: msgspec.structs.replace(call, limit=limit) if call.limit else call
                for kind, call in history.calls.items()
            }
            history = msgspec.structs.replace(history, calls=calls)
        self.history = history
        self.shape = shapes()[name, part]
        self.ledger = Ledger(self.shape.kind)
        self.faults = Faults()
        self.desk = Desk(self.dialect, history, self.shape, self.ledger, self.faults)
        self.now = 0
        self.streamed = []

    def tell(self, told):
        """The stream has this too."""
        for each in told:
            raw = self.shape.event(each, len(self.streamed) + 1)
            if raw:
                self.streamed.append((each, raw))

    def answer(self, query):
        """One answer, read."""
        call = build_query(
            self.dialect, self.history, query, api_key="key", secret="secret", now=self.now * MILLISECOND
        )
        parameters = dict(parse_qsl(call.path.partition("?")[2], keep_blank_values=True))
        answer = self.desk.answer(query.kind, parameters, self.now)
        return read_page(
            self.dialect, self.history, query, answer.status, dict(answer.headers), answer.body, 0
        )

    def rows(self, query):
        """All pages."""
        rows = []
        while query is not None:
            page = self.answer(query)
            assert isinstance(page, Page), page
            assert page.whole
            rows += page.rows
            query = page.next
        return rows

    def listed(self, kind, symbols, from_ms, to_ms):
        """All rows of symbols in a span, window for window."""
        return [
            row
            for symbol in symbols
            for begin, end in windows(self.history, kind, from_ms, to_ms)
            for row in self.rows(Query(kind, symbol, begin, end))
        ]

    def recovered(self, symbols, from_ms, to_ms, known=()):
        """Events of a span; `known`: orders that were open before it."""
        orders = self.listed("orders", symbols, from_ms, to_ms)
        fills = self.listed("fills", symbols, from_ms, to_ms)
        if "open_orders" in self.history.calls:
            orders += [row for symbol in symbols for row in self.rows(Query("open_orders", symbol))]
        asked = [
            *missing_orders(orders, fills),
            *(Query("order", *each[:1], order_id=each[1]) for each in known),
        ]
        orders += [row for query in asked for row in self.rows(query)]
        return events_of(self.dialect, self.history, orders, fills, from_ms=from_ms, to_ms=to_ms)

    def holdings(self):
        """What REST says there is."""
        kinds = [kind for kind in ("balances", "positions") if kind in self.history.calls]
        symbol = "BTCUSDT" if self.history.calls["balances"].symbol == "required" else ""
        return holdings_of(self.history, [row for kind in kinds for row in self.rows(Query(kind, symbol))])

    def folded(self, holdings):
        """What the stream's events make of what there was."""
        for _, raw in self.streamed:
            holdings = fold(self.history, holdings, event_kind(raw), raw)
        return holdings

    def facts(self):
        """Streamed events with their identities, times and payloads."""
        found = [
            (identity_of(self.history, event_kind(raw), raw), told.time, raw) for told, raw in self.streamed
        ]
        return [each for each in found if each[0] is not None]


def event_kind(raw):
    """An event's type."""
    return msgspec.json.decode(raw)["e"]


__all__ = ["STREAMS", "CallResult", "DeskReader", "Query", "event_kind"]
