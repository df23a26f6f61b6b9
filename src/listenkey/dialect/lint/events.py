"""Lint of the catalogue of events: that each sample is what its field table says, and the other way round."""

from collections.abc import Iterator
from typing import Final

import msgspec

from listenkey.dialect.events import faults, table_of
from listenkey.dialect.lint.common import json_template, twice
from listenkey.dialect.model import Dialect, Event, Field

_NESTED: Final = {"object": "", "list": "[]"}


def check_events(dialect: Dialect) -> Iterator[str]:
    """Each stream's events: one row a type, and one for each that the stream itself names."""
    streams = {stream.name: stream for stream in dialect.streams}
    for event in dialect.events:
        yield from _event(f"events.{event.type}", event)
        for name in event.streams:
            if name not in streams:
                yield f"events.{event.type}: there is no stream called {name}"
            elif event.natural_id and event.type in streams[name].state_events:
                yield f"events.{event.type}: is a state on {name}, so it has no natural_id"
    for name, stream in streams.items():
        types = [event.type for event in dialect.events if name in event.streams]
        yield from twice(f"events of {name}", types)
        named = {*stream.state_events, *(topic.event for topic in stream.topics)}
        for missing in sorted(named - set(types)) if types else ():
            yield f"events of {name}: {missing} has no row, and the stream names it"


def check_past_events(dialect: Dialect) -> Iterator[str]:
    """Events of the past: of streams and until eras that are there, one row a type and era."""
    eras, streams = {era.name for era in dialect.eras}, {stream.name for stream in dialect.streams}
    yield from twice("past_events", (f"{event.type} until {event.until}" for event in dialect.past_events))
    for event in dialect.past_events:
        where = f"past_events.{event.type}"
        yield from _event(where, event)
        if event.until not in eras:
            yield f"{where}.until: there is no era called {event.until}"
        for name in sorted(set(event.streams) - streams):
            yield f"{where}: there is no stream called {name}"
    for event in dialect.events:
        if event.until:
            yield f"events.{event.type}.until: stands with past_events"


def check_snapshots(dialect: Dialect) -> Iterator[str]:
    """Each snapshot is JSON, of states of its stream, and names a topic that is there."""
    for stream in dialect.streams:
        where = f"streams.{stream.name}.snapshots"
        for row in stream.snapshots:
            names = [rows.name for rows in row.rows]
            yield from twice(f"{where}.rows", names)
            yield from json_template(f"{where}.body", row.body, {"now_ms", *names})
            for missing in sorted(set(row.events) - set(stream.state_events)):
                yield f"{where}.events: {missing} is none of state_events"
            if row.topic and all(topic.name != row.topic for topic in stream.topics):
                yield f"{where}.topic: there is no topic called {row.topic}"
            if row.separate and len(row.rows) != 1:
                yield f"{where}.separate: stands with one kind of rows"
            if not all(rows.by for rows in row.rows) or row.period_ms < 0:
                yield f"{where}: rows are told apart by something, and period_ms is at least 0"


def _event(where: str, event: Event) -> Iterator[str]:
    fields = {field.path: field for field in event.fields}
    for path in event.natural_id:
        if path not in fields or fields[path].optional or "[]" in path:
            yield f"{where}.natural_id: {path} is no field that every such event has once"
    broken = [*twice(f"{where}.fields", (field.path for field in event.fields)), *_loose(where, fields)]
    yield from broken or _sample(where, event)


def _loose(where: str, fields: dict[str, Field]) -> Iterator[str]:
    seen: set[str] = set()
    for path, field in fields.items():
        above, dot, _ = path.rpartition(".")
        if dot and above not in seen:
            yield f"{where}.fields: {path} follows nothing that is an object or a list"
        if field.kind in _NESTED:
            seen.add(path + _NESTED[field.kind])


def _sample(where: str, event: Event) -> Iterator[str]:
    try:
        sample = msgspec.json.decode(event.sample)
    except msgspec.DecodeError as error:
        yield f"{where}.sample: is not JSON: {error}"
        return
    if not isinstance(sample, dict) or sample.get("e") != event.type:
        yield f"{where}.sample: is no object whose `e` is {event.type}"
        return
    for fault in faults(table_of(event), sample, unknown=True):
        yield f"{where}.sample: {fault}"
