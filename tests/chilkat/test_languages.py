"""What a page shows of each language: that it is there, how its central call looks, what is said of it."""

import pytest
from pygments.lexers import get_lexer_by_name

from listenkey.reference.chilkat.language import Language, languages
from listenkey.reference.chilkat.members import members
from listenkey.reference.chilkat.render import render
from listenkey.reference.chilkat.script import Script
from tests.chilkat.conftest import PRODUCTS, programs_of
from tests.chilkat.grammars import GRAMMARS
from tests.chilkat.running import COMPILED, INTERPRETED
from tests.chilkat.signatures import GIVES, TAKES

LANGUAGES = {each.name: each for each in languages()}

_DOTS = 'resp = http.QuickRequest("DELETE","https://api.example.com/v1/stream?key=abc")'
_POINTED = "$resp = $http->QuickRequest({0}DELETE{0},{0}https://api.example.com/v1/stream?key=abc{0});"
# The central call as each language's own page has it.
CENTRAL = {
    "purebasic": 'resp.i = CkHttp::ckQuickRequest(http,"DELETE","https://api.example.com/v1/stream?key=abc")',
    "tcl": 'set resp [CkHttp_QuickRequest $http "DELETE" "https://api.example.com/v1/stream?key=abc"]',
    "powerbuilder": 'loo_Resp = loo_Http.QuickRequest("DELETE","https://api.example.com/v1/stream?key=abc")',
    "sqlserver": "EXEC sp_OAMethod @http, 'QuickRequest', @resp OUT, 'DELETE',"
    " 'https://api.example.com/v1/stream?key=abc'",
    "foxpro": 'loResp = loHttp.QuickRequest("DELETE","https://api.example.com/v1/stream?key=abc")',
    "lianja": 'loResp = loHttp.QuickRequest("DELETE","https://api.example.com/v1/stream?key=abc")',
    "xojo": _DOTS,
    "delphi-ax": "resp := http.QuickRequest('DELETE','https://api.example.com/v1/stream?key=abc');",
    "delphi-dll": "resp := CkHttp_QuickRequest(http,'DELETE','https://api.example.com/v1/stream?key=abc');",
    "autoit": 'Local $oResp = $oHttp.QuickRequest("DELETE","https://api.example.com/v1/stream?key=abc")',
    "vb6": f"Set {_DOTS}",
    "vbscript": f"Set {_DOTS}",
    "asp": f"Set {_DOTS}",
    "vbnet": f"Dim resp As Chilkat.HttpResponse = {_DOTS.partition(' = ')[2]}",
    "csharp": f"Chilkat.HttpResponse {_DOTS};",
    "c": 'resp = CkHttp_QuickRequest(http,"DELETE","https://api.example.com/v1/stream?key=abc");',
    "unicode-c": 'resp = CkHttpW_QuickRequest(http,L"DELETE",L"https://api.example.com/v1/stream?key=abc");',
    "cpp": f"CkHttpResponse *{_DOTS};",
    "unicode-cpp": 'CkHttpResponseW *resp = http.QuickRequest(L"DELETE",'
    'L"https://api.example.com/v1/stream?key=abc");',
    "java": f"CkHttpResponse {_DOTS};",
    "android": f"CkHttpResponse {_DOTS};",
    "kotlin": f"val {_DOTS}",
    "go": _DOTS.replace("=", ":=", 1),
    "node": f"var {_DOTS};",
    "jscript": f"var {_DOTS};",
    "powershell": "$resp = $http.QuickRequest('DELETE','https://api.example.com/v1/stream?key=abc')",
    "php": _POINTED.format("'"),
    "php-ax": _POINTED.format("'"),
    "perl": _POINTED.format('"'),
    "ruby": _DOTS,
    "ckpython": _DOTS,
    "chilkat2-python": _DOTS,
    "objc": 'CkoHttpResponse *resp = [http QuickRequest: @"DELETE"'
    ' url: @"https://api.example.com/v1/stream?key=abc"];',
    "swift2": 'var resp: CkoHttpResponse? = http.QuickRequest("DELETE",'
    ' url: "https://api.example.com/v1/stream?key=abc")',
    "swift": 'var resp: CkoHttpResponse? = http.quickRequest("DELETE",'
    ' url: "https://api.example.com/v1/stream?key=abc")',
    "dataflex": 'Get ComQuickRequest Of hoHttp "DELETE" "https://api.example.com/v1/stream?key=abc" To vResp',
}
CENTRAL |= {"vba": CENTRAL["vb6"], "mono": CENTRAL["csharp"], "dotnet-core": CENTRAL["csharp"]}


def test_every_language_has_a_reader_of_its_own() -> None:
    """A language that nothing reads back would be shown unchecked."""
    assert set(LANGUAGES) == set(GRAMMARS) == set(CENTRAL)


@pytest.mark.parametrize("name", sorted(LANGUAGES))
def test_the_central_call_looks_as_its_users_know_it(name: str) -> None:
    """Who knows the library's own pages recognises the line that matters."""
    script = Script()
    script.new("http", "Http")
    script.call("http", "QuickRequest", "DELETE", "https://api.example.com/v1/stream?key=abc", into="resp")
    lines = [line.strip() for line in render(LANGUAGES[name], script, script.steps).splitlines()]
    assert CENTRAL[name] in lines


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=lambda each: each.name)
def test_every_language_can_be_coloured_and_saved(language: Language) -> None:
    """A page with an unknown lexer is not written at all."""
    get_lexer_by_name(language.lexer)
    assert language.needs
    assert language.file.format(product="p", of="create").rpartition(".")[2]


def test_what_was_not_run_says_so_and_why() -> None:
    """Nobody takes a form that is only inferred for one that was seen to work."""
    for program in programs_of("binance-spot"):
        assert bool(program.executed) is not bool(program.why_not), program.language
    said = {each.language: each.why_not or each.executed for each in programs_of("binance-spot")}
    assert "Not run in its own language" in said["chilkat-purebasic"]
    assert "own page for a listen key in this language." in said["chilkat-purebasic"]
    assert "inferred from that of Visual Basic 6" in said["chilkat-vba"]
    assert "check it first" in said["chilkat-dataflex"]
    assert "inferred from its rules" in said["chilkat-swift"]
    assert "inferred from that of C and Unicode C++" in said["chilkat-unicode-c"]
    assert all("Chilkat 11.6.1" in each for each in said.values())


def test_what_says_that_it_was_run_is_run() -> None:
    """The mark on a page is that of a test, which runs the program in that very language."""
    told = {each.name for each in languages() if each.executed}
    assert told == {*INTERPRETED, *COMPILED}


def test_purebasic_comes_first() -> None:
    """Its users have the fewest places to look."""
    assert next(iter(programs_of("binance-spot"))).language == "chilkat-purebasic"


def test_every_call_and_stream_has_a_program_in_every_language() -> None:
    """No page has a gap, and no two of its programs overwrite each other."""
    for name, product in PRODUCTS.items():
        found = [(each.language, each.of) for each in programs_of(name)]
        assert len(found) == len(set(found))
        signatures = 1 + (product.call("create").signature == "if_sent")
        wanted = len(product.calls) * signatures + len(product.streams)
        assert len(found) == wanted * len(LANGUAGES)


def test_the_members_are_the_librarys() -> None:
    """What the programs believe of a method is what its reference says: what it takes, and what it gives."""
    for kind, table in members().items():
        for name, member in table.items():
            if member.method:
                assert [type_name for _, type_name in member.takes] == [one for _, one in TAKES[kind, name]]
                assert member.gives.removeprefix("void") == GIVES[kind, name]
