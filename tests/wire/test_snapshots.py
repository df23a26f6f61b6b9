import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from listenkey.dialect.model import Snapshot, SnapshotRows
from listenkey.wire.snapshots import Told

CONFIG = Snapshot(
    level="config-only",
    events=("CONFIG", "SNAPSHOT"),
    rows=(SnapshotRows(name="config", path="ac", by=("s",)),),
    separate=True,
    body='{"e":"SNAPSHOT","E":$now_ms,"ac":$config}',
)
ACCOUNT = Snapshot(
    level="all",
    events=("ACCOUNT",),
    rows=(
        SnapshotRows(name="balances", path="a.B", by=("a",), zero=("bc",)),
        SnapshotRows(name="positions", path="a.P", by=("s", "ps")),
    ),
    body='{"e":"SNAPSHOT","E":$now_ms,"a":{"B":$balances,"P":$positions}}',
)


def told(*payloads):
    """What is known after these events."""
    state = Told((CONFIG, ACCOUNT))
    for payload in payloads:
        state.take(payload.encode())
    return state


def test_rows_keep_the_bytes_they_came_in():
    """Amounts go out with the digits that were published, numbers beyond 64 bits and trailing zeros too."""
    amounts = '"wb":"1.23000000000000000000","n":123456789012345678901234567890,"x":1.10'
    state = told('{"e":"ACCOUNT","a":{"B":[{"a":"ETH",' + amounts + ',"bc":"7"}],"P":[]}}')
    assert state.render(ACCOUNT, 5000) == [
        b'{"e":"SNAPSHOT","E":5,"a":{"B":[{"a":"ETH",' + amounts.encode() + b',"bc":"0"}],"P":[]}}'
    ]


def test_a_change_that_is_a_number_is_nothing_as_a_number():
    """A client that adds up changes adds nothing, in whichever form the venue writes them."""
    state = told('{"e":"ACCOUNT","a":{"B":[{"a":"ETH","bc":7.5}]}}')
    assert json.loads(state.render(ACCOUNT, 0)[0])["a"]["B"] == [{"a": "ETH", "bc": 0}]


def test_each_identity_has_its_newest_row_whatever_type_of_event_brought_it():
    """A relayed snapshot counts as news of a symbol like any other event."""
    state = told(
        '{"e":"CONFIG","ac":{"s":"A","l":1}}', '{"e":"CONFIG","ac":{"s":"B","l":2}}',
        '{"e":"SNAPSHOT","ac":{"s":"A","l":3}}', '{"e":"OTHER","ac":{"s":"B","l":9}}',
    )  # fmt: skip
    assert [json.loads(each)["ac"]["l"] for each in state.render(CONFIG, 0)] == [3, 2]
    assert state.render(ACCOUNT, 0) == []


def test_positions_are_told_apart_by_symbol_and_side():
    """The long side of a hedge does not replace the short one."""
    rows = '[{"s":"A","ps":"LONG","pa":"1"},{"s":"A","ps":"SHORT","pa":"2"}]'
    state = told('{"e":"ACCOUNT","a":{"P":' + rows + "}}")
    assert json.loads(state.render(ACCOUNT, 0)[0])["a"] == {"B": [], "P": json.loads(rows)}


@given(
    st.one_of(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("aBPs"), inner),
        ).map(lambda part: json.dumps({"e": "ACCOUNT", "a": part, "ac": part})),
    )
)
def test_an_event_of_any_shape_leaves_snapshots_that_are_json(payload):
    """Whatever is published under these types, no socket gets a broken frame for it."""
    state = Told((CONFIG, ACCOUNT))
    state.take(payload.encode("utf-8", "surrogatepass"))
    for each in (CONFIG, ACCOUNT):
        for message in state.render(each, 0):
            assert msgspec.json.decode(message)["e"] == "SNAPSHOT"
