import inspect
import re

import pytest

from listenkey.base import errors
from listenkey.base.errors import ListenKeyError, Refused, StoreError, StoreFull

ALL = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, ListenKeyError)
}


def test_the_tree_in_the_docstring_is_the_tree():
    """What the module's head draws is what a caller can catch."""
    drawn, parents = {}, {}
    for line in errors.__doc__.splitlines():
        found = re.match(r"    ([ │├└─]*)([A-Z]\w+)\b", line)
        if found:
            depth = len(found[1]) // 4
            parents[depth] = found[2]
            drawn[found[2]] = parents[depth - 1] if depth else None
    assert drawn == {
        name: kind.__base__.__name__ if kind is not ListenKeyError else None for name, kind in ALL.items()
    }


def test_every_error_has_a_code_of_its_own():
    """Programs tell errors apart by code; two with the same would be one."""
    assert len({kind.code for kind in ALL.values()}) == len(ALL)


@pytest.mark.parametrize("kind", ALL.values(), ids=list(ALL))
def test_every_error_says_what_happened_and_what_to_do(kind):
    """Text for people: first the fault, then the remedy, where there is one."""
    assert str(kind("the thing broke", "mend it")) == "the thing broke; mend it"
    assert str(kind("the thing broke")) == "the thing broke"
    assert kind("the thing broke", "mend it").remedy == "mend it"


def test_a_refusal_names_the_rule():
    """One class for all refusals, told apart by code; the class keeps its own."""
    assert Refused("no", code="bad_name").code == "bad_name"
    assert Refused("no").code == "refused"


def test_a_full_disk_is_a_store_error():
    """Who handles any trouble with the store handles that one too."""
    assert issubclass(StoreFull, StoreError)
