"""Explanations as text for people."""

from collections.abc import Iterator, Sequence
from typing import Final

from listenkey.reference.foreign.explain import Explanation, Is, Match

_MARKS: Final = {"error": "wrong", "warning": "mind", "note": "note"}
_BESIDE: Final[dict[Is, str]] = {
    "public_call": "Public calls beside a stream",
    "unknown": "Unknown, nothing to do with keys",
}
_MOST: Final = 40
"""So many requests that nothing is to be said about are named."""


def tell(explanations: Sequence[Explanation]) -> Iterator[str]:
    """Lines: what has to do with keys one after the other, then the others with a line each."""
    if len(explanations) == 1:
        yield from _told(explanations[0])
        return
    for each in explanations:
        if each.is_ not in _BESIDE:
            yield from _told(each)
            yield ""
    for kind, title in _BESIDE.items():
        yield from _listed(title, [each for each in explanations if each.is_ == kind])


def _listed(title: str, rows: Sequence[Explanation]) -> Iterator[str]:
    if not rows:
        return
    yield f"{title}: {len(rows)}"
    for each in rows[:_MOST]:
        near = f"  (nearest: {each.nearest[0]})" if each.nearest else ""
        yield f"  {each.request.partition('?')[0]}{near}"
    if len(rows) > _MOST:
        yield f"  and {len(rows) - _MOST} more; --json has them all"
    yield ""


def _told(explanation: Explanation) -> Iterator[str]:
    if explanation.name:
        yield explanation.name
    yield explanation.request
    yield f"  {explanation.means}"
    for match in explanation.matches:
        yield f"  {match.dialect}: {match.call}, {_standing(match)}"
    for finding in explanation.findings:
        yield f"  {_MARKS[finding.severity]}: {finding.what} {finding.remedy}".rstrip()
    if explanation.nearest or explanation.is_ == "unknown":
        yield f"  nearest: {', '.join(explanation.nearest) or 'none is written alike'}"
    for each in explanation.todo:
        yield f"  do: {each}"
    for page in dict.fromkeys(match.documentation for match in explanation.matches):
        yield f"  page: {page}"


def _standing(match: Match) -> str:
    removal = match.removal
    if removal is None:
        return "which the venue has"
    since = f"answers {removal.status}" if removal.status else "opens without user data"
    return f"which the venue removed on {removal.since}; it {since} since"
