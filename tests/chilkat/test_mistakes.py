"""Mistakes that somebody might make in the descriptions, planted one by one: each is found everywhere."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from listenkey.reference.chilkat.language import Language, languages
from listenkey.reference.chilkat.render import render
from listenkey.reference.chilkat.rest import call_steps
from listenkey.reference.chilkat.script import Script
from listenkey.reference.chilkat.steps import Call, Dispose, New, Step
from tests.chilkat.conftest import PRODUCTS, Bench
from tests.chilkat.grammars import GRAMMARS

PRODUCT = PRODUCTS["binance-spot"]
Change = Callable[[Sequence[Step]], Sequence[Step]]


def swapped(member: str) -> Change:
    """The arguments of a call the wrong way round."""

    def change(steps: Sequence[Step]) -> Sequence[Step]:
        return [
            msgspec.structs.replace(step, arguments=tuple(reversed(step.arguments)))
            if isinstance(step, Call) and step.member == member
            else step
            for step in steps
        ]

    return change


def without(member: str) -> Change:
    """A call left out."""
    return lambda steps: [each for each in steps if not (isinstance(each, Call) and each.member == member)]


def late_creation(steps: Sequence[Step]) -> Sequence[Step]:
    """The object is made after its first call."""
    made = next(each for each in steps if isinstance(each, New))
    used = next(each for each in steps if isinstance(each, Call) and each.object == made.name)
    return [one for each in steps if each is not made for one in ((used, made) if each is used else (each,))]


def early_disposal(steps: Sequence[Step]) -> Sequence[Step]:
    """The answer is given back before it is shown."""
    end = next(each for each in steps if isinstance(each, Dispose))
    place = next(
        place for place, each in enumerate(steps) if isinstance(each, Call) and each.member == "QuickRequest"
    )
    return [*steps[: place + 2], end, *(each for each in steps[place + 2 :] if each is not end)]


def double_disposal(steps: Sequence[Step]) -> Sequence[Step]:
    """Everything is given back twice."""
    return [*steps, next(each for each in steps if isinstance(each, Dispose))]


def no_disposal(steps: Sequence[Step]) -> Sequence[Step]:
    """Nothing is given back."""
    return [each for each in steps if not isinstance(each, Dispose)]


def unchanged(steps: Sequence[Step]) -> Sequence[Step]:
    """No mistake."""
    return steps


def disposes(language: Language) -> bool:
    """Whether its programs give back an answer."""
    return GRAMMARS[language.name].disposes != "none"


def write(language: Language, change: Change) -> str:
    """The program for a create, with a mistake in it."""
    script, steps = call_steps(PRODUCT, PRODUCT.call("create"), signed=False)
    return render(language, script, tuple(change(steps)))


def perform(bench: Bench, texts: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Each text in its language, addressed as it should be."""
    port = bench.tap.url.rpartition(":")[2]
    key = f"key-{PRODUCT.name}"
    pairs = [(name, text.replace("8080", port).replace("demo-key", key)) for name, text in texts]
    done = bench.perform(pairs)
    assert len(done) == len(texts)
    return done


def worked(result: dict[str, Any]) -> bool:
    """Whether a program did what it should."""
    return not result["error"] and result["printed"][:1] == ["200"]


SEQUENCES = [swapped("SetRequestHeader"), without("SetRequestHeader"), without("QuickRequest"), late_creation]
DISPOSALS = [early_disposal, double_disposal, no_disposal]
NAMES = [
    ("(?i)(?<=quick)request", "Demand"),
    ("(?i)(?<=lastmethod)success", "Result"),
    ("(?i)(?<=status)code", "Number"),
    (r"(?i)(?<=body)str\b", "Text"),
    ("(?i)setrequestheader", "SetHeader"),
]


def found_out(bench: Bench, texts: Sequence[tuple[str, str]]) -> list[str]:
    """Languages in which a program works in spite of all."""
    return [each["language"] for each in perform(bench, texts) if worked(each)]


@pytest.mark.parametrize("change", SEQUENCES, ids=["swapped", "no-header", "no-request", "late-creation"])
def test_a_wrong_sequence_is_found(bench: Bench, change: Change) -> None:
    """Arguments in the wrong order, a missing call or one too early never reach a page."""
    assert found_out(bench, [(each.name, write(each, change)) for each in languages()]) == []


@pytest.mark.parametrize("change", DISPOSALS, ids=["early", "double", "none"])
def test_wrong_disposal_is_found(bench: Bench, change: Change) -> None:
    """In languages that give objects back, once is right, and only when nobody needs them."""
    texts = [(each.name, write(each, change)) for each in languages() if disposes(each)]
    assert found_out(bench, texts) == []


@pytest.mark.parametrize(("pattern", "wrong"), NAMES, ids=[wrong for _, wrong in NAMES])
def test_a_wrong_name_is_found(bench: Bench, pattern: str, wrong: str) -> None:
    """A method or property that the library has not is found, however the language spells it."""
    texts = [(each.name, re.sub(pattern, wrong, write(each, unchanged))) for each in languages()]
    assert found_out(bench, texts) == []


def test_a_request_the_wrong_way_round_is_found(bench: Bench) -> None:
    """Both arguments are strings, so that the library has to say it. That takes it long."""
    few = ("purebasic", "tcl", "sqlserver", "objc")
    change = swapped("QuickRequest")
    assert (
        found_out(bench, [(each.name, write(each, change)) for each in languages() if each.name in few]) == []
    )


# In each family, a spelling that belongs to another.
SPELLINGS = [
    ("purebasic", "ckStatusCode", "StatusCode"),
    ("tcl", "get_StatusCode", "statusCode"),
    ("sqlserver", "sp_OAGetProperty @resp", "sp_OAMethod @resp"),
    ("csharp", "resp.StatusCode", "resp.StatusCode()"),
    ("cpp", "resp->", "resp."),
    ("cpp", "get_StatusCode", "StatusCode"),
    ("java", "bodyStr", "get_BodyStr"),
    ("c", "getStatusCode", "get_StatusCode"),
    ("delphi-dll", "__bodyStr", "_bodyStr"),
    ("delphi-dll", "CkHttpResponse_Dispose", "CkHttp_Dispose"),
    ("delphi-ax", "resp: IChilkatHttpResponse", "resp: IChilkatJsonObject"),
    ("unicode-c", "CkHttpW_Create", "CkHttp_Create"),
    ("unicode-cpp", 'L"POST"', '"POST"'),
    ("go", "resp.StatusCode()", "resp.StatusCode"),
    ("objc", " url: ", " address: "),
    ("swift2", "url: url", "url"),
    ("swift", "bodyStr", "BodyStr"),
    ("vb6", "Set resp", "resp"),
    ("vbnet", "resp.BodyStr", "resp->BodyStr"),
    ("ruby", "bodyStr()", "bodyStr"),
    ("perl", "$apiKey =", "apiKey ="),
    ("powerbuilder", "string ls_Url", ""),
    ("foxpro", "LOCAL lcUrl", ""),
    ("dataflex", "String sUrl", "Integer sUrl"),
    ("swift2", "resp!.", "resp."),
    ("swift", "url: url", "address: url"),
]


def test_a_wrong_spelling_is_found(bench: Bench) -> None:
    """What one family writes is wrong in the next, and is not taken for right there."""
    texts = {each.name: write(each, unchanged) for each in languages()}
    assert [each for each in SPELLINGS if each[1] not in texts[each[0]]] == []
    results = perform(bench, [(name, texts[name].replace(right, wrong)) for name, right, wrong in SPELLINGS])
    missed = [each for each, result in zip(SPELLINGS, results, strict=True) if worked(result)]
    assert missed == []


def test_nothing_planted_nothing_found(bench: Bench) -> None:
    """Without a mistake all of them work, so that it is the mistakes that are found."""
    results = perform(bench, [(each.name, write(each, unchanged)) for each in languages()])
    assert [each["language"] for each in results if not worked(each)] == []


def test_an_end_of_the_library_is_a_failure(bench: Bench) -> None:
    """A program that takes the library's process down does not pass for one that printed nothing."""
    with pytest.raises(AssertionError, match="ended after 1 of 2"):
        bench.perform([("csharp", ""), ("no language", "")])


def test_scripts_know_what_a_variable_holds() -> None:
    """A description that uses one name for two things is refused before any program is written."""
    script = Script()
    script.assign("url", "a")
    with pytest.raises(AssertionError, match="url"):
        script.assign("url", 1)
