"""The reference as the admin listener shows it: the built pages, packed, guarded, quick to come back to."""

import httpx
import pytest

from listenkey.cli.docs import site
from tests.support.gateway import Gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway as it is served."""
    with Gateway(tmp_path_factory.mktemp("served") / "data") as gateway:
        yield gateway


@pytest.fixture
def web(gateway):
    """Somebody with a browser and no token."""
    with httpx.Client(base_url=gateway.admin, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(
    "path,kind",
    [
        ("", "text/html; charset=utf-8"),
        ("binance-usdm/", "text/html; charset=utf-8"),
        ("binance-usdm/create.html", "text/html; charset=utf-8"),
        ("assets/site.css", "text/css; charset=utf-8"),
        ("assets/site.js", "text/javascript; charset=utf-8"),
        ("assets/icon.svg", "image/svg+xml"),
        ("binance-usdm/binance-usdm.openapi.json", "application/json"),
    ],
)
def test_pages_come_without_login_as_they_are_built(web, path, kind):
    """Whoever may reach the listener may read, and reads what `docs build` writes."""
    answer = web.get(f"/docs/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.headers["content-encoding"] == "gzip"
    file = f"{path}index.html" if not path or path.endswith("/") else path
    assert answer.content == site(()).read(file)
    plain = web.get(f"/docs/{path}", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content


def test_a_page_that_is_there_already_is_not_sent_again(web):
    """304 for who has it, and the whole page again for who has another."""
    first = web.get("/docs/index.html")
    again = web.get("/docs/index.html", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert web.get("/docs/index.html", headers={"if-none-match": '"other"'}).status_code == 200


def test_the_address_without_a_slash_leads_to_the_one_with(web):
    """Relative links hold from there on."""
    answer = web.get("/docs")
    assert (answer.status_code, answer.headers["location"]) == (308, "/docs/")


@pytest.mark.parametrize(
    "path", ["nothing.html", "%2e%2e%2fv1%2faccounts", "%2e%2e/%2e%2e/etc/passwd", "binance-usdm"]
)
def test_what_is_no_page_is_not_found(web, path):
    """No file of the machine can be reached by any spelling, and the error says where to begin."""
    answer = web.get(f"/docs/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_pages_may_load_their_own_files_and_nothing_else(web):
    """A page can neither be framed nor made to run what is not the gateway's."""
    policy = web.get("/docs/").headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert {rules[name] for name in ("script-src", "style-src", "img-src")} == {"'self'"}
    assert rules["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy


def test_another_sites_name_for_this_address_shows_nothing(web):
    """The guard of the listener holds here too."""
    assert web.get("/docs/", headers={"host": "evil.example"}).status_code == 403


def test_head_and_other_methods(web):
    """HEAD tells the same without the page; nothing can be written here."""
    assert web.head("/docs/").status_code == 200
    assert web.post("/docs/").status_code == 405
