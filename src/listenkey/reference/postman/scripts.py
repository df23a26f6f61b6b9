"""The JavaScript of a collection: signing before a request, tests after it. Postman and newman run both."""

import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from listenkey.dialect.model import Auth, Dialect, KeySpace
from listenkey.dialect.template import fill_json
from listenkey.reference.describe import Answer, FailureRow

KEY: Final = "listenKey"
_HEXADECIMAL: Final = "toString(crypto.enc.Hex)"
_SHORT_MS: Final = 2000
"""Windows that one run of a folder may overrun."""
_MARK: Final = "the listen key"


def event(when: str, lines: list[str]) -> dict[str, Any]:
    """A script of an item or of the whole collection; `when` is `prerequest` or `test`."""
    return {"listen": when, "script": {"type": "text/javascript", "exec": lines}}


def signing(auth: Auth) -> list[str]:
    """Sets `timestamp`, and `signature` over the query as it is sent, for requests that name them."""
    names = {"timestamp": auth.timestamp_parameter, "signature": auth.signature_parameter}
    return [
        'const crypto = require("crypto-js");',
        f'pm.variables.set("{names["timestamp"]}", String(Date.now()));',
        "const payload = pm.request.url.query.all()",
        f'    .filter((each) => !each.disabled && each.key !== "{names["signature"]}")',
        "    .map((each) => `${each.key}=${pm.variables.replaceIn(each.value)}`)",
        '    .join("&");',
        'const secret = pm.variables.get("apiSecret");',
        f'pm.variables.set("{names["signature"]}", crypto.HmacSHA256(payload, secret).{_HEXADECIMAL});',
    ]


def paced(dialect: Dialect, lines: list[str]) -> list[str]:
    """A script that first waits as long as the tightest limit by the second asks for between two requests;
    the script alone where all limits are wider than a run of a folder gets through."""
    paces = [each.window_ms // each.limit for each in dialect.limits.buckets if each.window_ms <= _SHORT_MS]
    longest = max(paces, default=0)
    if not longest:
        return lines
    within = [f"    {line}" for line in lines]
    return [
        "// No faster than the venue's limit by the second.",
        "setTimeout(() => {",
        *within,
        f"}}, {longest});",
    ]


def done(answer: Answer, space: KeySpace, *, keeps: bool) -> list[str]:
    """Tests of an answer that is no failure; with `keeps`, its listen key is the one to use from now on."""
    if not answer.body:
        return [*_status(answer.status), *_empty()]
    members = json.loads(fill_json(answer.body, _marks()))
    return [*_status(answer.status), *_test("the answer has its shape", _shape(members, space, keeps=keeps))]


def refused(failure: FailureRow) -> list[str]:
    """Tests of a failure: the venue's own status, code and members."""
    if not failure.body:
        return [*_status(failure.status), *_empty()]
    if not failure.body.startswith("{") or failure.code is None:
        return _status(failure.status)
    members = json.loads(fill_json(failure.body, _marks()))
    lines = ["const answer = pm.response.json();", *_code(members, failure.code, "answer")]
    return [*_status(failure.status), *_test(f"the code is {failure.code}", lines)]


def _code(members: dict[str, object], code: int, at: str) -> Iterator[str]:
    """The members of an error, and where among them its code stands."""
    yield f"pm.expect({at}).to.have.all.keys({', '.join(map(json.dumps, members))});"
    for name, value in members.items():
        if isinstance(value, dict):
            yield from _code(value, code, f"{at}[{json.dumps(name)}]")
        elif value == code and value is not True:
            yield f"pm.expect({at}[{json.dumps(name)}]).to.eql({code});"


def forget() -> list[str]:
    """The key is over; nothing may use it by mistake."""
    return [f'pm.collectionVariables.set("{KEY}", "");']


def key_pattern(space: KeySpace) -> str:
    """A regular expression, without slashes, that a listen key matches as a whole."""
    codes = sorted({ord(character) for character in space.alphabet})
    runs = [[code for _, code in run] for _, run in groupby(enumerate(codes), lambda pair: pair[1] - pair[0])]
    spans = [
        re.escape(chr(run[0])) if len(run) == 1 else f"{re.escape(chr(run[0]))}-{re.escape(chr(run[-1]))}"
        for run in runs
    ]
    return f"^[{''.join(spans)}]{{{space.length}}}$"


def _shape(members: dict[str, object], space: KeySpace, *, keeps: bool) -> list[str]:
    lines = ["const answer = pm.response.json();"]
    if not members:
        return [*lines, "pm.expect(answer).to.eql({});"]
    lines.append(f"pm.expect(answer).to.have.all.keys({', '.join(map(json.dumps, members))});")
    for name, value in members.items():
        if value == _MARK:
            lines.append(f"pm.expect(answer[{json.dumps(name)}]).to.match(/{key_pattern(space)}/);")
            lines.append(
                f'pm.collectionVariables.set("{KEY}", answer[{json.dumps(name)}]);'
                if keeps
                else f'pm.expect(answer[{json.dumps(name)}]).to.eql(pm.collectionVariables.get("{KEY}"));'
            )
        else:
            kind = "number" if isinstance(value, int) else "string"
            lines.append(f'pm.expect(answer[{json.dumps(name)}]).to.be.a("{kind}");')
    return lines


def _marks() -> dict[str, object]:
    return {"listen_key": _MARK, "token": "a token", "expires_at_ms": 0, "now_ms": 0}


def _empty() -> list[str]:
    return _test("there is no body", ['pm.expect(pm.response.text()).to.eql("");'])


def _status(status: int) -> list[str]:
    return _test(f"the status is {status}", [f"pm.response.to.have.status({status});"])


def _test(title: str, lines: list[str]) -> list[str]:
    return [f'pm.test("{title}", () => {{', *(f"    {line}" for line in lines), "});"]
