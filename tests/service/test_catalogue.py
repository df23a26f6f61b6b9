import json

import msgspec
import pytest
import structlog

from listenkey.dialect.era import on_day
from listenkey.dialect.registry import load_dialects
from listenkey.service.catalogue import Catalogue
from listenkey.service.metrics import Metrics

DIALECTS = load_dialects()
SAMPLES = [
    pytest.param(f"{stream}:BTCUSDT" if dialect.key_space.scope == "symbol" else stream, event.sample,
                 id=f"{stream} {event.type}")
    for dialect in DIALECTS.values()
    for event in (*dialect.events, *dialect.past_events)
    for stream in event.streams
]  # fmt: skip
LIABILITY = {"e": "USER_LIABILITY_CHANGE", "E": 1, "a": "BTC", "t": "BORROW", "p": "1.5", "i": "0"}


def catalogue(mode, dialects=None):
    """A catalogue, with what it counts."""
    metrics = Metrics()
    return Catalogue(DIALECTS.values() if dialects is None else dialects, mode, metrics), metrics


def refusal(mode, stream="binance-margin-risk", **changes):
    """What is said of an event with these fields changed."""
    return catalogue(mode)[0].refusal(stream, json.dumps(LIABILITY | changes).encode())


@pytest.mark.parametrize("stream, sample", SAMPLES)
def test_what_the_venue_sends_is_taken(stream, sample):
    """The strictest check refuses nothing that the catalogue itself shows."""
    strict, _ = catalogue("strict")
    assert strict.refusal(stream, sample.encode()) is None


@pytest.mark.parametrize("day, then, now", [("2025-06-01", True, False), ("2026-06-01", False, True)])
def test_a_day_has_the_shapes_of_its_own(day, then, now):
    """Who tries a bot against a day hears of events that the venue did not send then."""
    dialect = DIALECTS["binance-options"]
    strict, _ = catalogue("strict", [on_day(dialect, day)])
    for events, good in ((dialect.past_events, then), (dialect.events, now)):
        samples = [event.sample.encode() for event in events if event.type == "ACCOUNT_UPDATE"]
        assert [strict.refusal("binance-options", each) is None for each in samples] == [good]


def test_neither_shape_is_no_shape():
    """That an event was otherwise once lets nothing else pass."""
    strict, _ = catalogue("strict")
    said = strict.refusal("binance-options", b'{"e":"ACCOUNT_UPDATE","E":1}')
    assert said is not None
    assert "eq: is missing" in said


def test_off_takes_everything():
    """Unless it is asked for, nobody looks."""
    assert refusal("off", p=None, e="X") is None


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"p": "1,5"}, "p: is not of the kind decimal"),
        ({"p": 1.5}, "p: is a number, and the venue sends text"),
        ({"E": "1"}, "E: is not of the kind time_ms"),
        ({"a": None}, "a: is null"),
        ({"new": 1}, "new: is not in the table"),
        ({"e": "X"}, "the stream has no event X; it has MARGIN_LEVEL_STATUS_CHANGE, USER_LIABILITY_CHANGE"),
        ({"e": 7}, "the stream has no event without a type in e; it has MARGIN_LEVEL_STATUS_CHANGE, USER_"),
    ],
)
def test_strict_says_what_is_wrong(changes, said):
    """A publisher is told the field and what it should be, or which events there are."""
    assert said in refusal("strict", **changes)


def test_refusals_are_short():
    """An event of a thousand faults, and a field of a name as long as a book, fill no log."""
    said = refusal("strict", **{f"{number}{'x' * 5000}": 1 for number in range(50)})
    assert len(said) < 400


def test_warnings_come_once_a_fault_and_all_are_counted():
    """A publisher that drifts is noticed, and a million events of it do not fill the disk."""
    warn, metrics = catalogue("warn")
    with structlog.testing.capture_logs() as lines:
        for number in range(5):
            event = json.dumps(LIABILITY | {"p": "x", "E": number}).encode()
            assert warn.refusal("binance-margin-risk", event) is None
        assert (
            warn.refusal("binance-margin-risk", json.dumps(LIABILITY | {"i": "0.1", "a": 2}).encode()) is None
        )
    assert metrics.events_odd == 6
    assert [line["faults"] for line in lines] == [
        ["p: is not of the kind decimal"], ["a: is not of the kind text"],
    ]  # fmt: skip
    assert {(line["event"], line["stream"], line["type"]) for line in lines} == {
        ("event_not_as_described", "binance-margin-risk", "USER_LIABILITY_CHANGE")
    }


def test_an_amount_as_a_number_is_told_where_the_venue_sends_text():
    """A bot that reads text would break on the number; BingX spot, which sends numbers, is left alone."""
    warn, metrics = catalogue("warn")
    with structlog.testing.capture_logs() as lines:
        event = json.dumps(LIABILITY | {"i": 1}).encode()
        assert warn.refusal("binance-margin-risk", event) is None
    assert [line["faults"] for line in lines] == [["i: is a number, and the venue sends text"]]
    sample = next(each.sample for each in DIALECTS["bingx"].events if '"n":-0.0000802' in each.sample)
    assert warn.refusal("bingx-spot", sample.encode()) is None
    assert metrics.events_odd == 1


@pytest.mark.parametrize("changes", [{"new": 1}, {"e": "NEW_THING"}, {"e": None}])
def test_what_is_unknown_passes_with_a_warning_at_most(changes):
    """The day on which a venue adds a field or an event is no alarm."""
    warn, metrics = catalogue("warn")
    assert warn.refusal("binance-margin-risk", json.dumps(LIABILITY | changes).encode()) is None
    assert metrics.events_odd == 0


def test_a_stream_without_a_catalogue_takes_everything():
    """A venue of one's own needs none."""
    bare = msgspec.structs.replace(DIALECTS["binance-pm"], events=())
    strict, _ = catalogue("strict", [bare])
    assert strict.refusal("binance-pm", b'{"x":1}') is None


def test_what_cannot_be_read_is_refused_in_words():
    """Nesting without end is an answer, not a crash."""
    payload = b'{"e":"USER_LIABILITY_CHANGE","E":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    strict, _ = catalogue("strict")
    said = strict.refusal("binance-margin-risk", payload)
    assert said is not None
