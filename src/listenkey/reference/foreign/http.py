"""A request written out as HTTP has it: method and target, headers, and a body after a blank line."""

import re
from typing import Final

from listenkey.reference.foreign.request import Foreign, Pair, read_body, read_target

_BEGIN: Final = re.compile(r"\s*([A-Z]{3,7}) (\S{1,8192}) HTTP/[0-9](?:\.[0-9])?[ \t]*(?:\r?\n|\Z)")
_BLANK: Final = re.compile(r"\r?\n[ \t]*\r?\n")


def read_http(text: str) -> Foreign | None:
    """The request that a text is as a whole; None where it is something else."""
    match = _BEGIN.match(text)
    if match is None:
        return None
    begin = match.end()
    blank = _BLANK.search(text, begin - 1)
    head = text[begin:] if blank is None else text[begin : blank.start()]
    headers = tuple(
        Pair(name.strip(), value.strip())
        for name, colon, value in (line.partition(":") for line in head.splitlines())
        if colon
    )
    target = read_target(match[2])
    host = next((each.value.lower() for each in headers if each.name.lower() == "host"), "")
    kind, body = read_body("" if blank is None else text[blank.end() :])
    return Foreign(
        method=match[1],
        scheme=target.scheme,
        host=target.host or host,
        path=target.path,
        query=target.query,
        headers=headers,
        body=body,
        body_kind=kind,
        credentials_in_address=target.credentials,
    )
