"""The judge of a whole run finds what was never seen, and excuses that are none."""

from listenkey.dialect.registry import load_dialects
from tests.support.seen import SEEN, excused, expected, problems

ROW = "binance-spot failure banned"


def test_what_was_seen_whole_is_no_problem() -> None:
    """A run that saw every row but the excused ones passes."""
    assert problems(set(expected()) - excused(), excused()) == []


def test_a_row_that_nobody_saw_is_named() -> None:
    """A new failure row without a test fails the run, and says which it is."""
    (problem,) = problems(set(expected()) - excused() - {ROW}, excused())
    assert problem.startswith(f"{ROW}: no test")


def test_an_excuse_must_hold() -> None:
    """A row that is seen after all, or that is none, is no longer excused."""
    everything = set(expected())
    (seen,) = problems(everything, {ROW})
    assert seen.startswith(f"{ROW}: was seen")
    (gone,) = problems(everything, {"binance-spot failure never"})
    assert gone.endswith("in no dialect")


def test_only_answers_are_seen() -> None:
    """Looking a row up, as the reference does to tell of it, is not an answer by it."""
    before = set(SEEN.rows)
    with SEEN.watching():
        load_dialects()["binance-spot"].failure("banned")
    assert before == SEEN.rows
