"""The native stream's messages as its document tells of them."""

import ast
import asyncio
import inspect
import json
import re
from pathlib import Path
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from listenkey.core.position import Gap, GapReason, Position
from listenkey.core.records import Event
from listenkey.edge import native as edge_native
from listenkey.edge.native import STREAM_PATH
from listenkey.reference.own import native_stream
from listenkey.reference.own.native import MESSAGES
from listenkey.wire import native
from tests.edge.gate import Gate
from tests.openapi.parsing import parse

ROOT = Path(__file__).parents[2]
MADE = {
    "event": [native.event_json("k3f9", Event(18, 1_700_000_000_000_000, b'{"e":"x"}'))],
    "position": [native.position_json(Position("k3f9", 17), 1_700_000_000_000_000)],
    "gap": [
        native.gap_json(Gap("k3f9", 12, None if reason != "retention" else 15, reason, Position("q7d2", 1)))
        for reason in get_args(GapReason)
    ],
    "end": [native.end_json(reason) for reason in get_args(native.EndReason)],
}


def meaning(message):
    """The kinds that a message may be."""
    value = json.loads(message)
    return {kind for kind, (schema, _) in MESSAGES.items() if Draft202012Validator(schema).is_valid(value)}


def test_document_is_valid(tmp_path):
    """Every tool that reads AsyncAPI 3 takes the file."""
    assert parse(tmp_path, {"native": native_stream.document()}) == {"native": []}
    assert native_stream.PATH == STREAM_PATH


@pytest.mark.parametrize("kind", sorted(MESSAGES))
def test_messages_fit_their_schemas(kind):
    """A reader that goes by the document understands each message, as that one alone."""
    assert set(MADE) == set(MESSAGES)
    for message in [*MADE[kind], json.dumps(MESSAGES[kind][1])]:
        assert meaning(message) == {kind}


async def test_stream_says_what_is_told(tmp_path):
    """Over a real socket: position, gap, event, end."""
    async with Gate(tmp_path / "data") as gate:
        key = await gate.api_key()
        await gate.publish({"e": "x"}, stream="binance-spot")
        headers = {"Authorization": f"Bearer {key}"}
        socket = await gate.dial(f"{STREAM_PATH}?stream=binance-spot&since=0:5", additional_headers=headers)
        said = [meaning(await socket.text())]
        await gate.publish({"e": "y"}, stream="binance-spot")
        said += [meaning(await socket.text()) for _ in range(2)]
        ids = await gate.call("GET", "/v1/api-keys")
        await gate.call("DELETE", f"/v1/api-keys/{ids.json()['items'][0]['id']}")
        async with asyncio.timeout(20):
            while said[-1] != {"end"}:
                said.append(meaning(await socket.text()))
    assert [kind for kinds in said for kind in kinds if kind != "position"] == [
        "gap",
        "event",
        "event",
        "end",
    ]
    assert {"position"} in said


def test_refusals_are_in_the_table_of_errors():
    """Every code that comes before the stream begins, with the status it comes with."""
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    section = page.partition("## Native stream")[2].partition("\n## ")[0]
    table = {}
    for codes, statuses in re.findall(r"^\| (`[^|]+) \| ([\d, ]+) \|", section, re.MULTILINE):
        table |= zip(re.findall(r"`(\w+)`", codes), map(int, statuses.split(", ")), strict=True)
    source = ast.walk(ast.parse(inspect.getsource(edge_native)))
    calls = [keyword for node in source if isinstance(node, ast.Call) for keyword in node.keywords]
    codes = {each.value.value for each in calls if each.arg == "code"} | {"store"}
    assert table == {code: edge_native._STATUS.get(code, 400) for code in codes}


async def test_other_methods_are_told_which_there_is(tmp_path):
    """A client that posts to the stream learns that it is read (RFC 9110 section 15.5.6)."""
    async with Gate(tmp_path / "data") as gate:
        answer = await gate.http.post(gate.venue + STREAM_PATH)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
        assert answer.json()["error"]["code"] == "method_not_allowed"


def test_parser_finds_what_is_wrong(tmp_path):
    """A check that took everything would prove nothing."""
    broken = native_stream.document()
    broken["operations"]["sendMessages"]["action"] = "shout"
    assert parse(tmp_path, {"broken": broken})["broken"]
