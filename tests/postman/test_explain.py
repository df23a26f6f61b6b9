"""What a request is told to be: whose, since when gone, what is wrong with it, what to do."""

import json
from typing import get_args

import pytest

from listenkey.reference.describe import describe
from listenkey.reference.foreign.finding import FindingKind
from listenkey.reference.postman import collection as exported
from tests.postman.saying import DIALECTS, KEY, imported, kinds, line

SPOT = "https://api.binance.com/api/v3/userDataStream"
SPOT_V1 = "https://api.binance.com/api/v1/userDataStream"
MARGIN = "https://api.binance.com/sapi/v1/userDataStream"
ISOLATED = f"{MARGIN}/isolated"
USDM = "https://fapi.binance.com/fapi/v1/listenKey"
BINGX = "https://open-api.bingx.com/openApi/user/auth/userDataStream"
TOKEN = "https://api.binance.com/sapi/v1/userListenToken"
GATEWAY = "http://127.0.0.1:8080"
MBX = "-H 'X-MBX-APIKEY: abc'"
BX = "-H 'X-BX-APIKEY: abc'"
SIGNING = "-H 'ACME-KEY: abc' https://api.example.com/user/v1/listen-key"
SIGNATURE = "0" * 64
SIGNED = f"timestamp=1700000000000&signature={SIGNATURE}"


@pytest.mark.parametrize(
    ("text", "dialect", "kind", "gone"),
    [
        (f"curl -X POST {MBX} {SPOT}", "binance-spot", "create", "2026-02-20"),
        (f"curl -X PUT {MBX} '{SPOT}?listenKey={KEY}'", "binance-spot", "extend", "2026-02-20"),
        (f"curl -X DELETE {MBX} -d listenKey={KEY} {SPOT}", "binance-spot", "close", "2026-02-20"),
        (f"curl -X POST {MBX} {SPOT_V1}", "binance-spot", "create", "2026-03-25"),
        (f"curl -X POST {MBX} {MARGIN}", "binance-margin", "create", "2026-02-20"),
        (f"curl -X POST {MBX} {ISOLATED}?symbol=BTCUSDT", "binance-margin-isolated", "create", "2026-02-20"),
        (f"curl -X POST {MBX} {USDM}", "binance-usdm", "create", ""),
        (f"curl -X PUT {MBX} {USDM}", "binance-usdm", "extend", ""),
        (f"curl -X POST {BX} {BINGX}", "bingx", "create", ""),
        (f"curl -X PUT {BX} '{BINGX}?listenKey={KEY}'", "bingx", "extend", ""),
        (f"wscat -c wss://stream.binance.com:9443/ws/{KEY}", "binance-spot", "binance-spot", "2026-02-20"),
        (f"wscat -c wss://fstream.binance.com/private/ws/{KEY}", "binance-usdm", "binance-usdm", ""),
        (f"wss://open-api-ws.bingx.com/market?listenKey={KEY}", "bingx", "bingx-spot", ""),
        (f"wss://open-api-cswap-ws.bingx.com/market?listenKey={KEY}", "bingx", "bingx-coinm", ""),
        (f"wss://open-api-swap.bingx.com/swap-market?listenKey={KEY}", "bingx", "bingx-swap", ""),
        (f"curl -X POST {MBX} {GATEWAY}/binance-usdm/fapi/v1/listenKey", "binance-usdm", "create", ""),
        (f"ws://127.0.0.1:8080/bingx-coinm/market?listenKey={KEY}", "bingx", "bingx-coinm", ""),
    ],
)  # fmt: skip
def test_whose_it_is_and_whether_the_venue_has_it(text, dialect, kind, gone):
    """Calls and sockets of the venues and of a gateway, live and removed, nothing wrong with any."""
    explained = line(text)
    match = next(each for each in explained.matches if each.dialect == dialect)
    assert match.kind == kind
    assert (match.removal.since if match.removal else "") == gone
    assert kinds(explained, "error") == []


def test_a_day_before_the_removal_has_it_still():
    """What counts is the day that is asked for."""
    before = line(f"curl -X POST {MBX} {SPOT}", day="2026-02-19")
    assert before.matches[0].removal is None
    assert not any("At the venue" in each for each in before.todo)


def test_what_replaces_it_and_that_a_gateway_goes_on():
    """Both ways out are named."""
    explained = line(f"curl -X POST {MBX} {SPOT}")
    assert explained.matches[0].removal is not None
    assert explained.matches[0].removal.status == 410
    instead, gateway = explained.todo
    assert "userDataStream.subscribe.signature" in instead
    address = "http://127.0.0.1:8080/binance-spot/api/v3/userDataStream"
    assert gateway == f"A gateway of listenkey answers it still: {address}"
    assert (
        line(f"curl -X POST {SPOT}").todo[1]
        == f"A gateway of listenkey answers it still, once mended: {address}"
    )


@pytest.mark.parametrize("host", ["api1.binance.com", "api-gcp.binance.com", "demo-api.binance.com"])
def test_a_sister_of_a_venues_host_is_the_same_venues(host):
    """Binance's further hosts have no calls of Binance.US, which has the same paths and kept them."""
    explained = line(f"curl -X POST {MBX} https://{host}/api/v3/userDataStream")
    assert [each.dialect for each in explained.matches] == ["binance-spot"]


def test_a_wrong_method_does_not_hide_that_the_calls_are_gone():
    """Who forgot the method learns of the removal all the same."""
    explained = line(f"curl {MBX} {SPOT}")
    assert [each.call.partition(" ")[0] for each in explained.matches] == ["POST", "PUT", "DELETE"]
    assert all(each.removal for each in explained.matches)
    assert "userDataStream.subscribe.signature" in explained.todo[0]


def test_an_unrouted_futures_socket_carries_nothing_since():
    """It opens, so that only the date tells why nothing comes."""
    explained = line(f"wscat -c wss://fstream.binance.com/ws/{KEY}")
    usdm = next(each for each in explained.matches if each.dialect == "binance-usdm")
    assert usdm.removal is not None
    assert (usdm.removal.since, usdm.removal.status) == ("2026-04-23", 0)
    assert any("/private/ws" in each for each in explained.todo)


WRONG = [
    # the API key
    (f"curl -X POST {USDM}", ["api_key_missing"]),
    (f"curl -X POST -H 'X-MBX-APIKEY;' {USDM}", ["api_key_empty"]),
    (f"curl -X POST -H 'X-MBX-APIKEY: <your key>' {USDM}", ["api_key_malformed"]),
    (f"curl -X POST -H 'X-MBX-APIKEY: YOUR_API_KEY' {USDM}", ["api_key_malformed"]),
    (f"curl -X POST {BX} {USDM}", ["api_key_misplaced"]),
    (f"curl -X POST {MBX} {BINGX}", ["api_key_misplaced"]),
    (f"curl -X POST -H 'Authorization: Bearer abc' {USDM}", ["api_key_misplaced"]),
    (f"curl -X POST {MBX} '{USDM}?apiKey=abc'", ["secret_exposed"]),
    (f"curl -X POST {MBX} '{USDM}?secretKey=abc'", ["secret_exposed"]),
    (f"curl -X POST '{USDM}?X-MBX-APIKEY=abc'", ["api_key_missing", "secret_exposed"]),
    (f"curl -X POST -u abc:def {USDM}", ["api_key_misplaced"]),
    (f"curl -X POST {MBX} https://name:password@fapi.binance.com/fapi/v1/listenKey", ["secret_exposed"]),
    # the listen key
    (f"curl -X PUT {MBX} {SPOT}", ["listen_key_missing"]),
    (f"curl -X PUT {BX} {BINGX}", ["listen_key_missing"]),
    (f"curl -X PUT {MBX} '{SPOT}?listenKey='", ["listen_key_empty"]),
    (f"curl -X PUT {MBX} '{SPOT}?listenKey=listen-key'", ["listen_key_malformed"]),
    (f"curl -X PUT {MBX} '{SPOT}?listenKey=YOURKEY'", ["listen_key_malformed"]),
    (f"curl -X PUT {MBX} '{SPOT}?listenkey={KEY}'", ["listen_key_misplaced"]),
    (f"curl -X PUT {MBX} '{SPOT}?listen_key={KEY}'", ["listen_key_misplaced"]),
    (f"curl -X PUT {MBX} -H 'listenKey: {KEY}' {SPOT}", ["listen_key_misplaced"]),
    # the symbol
    (f"curl -X POST {MBX} {MARGIN}/isolated", ["symbol_missing"]),
    (f"curl -X POST {MBX} '{MARGIN}/isolated?symbol='", ["symbol_empty"]),
    (f"curl -X POST {MBX} '{MARGIN}/isolated?symbol=BTC-USDT'", ["symbol_malformed"]),
    (f"curl -X POST {MBX} '{TOKEN}?isIsolated=true'", ["symbol_missing"]),
    (f"curl -X POST {MBX} '{TOKEN}?isIsolated=TRUE&symbol=BTC-USDT'", ["symbol_malformed"]),
    (f"curl -X POST {TOKEN}", ["api_key_missing"]),
    # method, host, transport, body
    (f"curl {MBX} {USDM}", ["method_wrong"]),
    (f"curl -X post {MBX} {USDM}", ["method_wrong"]),
    (f"curl -X POST {MBX} https://api.binance.com/fapi/v1/listenKey", ["host_wrong"]),
    (f"curl -X POST {MBX} http://fapi.binance.com/fapi/v1/listenKey", ["unencrypted"]),
    (f"curl -X PUT {MBX} -F listenKey={KEY} {SPOT}", ["body_not_read"]),
    (f"curl -X POST {MBX} https://fapi.binance.com//fapi/v1/listenKey/", ["path_unnormal"]),
    (f"curl -X POST {SIGNING}", ["unsigned"]),
    # the signature
    (f"curl -X POST {BX} '{BINGX}?timestamp=1700000000&signature={SIGNATURE}'", ["timestamp_unit"]),
    (f"curl -X POST {BX} '{BINGX}?timestamp=1700000000000000&signature={SIGNATURE}'", ["timestamp_unit"]),
    (f"curl -X POST {BX} '{BINGX}?timestamp=now&signature={SIGNATURE}'", ["timestamp_malformed"]),
    (f"curl -X POST {BX} '{BINGX}?signature={SIGNATURE}'", ["signature_incomplete"]),
    (f"curl -X POST {BX} '{BINGX}?timestamp=1700000000000&signature=abc'", ["signature_malformed"]),
    (f"curl -X POST {BX} '{BINGX}?{SIGNED}&recvWindow=1h'", ["window_malformed"]),
    # variables
    (f"curl -X POST -H 'X-MBX-APIKEY: $KEY' {USDM}", ["api_key_malformed", "variable_unresolved"]),
    (f"curl -X POST {MBX} '{{{{url}}}}/fapi/v1/listenKey'", ["variable_unresolved"]),
    # sockets
    (f"curl https://stream.binance.com:9443/ws/{KEY}", ["scheme_wrong"]),
    ("wss://open-api-swap.bingx.com/swap-market", ["listen_key_missing"]),
    ("wss://open-api-swap.bingx.com/swap-market?listenKey=", ["listen_key_empty"]),
    (f"wss://open-api-swap.bingx.com/swap-market?listenkey={KEY}", ["listen_key_misplaced"]),
    ("wss://stream.binance.com/ws/listen_key", ["listen_key_malformed"]),
    ("wss://stream.binance.com:9443/ws/", ["listen_key_empty"]),
    ("wss://fstream.binance.com/pm/ws/{listenKey}", ["listen_key_malformed"]),
    ("wss://open-api-swap.bingx.com/swap-market?listenKey=<key>", ["listen_key_malformed"]),
    (f"curl -X PUT {MBX} '{SPOT}?listenKey=abcd1234...'", ["listen_key_malformed"]),
    (f"ws://stream.binance.com/ws/{KEY}", ["unencrypted"]),
]


@pytest.mark.parametrize(
    ("text", "wrong"),
    WRONG,
)
def test_what_keeps_it_from_working(text, wrong):
    """Each fault by its name, and no other."""
    explained = line(text)
    assert kinds(explained, "error") == wrong
    assert all(each.what and each.remedy for each in explained.findings if each.severity == "error")


GOOD = [
    (f"curl -k -X POST {MBX} {USDM}", ["unverified"]),
    (f"curl -X PUT {MBX} '{USDM}?listenKey={KEY}'", ["listen_key_ignored"]),
    (f"curl -X POST {MBX} '{SPOT}?listenKey={KEY}'", ["listen_key_ignored"]),
    (f"curl -X POST {MBX} '{USDM}?foo=bar'", ["parameter_unknown"]),
    (f"curl -X PUT {MBX} '{SPOT}?listenKey={KEY}&listenKey={KEY}'", ["parameter_repeated"]),
    (f"curl -X POST {MBX} '{USDM}?timestamp=1700000000000&signature={SIGNATURE}'", ["signature_ignored"]),
    (f"curl -X POST {BX} '{BINGX}?timestamp=1700000000000&signature={SIGNATURE}'", ["timestamp_old"]),
    (f"curl -X POST {BX} '{BINGX}?timestamp=1700000000000'", ["signature_incomplete"]),
    (f"""curl -X PUT {MBX} --json '{{"listenKey":"{KEY}"}}' {SPOT}""", ["body_not_read"]),
    (f"curl -X POST {MBX} https://api.binance.com/api/v1/userDataStream", ["path_deprecated"]),
    ('curl -X POST -H "X-MBX-APIKEY: $KEY" ' + USDM, ["variable_unresolved"]),
    ("wss://stream.binance.com:9443/ws", ["subscription_needed"]),
    ("wss://stream.binance.com:9443/stream?streams=", ["subscription_needed"]),
    ("wss://stream.binance.com:9443/ws/btcusdt@trade", ["listen_key_missing"]),
    (f"wss://open-api-ws.bingx.com/market?listenKey={KEY}", ["subscription_needed"]),
    (f"curl -X POST {MBX} -d @file {USDM}", ["remark"]),
    (f"curl -X POST -H @headers.txt {USDM}", ["api_key_missing", "remark"]),
    (f"curl -X POST -K curlrc {USDM}", ["api_key_missing", "remark"]),
    (f"wscat -H 'X-MBX-APIKEY: abc' -c wss://fstream.binance.com/private/ws/{KEY}", ["api_key_misplaced"]),
    (f"wscat -n -c wss://fstream.binance.com/private/ws/{KEY}", ["unverified"]),
    ("wss://fstream.binance.com/market/ws/btcusdt@trade", ["subscription_needed"]),
    (f"curl -X POST {MBX} {TOKEN}", []),
    (f"curl -X POST {MBX} '{TOKEN}?symbol=BTCUSDT'", ["parameter_unknown"]),
]


@pytest.mark.parametrize(
    ("text", "said"),
    GOOD,
)
def test_what_is_good_to_know(text, said):
    """Nothing of it keeps the request from working."""
    explained = line(text)
    assert kinds(explained, "error") == []
    assert kinds(explained) == said


def test_every_kind_of_finding_is_met():
    """No kind is named in the vocabulary that nothing ever leads to."""
    texts = [text for text, _ in WRONG + GOOD]
    assert {kind for text in texts for kind in kinds(line(text))} == {*get_args(FindingKind)}


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        (f"curl -X POST {MBX} https://fapi.binance.com/fapi/v1/listenkey", "POST /fapi/v1/listenKey"),
        (f"curl -X POST {MBX} https://api.binance.com/api/v3/userDatastream", "POST /api/v3/userDataStream"),
        (f"curl -X POST {BX} {BINGX}".replace("/openApi", ""), "POST /openApi/user/auth/userDataStream"),
        (f"curl -X POST {MBX} https://api.binance.com/xapi/v1/userDataStream", "POST /api/v1/userDataStream"),
        (f"curl -X PUT {MBX} https://eapi.binance.com/eapi/v1/listenkey", "PUT /eapi/v1/listenKey"),
    ],
)  # fmt: skip
def test_what_is_unknown_is_named_with_what_is_like_it(text, nearest):
    """A slip of spelling finds its way back."""
    explained = line(text)
    assert explained.is_ == "unknown"
    assert explained.nearest[0] == nearest


def test_another_call_is_unknown_and_has_nothing_near():
    """An order is none of our business, and nothing is made up."""
    explained = line("curl 'https://api.binance.com/api/v3/account?timestamp=1&signature=2'")
    assert (explained.is_, explained.nearest) == ("unknown", ())


def test_other_known_things_are_told_apart():
    """Public calls, listen tokens and WebSocket APIs are known for what they are."""
    assert line("curl https://api.binance.com/api/v3/time").is_ == "public_call"
    assert line(f"curl -X POST {MBX} {TOKEN}").is_ == "token_call"
    assert line("wss://ws-api.binance.com:443/ws-api/v3").is_ == "websocket_api"


@pytest.mark.parametrize("name", DIALECTS)
def test_our_own_collections_are_explained_right(name):
    """What one half of the reference writes, the other half reads: every item is the call that it is."""
    document = exported(describe(DIALECTS[name]))
    for explained, row in zip(
        imported(json.dumps(document).encode()), document["item"][0]["item"], strict=True
    ):
        assert name in {each.dialect for each in explained.matches}
        verb = row["name"].partition(" ")[0].lower()
        assert {each.kind for each in explained.matches} == {"" if "token" in row["name"] else verb}
        if row["name"].endswith(" a listen key") and "without" not in row["name"]:
            assert kinds(explained, "error") == []
