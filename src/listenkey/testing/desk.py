"""Answers of a venue's history calls, folded from a ledger: what the dialect's `history` says, from the other
side. Pure but for the faults that it uses up."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from listenkey.dialect.history import History, HistoryCall, QueryKind
from listenkey.dialect.model import Dialect
from listenkey.dialect.template import fill_json
from listenkey.testing.faults import Faults
from listenkey.testing.ledger import Books, Ledger, Order, market
from listenkey.testing.shape import Shape

_FOREVER: Final = 2**62


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class _Found(msgspec.Struct, frozen=True):
    """A row with what pages go by."""

    time: int
    row: bytes


class Desk:
    """One account's history on one stream."""

    def __init__(
        self,
        dialect: Dialect,
        history: History,
        shape: Shape,
        ledger: Ledger,
        faults: Faults,
        parts: "Callable[[], Sequence[Desk]] | None" = None,
    ) -> None:
        """`parts`: the desks of all parts of the stream, whose balances come in one answer; this one alone if
        it is not said."""
        self._dialect = dialect
        self._history = history
        self.shape = shape
        self.ledger = ledger
        self._faults = faults
        self._parts = parts or (lambda: [self])
        self._page_before: list[bytes] = []

    def answer(self, kind: QueryKind, parameters: dict[str, str], now: int) -> Answer:
        """The answer to a request whose signature is right. `now` in milliseconds."""
        call = self._history.calls[kind]
        wrong = self._refusal(call, kind, parameters)
        if wrong is not None:
            return wrong
        books = self.ledger.as_of(now - self._faults.lag_ms)
        symbol = parameters.get(call.symbol_parameter, "") if call.symbol != "never" else ""
        if kind in {"balances", "positions"}:
            held = self._balances(now, symbol) if kind == "balances" else self.shape.positions(books)
            return self._rows(kind, held, now, symbol)
        if kind == "order":
            return self._order(books, parameters[call.id_parameter])
        found = [each for each in self._list(kind, books) if not symbol or each[0] == symbol]
        return self._rows(kind, self._page(call, parameters, [each[1] for each in found]), now)

    def refuse(self, code: int, message: str, status: int = 400) -> Answer:
        """An error as the dialect writes them."""
        if self.shape.bad_request is not None:
            status, code = self.shape.bad_request
        values = {"code": code, "msg": message, "now_ms": 0}
        return Answer(status, fill_json(self._dialect.error_envelope, values).encode())

    def _balances(self, now: int, symbol: str) -> list[bytes]:
        """Rows of what all parts have, and the assets of a symbol whether there are any or not."""
        desks = self._parts()
        books = [desk.ledger.as_of(now - self._faults.lag_ms) for desk in desks]
        assets = (
            market(symbol) if symbol else dict.fromkeys(asset for each in books for asset in each.balances)
        )
        rows: dict[str, dict[str, Any]] = {asset: {} for asset in assets}
        for desk, each in zip(desks, books, strict=True):
            for asset, row in zip(rows, desk.shape.balances(each, rows), strict=True):
                rows[asset] |= msgspec.json.decode(row)
        return [msgspec.json.encode(row) for row in rows.values()]

    # Whether ----------------------------------------------------------------------------------------

    def _refusal(self, call: HistoryCall, kind: QueryKind, parameters: dict[str, str]) -> Answer | None:
        needed = [call.symbol_parameter] if call.symbol == "required" else []
        needed += [call.id_parameter] if kind == "order" else []
        for name in needed:
            if not parameters.get(name):
                return self.refuse(
                    -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
                )
        numbers = (call.from_parameter, call.to_parameter, call.id_parameter, call.limit_parameter)
        for name in filter(None, (*numbers, call.page_parameter)):
            if name in parameters and not parameters[name].isdigit():
                return self.refuse(-1100, f"Illegal characters found in parameter '{name}'.")
        if call.limit_parameter and int(parameters.get(call.limit_parameter, "1")) > call.limit:
            return self.refuse(-1130, f"Data sent for parameter '{call.limit_parameter}' is not valid.")
        return self._bad_span(call, parameters)

    def _bad_span(self, call: HistoryCall, parameters: dict[str, str]) -> Answer | None:
        times = [parameters.get(name) for name in (call.from_parameter, call.to_parameter) if name]
        widest = self._faults.widest_ms or call.window_ms
        if widest and len(times) == 2 and all(times) and int(times[1] or 0) - int(times[0] or 0) > widest:
            hours = widest // 3_600_000
            return self.refuse(-1127, f"More than {hours} hours between startTime and endTime.")
        return None

    # What -------------------------------------------------------------------------------------------

    def _list(self, kind: QueryKind, books: Books) -> list[tuple[str, _Found]]:
        """Rows with their symbols, oldest first."""
        if kind == "fills":
            rows = self.shape.fills(books.fills)
            return [
                (fill.order.symbol, _Found(fill.time, row))
                for fill, row in zip(books.fills, rows, strict=True)
            ]
        orders = [order for order in books.orders.values() if self._is_listed(kind, order)]
        return [
            (order.symbol, _Found(order.created, row))
            for order, row in zip(orders, self.shape.orders(orders), strict=True)
        ]

    def _is_listed(self, kind: QueryKind, order: Order) -> bool:
        if kind == "open_orders":
            return order.is_open
        return self.shape.lists_open or not order.is_open

    def _order(self, books: Books, number: str) -> Answer:
        order = books.orders.get(int(number))
        if order is None:
            return self.refuse(-2013, "Order does not exist.")
        (row,) = self.shape.orders([order])
        return Answer(200, fill_json(self.shape.answers.get("order", "$rows"), {"rows": row}).encode())

    def _page(self, call: HistoryCall, parameters: dict[str, str], found: list[_Found]) -> list[bytes]:
        if self._faults.stuck_pages > 0:
            self._faults.stuck_pages -= 1
            return self._page_before
        begin = int(parameters.get(call.from_parameter, 0))
        end = int(parameters.get(call.to_parameter, _FOREVER))
        rows = [each.row for each in found if begin <= each.time <= end]
        most = int(parameters.get(call.limit_parameter, call.limit))
        if call.page_parameter:
            start = most * (int(parameters.get(call.page_parameter, "1")) - 1)
            rows = rows[start : start + most]
        elif most:
            rows = rows[:most] if self._faults.leaves_out == "newest" else rows[-most:]
        self._page_before = rows
        return rows

    def _rows(self, kind: QueryKind, rows: Sequence[bytes], now: int, symbol: str = "") -> Answer:
        if kind != "balances" and self._faults.page_order == "reversed":
            rows = rows[::-1]
        elif kind != "balances" and self._faults.page_order == "doubled":
            rows = [each for row in rows for each in (row, row)]
        template = self.shape.answers.get(kind, "$rows")
        values: dict[str, Any] = {"rows": b"[" + b",".join(rows) + b"]", "time": now}
        if kind == "balances" and symbol:
            values["base"], values["quote"] = rows
        return Answer(200, fill_json(template, values).encode())
