"""What all parts of the lint share: repeated names, patterns, paths, and templates that have to be JSON."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from listenkey.dialect.template import fill_json, places

_OURS: Final = "/lk/"
"""Paths that are the gateway's own."""

_JSON_PLACES: Final[dict[str, object]] = {
    "result": b"null", "id": b"1", "event": b"{}", "name": "x", "reason": "x", "msg": "x", "listen_key": "x",
    "iso_time": "x", "path": "x", "method": "x", "token": "x", "subscriptions": b"[]",
}  # fmt: skip
"""What stands in for each place while a template is tried; all others are numbers."""


def twice(where: str, names: Iterable[str]) -> Iterator[str]:
    """Names that stand there more than once."""
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{where}: {name or 'the row for all streams'} is there {count} times"


def json_template(
    where: str, template: str, known: Iterable[str], *, quoted_id: bool = False
) -> Iterator[str]:
    """Whether a template has only known places and is JSON once they are filled."""
    unknown = sorted(places(template) - set(known))
    for place in unknown:
        yield f"{where}: nothing fills ${place}"
    values = {place: _JSON_PLACES.get(place, 1) for place in places(template)}
    if quoted_id:
        values["id"] = "x"
    try:
        msgspec.json.decode(fill_json(template, values))
    except msgspec.DecodeError as error:
        yield f"{where}: is not JSON once its places are filled: {error}"


def compiles(pattern: str) -> bool:
    """Whether a pattern is one."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def own_path(where: str, path: str) -> Iterator[str]:
    """Whether a path may be a dialect's."""
    if not path.startswith("/") or path.startswith(_OURS):
        yield f"{where}: a path begins with / and not with {_OURS}"
