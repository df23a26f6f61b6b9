import pytest

from listenkey.dialect.era import call_removed_by, is_day, method_removed_by, on_day, path_removed_by
from listenkey.dialect.model import Dialect
from listenkey.dialect.registry import load_dialects

DIALECTS = load_dialects()
SPOT, USDM = DIALECTS["binance-spot"], DIALECTS["binance-usdm"]


def calls(dialect: Dialect) -> dict[str, int]:
    """The status of each call of a key's life, removed ones included."""
    alive = {f"{row.method} {row.path}": row.success_status for row in dialect.operations}
    return alive | {f"{row.method} {row.path}": row.status for row in dialect.public_calls}


@pytest.mark.parametrize(
    "day, v3, v1", [("2026-02-19", 200, 200), ("2026-02-20", 410, 200), ("2026-03-25", 410, 410)]
)
def test_calls_go_on_their_day(day: str, v3: int, v1: int) -> None:
    """A bot that is tried against a day finds exactly the calls that the venue had then."""
    found = calls(on_day(SPOT, day))
    assert {found[f"{verb} /api/v3/userDataStream"] for verb in ("POST", "PUT", "DELETE")} == {v3}
    assert {found[f"{verb} /api/v1/userDataStream"] for verb in ("POST", "PUT", "DELETE")} == {v1}


def test_a_removed_call_has_the_venues_page() -> None:
    """What is answered is nginx's page, to the byte, for that is what bots choke on."""
    row = on_day(SPOT, "2026-02-20").public_calls[-1]
    assert row.content_type == "text/html"
    assert row.body == (
        "<html>\r\n<head><title>410 Gone</title></head>\r\n<body>\r\n<center><h1>410 Gone</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )


def test_paths_go_for_the_streams_that_they_are_taken_from() -> None:
    """USD-M's unrouted paths carry nothing since 2026-04-23; the private ones do, and so does Pro's base."""
    now = on_day(USDM, "2026-04-23")
    quiet = {
        path.path for path, was in zip(now.sockets, USDM.sockets, strict=True) if path.stream != was.stream
    }
    assert quiet == {"/ws", "/ws/{names}", "/stream"}
    assert {path.path for path in now.sockets if path.stream == "binance-pm-pro"} >= {"/ws", "/pm-classic/ws"}
    assert on_day(USDM, "2026-04-22") == USDM


def test_methods_go_too() -> None:
    """Listen keys went from spot's WebSocket API with those over REST; USD-M's are there still."""
    gone = {"userDataStream.start", "userDataStream.ping", "userDataStream.stop"}
    before, after = (
        {method.name for api in dialect.apis for method in api.methods}
        for dialect in (SPOT, on_day(SPOT, "2026-02-20"))
    )
    assert before - after == gone
    now = on_day(USDM, "2026-11-21")
    assert gone <= {method.name for api in now.apis for method in api.methods}
    era = method_removed_by(SPOT, next(each for each in SPOT.apis[0].methods if each.name in gone))
    assert era is not None
    assert era.name == "without-listen-keys"


def test_events_are_as_they_were_on_the_day() -> None:
    """What a venue rebuilt comes in the shape of then; what it left alone, and other streams, as ever."""
    dialect = DIALECTS["binance-options"]
    old, new = on_day(dialect, "2025-06-01"), on_day(dialect, "2026-06-01")
    assert new.events == dialect.events
    assert {event.type for event in old.events} == {event.type for event in dialect.events}
    changed = {event.type for event in old.events if event not in dialect.events}
    assert changed == {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"}
    assert old.past_events == new.past_events == ()


def test_what_is_removed_names_its_era() -> None:
    """The reference says of each call and path when it went."""
    era = call_removed_by(SPOT, SPOT.operations[0])
    assert era is not None
    assert era.since == "2026-02-20"
    assert call_removed_by(USDM, USDM.operations[0]) is None
    found = {(path.path, path.stream): path_removed_by(USDM, path) for path in USDM.sockets}
    assert found["/private/ws", "binance-usdm"] is None
    assert found["/ws", "binance-pm-pro"] is None
    routed = found["/ws", "binance-usdm"]
    assert routed is not None
    assert routed.name == "routed"


@pytest.mark.parametrize("text", ["2026-2-20", "20260220", "2026-02-30", "2026-W08-5", "all", ""])
def test_what_is_no_day(text: str) -> None:
    """Days compare as text, so only one way to write them is taken."""
    assert not is_day(text)
    assert is_day("2026-02-20")
