"""Requests for rows of history, and what their answers say."""

from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from listenkey.base.clock import Micros, to_millis
from listenkey.dialect.history import History, HistoryCall, QueryKind
from listenkey.dialect.model import Dialect
from listenkey.wire.client import Call, CallResult, failure_of
from listenkey.wire.client_api import sign

_read: Final = msgspec.json.Decoder(float_hook=str).decode


class Query(msgspec.Struct, frozen=True):
    """What is asked for. Where `after_id` is set, rows with greater ids up to `to_ms`."""

    kind: QueryKind
    symbol: str = ""
    from_ms: int = 0
    to_ms: int = 0
    after_id: str = ""
    order_id: str = ""
    """For the kind `order`."""


class Row(msgspec.Struct, frozen=True):
    """A row of an answer. `fields` are the venue's own, numbers with a point as the text that they were."""

    kind: QueryKind
    symbol: str
    order_id: str
    trade_id: str
    time_ms: int
    fields: dict[str, Any]


class Page(msgspec.Struct, frozen=True):
    """The rows of one answer. `next` asks for what did not fit; where the venue cannot be asked for that,
    `whole` is false."""

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
    parameters[auth.timestamp_parameter] = str(to_millis(now))
    parameters[auth.signature_parameter] = sign(secret, urlencode(parameters).encode())
    return Call(call.method, f"{call.path}?{urlencode(parameters)}", ((auth.header, api_key),))


def _span(call: HistoryCall, query: Query) -> dict[str, str]:
    if query.order_id:
        return {call.id_parameter: query.order_id}
    if query.after_id:
        return {call.id_parameter: str(int(query.after_id) + 1)}
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
    found = _rows(answer, call.rows) if 200 <= status < 300 else None
    if found is None or _names_error(answer):
        return _failure(failure_of(dialect, status, headers, body, now), status, answer)
    rows = _wanted(query, [_row(history, query, fields) for fields in found])
    if not call.limit or len(found) < call.limit or call.paging == "none":
        return Page(rows, whole=not call.limit or len(found) < call.limit)
    return _full(call, query, rows, passed_end=len(rows) < len(found))


def _failure(result: CallResult, status: int, answer: Any) -> CallResult:
    """What the venue calls the request's own fault stays one, however often it is sent."""
    for_good = result.outcome == "transient" and 400 <= status < 500 and _names_error(answer)
    return msgspec.structs.replace(result, outcome="refused") if for_good else result


def _names_error(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("code") not in {None, 0, 200, "0", "200"}


def _rows(answer: Any, paths: tuple[str, ...]) -> list[dict[str, Any]] | None:
    """All rows of an answer; None where it is no such answer."""
    found: list[dict[str, Any]] = []
    for path in paths:
        for value in _at(answer, path.split(".") if path else []):
            rows = value if isinstance(value, list) else [value]
            if not all(isinstance(row, dict) for row in rows):
                return None
            found += rows
    return found


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    """What lies at a path; None where nothing does."""
    if not path:
        yield value
        return
    name = path[0].removesuffix("[]")
    inner = value.get(name) if isinstance(value, dict) else None
    if not path[0].endswith("[]"):
        yield from _at(inner, path[1:])
    elif isinstance(inner, list):
        for each in inner:
            yield from _at(each, path[1:])
    else:
        yield None


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
    return "" if value is None else str(value)


def _time(fields: dict[str, Any], name: str) -> int:
    text = _text(fields, name)
    return int(text) if text.isascii() and text.isdigit() else 0


def _wanted(query: Query, rows: Iterable[Row]) -> tuple[Row, ...]:
    """A page by ids goes on beyond the end of the span."""
    if not query.after_id or not query.to_ms:
        return tuple(rows)
    return tuple(row for row in rows if row.time_ms <= query.to_ms)


def _full(call: HistoryCall, query: Query, rows: tuple[Row, ...], *, passed_end: bool) -> Page | CallResult:
    if passed_end:
        return Page(rows)
    if call.paging == "id":
        last = max((_number(row) for row in rows), default=0)
        if query.after_id and last <= int(query.after_id):
            return CallResult("transient", reason="a page that was there before")
        return Page(rows, msgspec.structs.replace(query, after_id=str(last)))
    times = [row.time_ms for row in rows]
    if call.paging == "forward":
        moved = msgspec.structs.replace(query, from_ms=max(times))
    else:
        moved = msgspec.structs.replace(query, to_ms=min(times))
    if moved != query and moved.from_ms <= moved.to_ms:
        return Page(rows, moved)
    return Page(rows, whole=False)


def _number(row: Row) -> int:
    text = row.trade_id or row.order_id
    return int(text) if text.isascii() and text.isdigit() else 0
