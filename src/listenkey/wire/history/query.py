"""Requests for rows of history, and what their answers say."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from listenkey.base.clock import Micros, to_millis
from listenkey.dialect.history import History, HistoryCall, QueryKind
from listenkey.dialect.model import Dialect
from listenkey.wire.client import Call, CallResult, failure_of
from listenkey.wire.client_api import sign
from listenkey.wire.history.numbers import millis_of

_read: Final = msgspec.json.Decoder(float_hook=str).decode
_GRAIN: Final = 1000
_MOST_PAGES: Final = 100
"""No venue is known to give more; one that gives the same page for ever is left here."""


class Query(msgspec.Struct, frozen=True):
    """What is asked for. A span holds both of its milliseconds; 0 for an open end."""

    kind: QueryKind
    symbol: str = ""
    from_ms: int = 0
    to_ms: int = 0
    order_id: str = ""
    """For the kind `order`."""
    page: int = 1
    later: tuple[tuple[int, int], ...] = ()
    """Spans that are still to be asked for."""


class Row(msgspec.Struct, frozen=True):
    """A row of an answer. `fields` are the venue's own, numbers with a point as the text that they were."""

    kind: QueryKind
    symbol: str
    order_id: str
    trade_id: str
    time_ms: int
    fields: dict[str, Any]


class Page(msgspec.Struct, frozen=True):
    """The rows of one answer. `next` asks for what did not fit, and may bring some of them again; where the
    venue cannot be asked for that, `whole` is false."""

    rows: tuple[Row, ...]
    next: Query | None = None
    whole: bool = True


def windows(history: History, kind: QueryKind, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """The span in pieces that the venue takes, oldest first. Neighbours share a millisecond, so that none is
    lost to a venue whose ends are not its own."""
    widest = history.calls[kind].window_ms
    if not widest or to_ms - from_ms <= widest:
        return [(from_ms, to_ms)]
    return [(start, min(start + widest, to_ms)) for start in range(from_ms, to_ms, widest)]


def build_query(
    dialect: Dialect, history: History, query: Query, *, api_key: str, secret: str, now: Micros
) -> Call:
    """The signed request. `secret` is shared, or a private key in PEM. Errors: `Refused` for a PEM that is no
    key, `KeyError` for a kind that the venue cannot be asked for."""
    call, auth = history.calls[query.kind], dialect.auth
    parameters = dict(call.parameters)
    if query.symbol and call.symbol != "never":
        parameters[call.symbol_parameter] = query.symbol
    parameters |= _span(call, query)
    if call.limit_parameter:
        parameters[call.limit_parameter] = str(call.limit)
    if call.page_parameter:
        parameters[call.page_parameter] = str(query.page)
    parameters[auth.timestamp_parameter] = str(to_millis(now))
    parameters[auth.signature_parameter] = sign(secret, urlencode(parameters).encode())
    return Call(call.method, f"{call.path}?{urlencode(parameters)}", ((auth.header, api_key),))


def _span(call: HistoryCall, query: Query) -> dict[str, str]:
    if query.order_id:
        return {call.id_parameter: query.order_id}
    times = ((call.from_parameter, query.from_ms), (call.to_parameter, query.to_ms))
    return {name: str(at) for name, at in times if name and at}


def read_page(
    dialect: Dialect,
    history: History,
    query: Query,
    status: int,
    headers: dict[str, str],
    body: bytes,
    now: Micros,
) -> Page | CallResult:
    """What an answer says, or why it says nothing, whatever it is."""
    try:
        answer = _read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = None
    call = history.calls[query.kind]
    is_list = query.kind != "order"
    found = _rows(answer, call.rows, is_list=is_list) if 200 <= status < 300 else None
    if found is None or _names_error(answer):
        return _failure(failure_of(dialect, status, headers, body, now), status, answer)
    rows = tuple(_row(history, query, fields) for fields in found)
    if call.to_parameter and query.to_ms and rows and not any(_is_in(history, query, row) for row in rows):
        return CallResult("transient", reason="rows of another time than was asked for")
    return _page(call, query, rows)


def _failure(result: CallResult, status: int, answer: Any) -> CallResult:
    """What the venue calls the request's own fault stays one, however often it is sent."""
    for_good = result.outcome == "transient" and 400 <= status < 500 and _names_error(answer)
    return msgspec.structs.replace(result, outcome="refused") if for_good else result


def _names_error(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("code") not in {None, 0, 200, "0", "200"}


def _rows(answer: Any, paths: tuple[str, ...], *, is_list: bool) -> list[dict[str, Any]] | None:
    """All rows of an answer; None where it is no such answer."""
    found: list[dict[str, Any]] = []
    for path in paths:
        if not path and (answer is None or (is_list and not isinstance(answer, list))):
            return None
        for value in _at(answer, path.split(".") if path else []):
            if value is None:  # how some venues write an empty list
                continue
            rows = value if isinstance(value, list) else [value]
            if not all(isinstance(row, dict) for row in rows):
                return None
            found += rows
    return found


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    """What lies at a path; a number, which is no row, where nothing does."""
    if not path:
        yield value
        return
    names = path[0].removesuffix("[]").split("|")
    inner = next((value[name] for name in names if name in value), 0) if isinstance(value, dict) else 0
    each_of = inner if path[0].endswith("[]") and isinstance(inner, list) else [inner]
    for each in each_of:
        yield from _at(each, path[1:])


def _row(history: History, query: Query, fields: dict[str, Any]) -> Row:
    kind = query.kind
    if kind == "fills":
        fill = history.fill_row
        ids = (_text(fields, fill.order), _text(fields, fill.id))
        return Row(kind, _text(fields, fill.symbol) or query.symbol, *ids, _time(fields, fill.time), fields)
    if kind == "balances" or kind == "positions":
        symbol = history.position_row.symbol if history.position_row and kind == "positions" else ""
        return Row(kind, _text(fields, symbol) or query.symbol, "", "", 0, fields)
    order = history.order_row
    symbol = _text(fields, order.symbol) or query.symbol
    return Row(kind, symbol, _text(fields, order.id), "", _time(fields, order.created), fields)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return str(value) if isinstance(value, str | int) else ""


def _time(fields: dict[str, Any], name: str) -> int:
    return millis_of(fields.get(name))


def _is_in(history: History, query: Query, row: Row) -> bool:
    """Whether a row is of the span, by any of its times. Some venues cut times to seconds."""
    changed = 0 if query.kind == "fills" else _time(row.fields, history.order_row.updated)
    return any(
        query.from_ms - _GRAIN <= at <= query.to_ms + _GRAIN for at in (row.time_ms, changed or row.time_ms)
    )


def _page(call: HistoryCall, query: Query, rows: tuple[Row, ...]) -> Page:
    is_full = bool(call.limit) and len(rows) >= call.limit
    if is_full and call.paging == "page" and query.page < _MOST_PAGES:
        return Page(rows, msgspec.structs.replace(query, page=query.page + 1))
    begin, end = query.from_ms, query.to_ms
    middle = (begin + end) // 2
    if is_full and call.paging == "halves" and begin < middle:
        return Page(rows, _in(query, (begin, middle), (middle, end), *query.later))
    following = _in(query, *query.later) if query.later else None
    return Page(rows, following, whole=not is_full)


def _in(query: Query, *spans: tuple[int, int]) -> Query:
    """The same question about other spans."""
    (begin, end), *later = spans
    return msgspec.structs.replace(query, from_ms=begin, to_ms=end, later=tuple(later), page=1)
