"""The site as files: sound HTML, links that lead somewhere, nothing from elsewhere, and nothing left out."""

import json
import posixpath
import re
from functools import cache
from html import unescape
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from listenkey.cli.manual import commands_chapter
from listenkey.config.fields import all_fields
from listenkey.dialect.registry import load_dialects
from listenkey.reference import snippets
from listenkey.reference.site.build import MOST_PROGRAMS, Site

# Programs for Chilkat are many and long, and colouring them is most of the work: two products have all.
DIALECTS = load_dialects()
SITE = Site(DIALECTS, commands_chapter(), {"Languages": snippets.programs})
FULL = Site({name: DIALECTS[name] for name in ("binance-usdm", "bingx")}, "# Commands\n")
WITH_PROGRAMS = [path for path in FULL.paths if re.search(r"/(create|stream-[\w-]+)\.html$", path)]
PAGES = [path for path in SITE.paths if path.endswith(".html")]
VOID = {"meta", "link", "input", "br", "path", "circle"}
INLINE = {"p", "span", "code", "strong", "em", "small", "a", "h1", "h2", "h3", "h4", "summary"}
BLOCK = {"p", "div", "ul", "ol", "table", "pre", "h1", "h2", "h3", "h4", "section", "nav", "details"}


class Reader(HTMLParser):
    """Reads a page, and complains as a validator would about nesting and ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.headings: list[int] = []
        self.faults: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"{tag} is not closed" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [(name, values[name]) for name in ("href", "src") if name in values]
        self.faults += [f"{tag} has {name}" for name in values if name.startswith("on") or name == "style"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag in BLOCK and self.open and self.open[-1] in INLINE - {"a"}:
            self.faults.append(f"{tag} inside {self.open[-1]}")
        if tag == "a" and "a" in self.open:
            self.faults.append("a inside a")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")


@pytest.fixture(scope="module")
def read():
    """Each page, read once."""
    return {path: Reader(text(path)) for path in PAGES}


@cache
def text(path: str) -> str:
    """A file of the site."""
    content = SITE.read(path)
    assert content is not None, path
    return content.decode()


def test_there_is_a_page_for_each_product_call_stream_and_chapter():
    """A dialect that is added has its pages by itself."""
    wanted = {"index.html"}
    for dialect in DIALECTS.values():
        wanted |= {f"{dialect.name}/index.html"}
        wanted |= {f"{dialect.name}/{each.kind}.html" for each in dialect.operations}
        wanted |= {f"{dialect.name}/stream-{each.name}.html" for each in dialect.streams}
        for api in dialect.apis:
            page = f"{dialect.name}/api{api.path.replace('/', '-')}"
            wanted |= {f"{page}.html", *(f"{page}-{each.name}.html" for each in api.methods)}
        wanted |= {f"{dialect.name}/token.html" for _ in dialect.token_calls}
    assert [path for path in FULL.paths if path.endswith("-chilkat.html")] == [
        f"{name}/stream-{each.name}-chilkat.html"
        for name in ("binance-usdm", "bingx")
        for each in DIALECTS[name].streams
    ]
    own = {path for path in PAGES if path.startswith("gateway/")}
    assert wanted | own == set(PAGES)
    assert len(own) == 7


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_sound(read, path):
    """Tags nest, ids are unique, there is one title, headings descend by one, no code or style is inline."""
    page = read[path]
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids)), sorted(each for each in page.ids if page.ids.count(each) > 1)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert page.tags.count("main") == 1
    assert re.search(r"<script(?! src=)", text(path)) is None
    assert "<style" not in text(path)


@pytest.mark.parametrize("path", WITH_PROGRAMS)
def test_each_language_has_a_choice_that_shows_its_program(path):
    """Without script too: each radio button has one program, and the style has a rule for it."""
    page = (FULL.read(path) or b"").decode()
    assert Reader(page).faults == []
    choices = re.findall(r'value="([^"]+)" data-choice="(\d+)"', page)
    assert [int(number) for _, number in choices] == list(range(len(choices)))
    assert re.findall(r'data-program="(\d+)"', page) == [number for _, number in choices]
    names = [name for name, _ in choices]
    assert len(names) == len(set(names)) < MOST_PROGRAMS
    assert ("chilkat-purebasic" in names) == ("/stream-" not in path or "chilkat" in path)
    assert ("python" in names) == ("chilkat" not in path)
    assert page.count(" checked>") == 1


@pytest.mark.parametrize("path", PAGES)
def test_every_link_arrives(read, path):
    """Links of a page lead to files and headings that are there; only words lead to other sites."""
    for name, target in read[path].links:
        if re.match("https?:", target):
            assert name == "href", target
            continue
        file, _, fragment = target.partition("#")
        found = posixpath.normpath(posixpath.join(posixpath.dirname(path), file)) if file else path
        assert found in SITE.paths, target
        assert not fragment or fragment in read[found].ids, target


def test_styles_and_scripts_load_nothing():
    """No third party learns who reads."""
    for name in SITE.paths:
        if name.endswith((".css", ".js", ".svg")) and not name.endswith("index.js"):
            content = text(name).replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"@import|url\(|https?:|fetch\(|eval\(", content), name


def test_everything_searched_for_is_on_its_page(read):
    """A hit leads to a page and a place on it that are there; calls, errors and settings are all hits."""
    index = json.loads(text("assets/index.js").removeprefix("window.listenkeyIndex=").removesuffix(";\n"))
    for title, _, address, _ in index:
        path, _, fragment = address.partition("#")
        assert title
        assert path in read, address
        assert not fragment or fragment in read[path].ids, address
    titles = {entry[0] for entry in index}
    assert {
        "Create a listen key",
        "-1125 listen key unknown",
        "data",
        "GET /metrics",
        "PUT /fapi/v1/listenKey",
        "WS /ws-api/v3",
        "listenKeyExpired",
        "410 At Binance since 2026-02-20",
    } <= titles
    assert any(title.startswith("unknown_account, ") for title in titles)
    extend = next(entry for entry in index if entry[0] == "PUT /fapi/v1/listenKey")
    assert {"keepalive", "renew"} <= {*extend[3].split()}  # what venues and clients call it


def test_all_that_a_product_says_is_on_its_pages():
    """No failure, limit, path, notice, event, answer or close code that no page shows."""
    for dialect in DIALECTS.values():
        pages = "".join(plain(path) for path in PAGES if path.startswith(f"{dialect.name}/"))
        wanted = [row.msg for row in dialect.failures]
        wanted += [f"{limit.limit:,}" for limit in dialect.limits.buckets]
        wanted += [header for limit in dialect.limits.buckets for header in limit.used_headers]
        wanted += [socket.path.replace("{names}", "") for socket in dialect.sockets]
        wanted += [row.prefix for row in dialect.unknown_paths]
        wanted += [f"{call.method} {call.path}" for call in dialect.public_calls]
        wanted += [error.body for control in dialect.controls for error in control.errors]
        wanted += [row.reason for row in dialect.closes]
        wanted += [field.path for event in dialect.events for field in event.fields]
        wanted += [event.title for event in dialect.events]
        wanted += [era.title for era in dialect.eras] + [era.since for era in dialect.eras]
        wanted += [host.api for host in dialect.hosts if dialect.apis]
        wanted += [dialect.frames.time_unit_parameter]
        wanted += [host.rest for host in dialect.hosts] + [host.sockets for host in dialect.hosts]
        wanted += [row.msg for api in dialect.apis for row in api.failures]
        wanted += [method.name for api in dialect.apis for method in api.methods]
        wanted += [call.path for call in dialect.token_calls]
        wanted += [topic.name for stream in dialect.streams for topic in stream.topics]
        assert [each for each in wanted if squeezed(each) not in pages] == []


@cache
def plain(path: str) -> str:
    """What a reader of a page sees, without white space."""
    return squeezed(unescape(re.sub(r"<[^>]+>", "", text(path))))


def squeezed(words: str) -> str:
    """Words without the white space that a line break makes."""
    return re.sub(r"[\s`]+", "", words)


def test_the_chapters_say_what_their_declarations_say():
    """Each setting and each command has its place on the site."""
    settings, commands = plain("gateway/settings.html"), plain("gateway/commands.html")
    for field in all_fields():
        assert squeezed(field.name) in settings
        assert squeezed(field.meaning) in settings
    for line in re.findall(r"^#+ (.+)$", commands_chapter(), re.MULTILINE):
        assert squeezed(line) in commands


def test_downloads_are_json(read):
    """The files for other tools are there, a set a product, and are what they are called."""
    for name in DIALECTS:
        files = [path for path in SITE.paths if path.startswith(f"{name}/{name}.")]
        assert len(files) == 3
        assert all(isinstance(json.loads(text(path)), dict) for path in files)
        assert {posixpath.basename(path) for path in files} <= {
            target
            for _, target in read[f"{name}/index.html"].links
            for target in [posixpath.basename(target)]
        }


def test_a_dialect_of_ones_own_cannot_put_markup_into_a_page():
    """Whatever its texts are, they are read as text."""
    dialect = DIALECTS["binance-usdm"]
    evil = "<script>alert(1)</script>"
    failures = tuple(replace(row, msg=evil) for row in dialect.failures)
    events = tuple(replace(event, meaning=evil, title=evil) for event in dialect.events)
    made = Site({"x": replace(dialect, title=evil, failures=failures, events=events)}, "# Commands\n", {})
    for path in made.paths:
        if path.endswith(".html"):
            assert b"<script>alert" not in (made.read(path) or b"")


@pytest.mark.parametrize(
    "page,told",
    [
        (
            "binance-spot/stream-binance-spot",
            [
                "300 attempts in 5 min",
                "5 messages a second",
                "1,024 on one",
                "ends after 1 day",
                "permessage-deflate",
            ],
        ),
        (
            "binance-usdm/stream-binance-usdm",
            ["10 messages a second", "ends after 1 day", "permessage-deflate"],
        ),
        ("bingx/stream-bingx-swap", ["60 of this stream", "200 on one socket"]),
        (
            "binance-spot/api-ws-api-v3",
            ["300</strong> attempts to connect", "ends after 1 day", "10 min", "weight 2"],
        ),
        ("binance-usdm/api-ws-fapi-v1", ["5 a second", "weight 5"]),
    ],
)
def test_pages_tell_the_limits_of_sockets(page, told):
    """Who writes a client looks up here how often it may connect, and how long a socket lasts."""
    text = SITE.read(f"{page}.html").decode()
    assert [each for each in told if each not in text] == []


@pytest.mark.parametrize(
    "page,told",
    [
        (
            "bingx/stream-bingx-swap",
            ["settings.html#streamssnapshot", "on opening, and every 5 s", "settings.html#streamsended_key"],
        ),
        ("bingx/stream-bingx-spot", ["on subscribing to <code>ACCOUNT_UPDATE</code>"]),
        ("binance-usdm/stream-binance-usdm", ["LISTEN_KEY@TYPE"]),
        ("binance-options/stream-binance-options", ["comes wrapped on every socket", "Events of before"]),
    ],
)
def test_pages_tell_what_is_chosen_and_what_is_odd(page, told):
    """What the gateway can do otherwise than the venue, and what the venue does otherwise than itself, is
    found where a client's author looks."""
    text = SITE.read(f"{page}.html").decode()
    assert [each for each in told if each not in text] == []
