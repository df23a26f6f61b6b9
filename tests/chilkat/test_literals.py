"""Strings in every language: whatever is in them arrives as it is, and nothing in them is obeyed."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from listenkey.reference.chilkat.language import Language, languages
from listenkey.reference.chilkat.literal import write_text
from tests.chilkat.expressions import Reader
from tests.chilkat.grammars import GRAMMARS
from tests.chilkat.tree import Joined, Value

LANGUAGES = {each.name: each for each in languages()}
ONE_LITERAL = [each for each in languages() if not each.concat]
LONGEST = {"foxpro": 255, "lianja": 255, "delphi-ax": 255}
NASTY = (
    "",
    '{"id":"1","reqType":"sub"}',
    'it\'s "so" ~n `t %s %> \\ \\n $x ${x} @y #{z} [c] ] {',
    "a\nb\tc\r\nd",
    "“typographic” ‘quotes’ é ✓",
    "??/ ??' trigraphs",
    "'" * 300 + '"' * 300 + "]" * 300,
    "x" * 1000,
)
texts = st.text(
    st.one_of(
        st.sampled_from("\"'`~$@#%&{}[]()\\/;?!<>=+-*.,:|^ \t\r\nabcnrtux01“”‘’„‚‛é"),
        st.characters(exclude_categories=["Cs", "Cc"]),
    ),
    max_size=60,
)


def read_back(language: str, written: str) -> str:
    """What the language takes the expression for."""
    found = Reader(GRAMMARS[language].manner, written).whole()
    parts = found.parts if isinstance(found, Joined) else [found]
    assert all(isinstance(each, Value) for each in parts), written
    return "".join(str(each.value) for each in parts)


@pytest.mark.parametrize("name", sorted(LANGUAGES))
@settings(deadline=None, max_examples=60)
@given(value=texts)
@example(value=NASTY[0])
@example(value=NASTY[1])
@example(value=NASTY[2])
@example(value=NASTY[3])
@example(value=NASTY[4])
@example(value=NASTY[5])
@example(value=NASTY[6])
@example(value=NASTY[7])
def test_a_string_is_read_as_it_was_meant(name: str, value: str) -> None:
    """A secret with a quote or a dollar in it signs what it should, in every language."""
    written = write_text(LANGUAGES[name], value)
    assert "\n" not in written
    assert read_back(name, written) == value


@pytest.mark.parametrize("name", sorted(LONGEST))
@settings(deadline=None, max_examples=40)
@given(value=st.text("ab'\"]", min_size=200, max_size=900))
def test_no_literal_is_longer_than_its_language_allows(name: str, value: str) -> None:
    """A long subscription does not stop a compiler that takes 255 characters."""
    written = write_text(LANGUAGES[name], value)
    pieces = re.split(r"(?<=['\"\]]) \+ (?=['\"\[])", written)
    assert all(len(each) <= LONGEST[name] + 2 for each in pieces)


@pytest.mark.parametrize("language", ONE_LITERAL, ids=lambda each: each.name)
def test_languages_without_a_sign_to_join_with_need_none(language: Language) -> None:
    """They write any string in one literal, because nothing can stand between two."""
    for value in NASTY:
        assert read_back(language.name, write_text(language, value)) == value
