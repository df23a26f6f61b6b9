"""No key, signature, secret or password of a foreign request is shown again, in whatever place it stood."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listenkey.base.errors import Refused
from listenkey.reference.foreign import explain, read_collection, read_line, tell
from tests.postman.saying import DAY, DIALECTS, collection, item

SPOT = "https://api.binance.com/api/v3/userDataStream"
SECRET = "Kq7vTz2mXw9cRb4nLs8hGd3fJp6yWe5a"  # made up, and in no place that is shown

# Every place of a request that a key was ever seen in, right ones and wrong ones.
LINES = [
    "curl -X PUT -H 'X-MBX-APIKEY: {}' " + SPOT,
    "curl -X PUT -H 'X-{}: 1' " + SPOT,
    "curl -X PUT -H '{}' " + SPOT,
    "curl -X PUT -H '{}:' " + SPOT,
    "curl -X PUT '" + SPOT + "?listenKey={}'",
    "curl -X PUT '" + SPOT + "?{}'",
    "curl -X PUT '" + SPOT + "?{}=1'",
    "curl -X PUT '" + SPOT + "?symbol={}&timestamp={}&recvWindow={}&foo={}'",
    "curl -X PUT '" + SPOT + "/{}'",
    "curl -X PUT '" + SPOT + "?a=1#{}'",
    "curl -X PUT -d 'listenKey={}' " + SPOT,
    "curl -X PUT -d '{}' " + SPOT,
    """curl -X PUT -d '{{"apiSecret":"{}"}}' """ + SPOT,
    "curl -X PUT -u 'name:{}' " + SPOT,
    "curl -X PUT https://name:{}@api.binance.com/api/v3/userDataStream",
    "curl -X PUT https://{}.example.com/api/v3/userDataStream",
    "curl -X {} " + SPOT,
    "curl -X PUT --oauth2-bearer {} " + SPOT,
    "curl -X PUT '{}'",
    "wscat -c wss://stream.binance.com:9443/ws/{}",
    "wscat -c wss://stream.binance.com:9443/ws/btcusdt@trade/{}",
    "wscat -c 'wss://stream.binance.com:9443/stream?streams={}'",
    "wscat -c 'wss://fstream.binance.com/private/ws?listenKey={}&events={}'",
    "wscat -c 'wss://open-api-ws.bingx.com/market?listenKey={}'",
    "wscat -c wss://elsewhere.example/private/{}/x",
    "curl 'https://api.binance.com/api/v3/account?timestamp=1&signature={}'",
    "{}=x curl " + SPOT,
    "PUT /api/v3/userDataStream?listenKey={} HTTP/1.1\nX-MBX-APIKEY: {}\nHost: {}\n{}: x\n\n{}",
    'KEY={}\ncurl -H "X-MBX-APIKEY: $KEY" ' + SPOT,
]


def said(text: str) -> str:
    """All that is told about a line, to people and to programs, or why it is refused."""
    try:
        explained = explain(read_line(text), DIALECTS, DAY)
    except Refused as refused:
        return str(refused)
    return "\n".join(tell(explained)) + msgspec.json.encode(explained).decode()


@pytest.mark.parametrize("line", LINES)
def test_a_line_shows_no_secret(line):
    """A person can paste the answer into a ticket."""
    assert (
        SECRET.lower() not in said(line.replace("{}", SECRET).replace("{{", "{").replace("}}", "}")).lower()
    )


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(LINES),
    st.text("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", min_size=26, max_size=80),
)
def test_whatever_the_secret_it_is_not_shown(line, secret):
    """Whether it has digits, and however long it is."""
    assert secret not in said(line.replace("{}", secret).replace("{{", "{").replace("}}", "}"))


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "PUT", "url": f"{SPOT}?listenKey={SECRET}"},
        {"method": "PUT", "url": {"raw": SPOT, "query": [{"key": "listenKey", "value": SECRET}]}},
        {"method": "PUT", "url": SPOT, "header": [{"key": "X-MBX-APIKEY", "value": SECRET}]},
        {"method": "PUT", "url": SPOT, "header": f"X-MBX-APIKEY {SECRET}"},
        {"method": "PUT", "url": SPOT, "body": {"mode": "raw", "raw": SECRET}},
        {
            "method": "PUT",
            "url": SPOT,
            "auth": {"type": "bearer", "bearer": [{"key": "token", "value": SECRET}]},
        },
        {"method": "PUT", "url": SPOT, "auth": {"type": SECRET}},
        {"method": SECRET, "url": SPOT},
        {"method": "PUT", "url": f"{SPOT}?listenKey={{{{key}}}}"},
        {"method": "PUT", "url": {"raw": 5, "query": SECRET}},
        f"wss://stream.binance.com/ws/{SECRET}",
    ],
)
def test_a_file_shows_no_secret(request_):
    """Nor does an import, not even in the name of a request."""
    content = collection(item(request_, name=f"with {SECRET}"), variable=[{"key": "key", "value": SECRET}])
    explained = explain(read_collection(content).requests, DIALECTS, DAY)
    assert explained
    assert SECRET not in "\n".join(tell(explained)) + msgspec.json.encode(explained).decode()


@pytest.mark.parametrize("cut", [1, 40, 80])
def test_a_broken_file_shows_no_secret(cut):
    """What is wrong with the JSON is said without any of it."""
    content = json.dumps({"info": {}, "item": SECRET, SECRET: SECRET}).encode()
    with pytest.raises(Refused) as refused:
        read_collection(content[:-cut])
    assert SECRET not in str(refused.value)


def test_control_characters_do_not_reach_a_terminal():
    """A file cannot move the cursor or ring the bell of who reads about it."""
    content = collection(
        item({"method": "P\x1b[2J", "url": "https://\x1b]0;x\x07/\x1b[2J"}, name="a\x1b[2J\nb")
    )
    told = "\n".join(tell(explain(read_collection(content).requests, DIALECTS, DAY)))
    assert not set(told) & {"\x1b", "\x07"}
