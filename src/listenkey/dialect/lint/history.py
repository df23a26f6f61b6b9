"""Lint of how REST calls tell the past: calls that can be asked and paged, events that come out whole."""

from collections.abc import Iterator

import msgspec

from listenkey.dialect.history import WALKED, History, HistoryCall
from listenkey.dialect.lint.common import own_path, twice
from listenkey.dialect.model import Dialect, Event

_ROOMS = frozenset({"order", "fill", "ended", "walk"})
_NEEDED = ("orders", "fills", "balances")


def check_history(dialect: Dialect) -> Iterator[str]:
    """Each history is of a stream whose catalogue has the events that it makes and folds."""
    yield from twice("history", (f"{row.stream} {row.part}".strip() for row in dialect.history))
    for history in dialect.history:
        where = f"history of {history.stream}{f' ({history.part})' if history.part else ''}"
        if history.stream not in {stream.name for stream in dialect.streams}:
            yield f"{where}: there is no stream called {history.stream}"
        yield from _calls(where, history)
        events = {event.type: event for event in dialect.events if history.stream in event.streams}
        order, state = events.get(history.order_event.type), events.get(history.state_event.type)
        if order is None or state is None:
            yield f"{where}: its events are not in the catalogue"
        else:
            yield from _order_event(f"{where}.order_event", history, order)
            yield from _state_event(f"{where}.state_event", history, state)


def _calls(where: str, history: History) -> Iterator[str]:
    for kind in _NEEDED:
        if kind not in history.calls:
            yield f"{where}.calls: there is no {kind}"
    has_row, is_told = history.position_row is not None, bool(history.state_event.positions)
    if not ("positions" in history.calls) == has_row == is_told:
        yield f"{where}: positions have a call, a row and a place in the event, or none of them"
    for kind, call in history.calls.items():
        yield from _call(f"{where}.calls.{kind}", call)
    if "order" in history.calls and not history.calls["order"].id_parameter:
        yield f"{where}.calls.order: id_parameter says which"


def _call(where: str, call: HistoryCall) -> Iterator[str]:
    yield from own_path(f"{where}.path", call.path)
    if bool(call.limit) != bool(call.limit_parameter):
        yield f"{where}: limit and limit_parameter go together"
    if call.window_ms and not (call.from_parameter and call.to_parameter):
        yield f"{where}.window_ms: is between two times"
    if call.paging != "none" and not call.limit:
        yield f"{where}.paging: a page without a limit is never full"
    if call.paging == "halves" and not (call.from_parameter and call.to_parameter):
        yield f"{where}.paging: halves of a span want both times"
    if (call.paging == "page") != bool(call.page_parameter):
        yield f"{where}.paging: by pages wants page_parameter"


def _order_event(where: str, history: History, event: Event) -> Iterator[str]:
    made = history.order_event
    fields = {field.path: field for field in event.fields}
    mapped = {field.path: field for field in made.fields}
    yield from twice(f"{where}.fields", (field.path for field in made.fields))
    for path in (made.symbol, made.order, made.trade, made.execution, made.status, *history.only):
        if path not in fields:
            yield f"{where}: {path} is no field of {event.type}"
    for path, field in mapped.items():
        room, dot, name = field.source.partition(".")
        if path not in fields or "[]" in path or fields[path].kind in {"object", "list"}:
            yield f"{where}.fields: {path} is no single field of {event.type}"
        if field.source and (room not in _ROOMS or not dot or (room == "walk" and name not in WALKED)):
            yield f"{where}.fields: {path} cannot come from {field.source}"
        if field.neutral and not _is_json(field.neutral):
            yield f"{where}.fields: {path}: {field.neutral} is not JSON"
        if path in fields and not fields[path].optional and not (field.neutral or room in {"order", "walk"}):
            yield f"{where}.fields: {path} is left out of events that are no fill, and may not be"
    for path, told in fields.items():
        if path not in mapped and not told.optional and told.kind not in {"object", "list"}:
            yield f"{where}.fields: {path} is missing"


def _state_event(where: str, history: History, event: Event) -> Iterator[str]:
    state = history.state_event
    paths = {field.path for field in event.fields}
    wanted = [f"{state.balances}[].{name}" for name in (state.asset, *state.amounts)]
    if state.positions:
        names = (state.symbol, state.side, state.amount)
        wanted += [f"{state.positions}[].{name}" for name in names if name]
    for path in wanted:
        if path not in paths:
            yield f"{where}: {path} is no field of {event.type}"
    if len(state.amounts) != len(history.balance_row.amounts):
        yield f"{where}.amounts: as many as the balance's row has"


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True
