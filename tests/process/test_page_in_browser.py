"""The page of what runs, in a real browser: its login works there, and it can be read on any screen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.process.serving import create_usdm, order, venue_socket, wait_for
from tests.support.gateway import Gateway

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"viewport": {"width": 360, "height": 740}}
DARK = {"color_scheme": "dark"}
CUT_OFF = """() => [...document.querySelectorAll("body *")]
    .filter((each) => each.checkVisibility() && !each.closest(".scroll"))
    .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
    .map((each) => each.outerHTML.slice(0, 80))"""
# WCAG 2.1, contrast of each text with what is behind it; 4.5 is the least for text of this size.
CONTRASTS = """() => {
    const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const numbers = (color) => color.match(/[0-9.]+/g).map(Number);
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const ground = (each) => {
        for (let at = each; at; at = at.parentElement) {
            const color = numbers(getComputedStyle(at).backgroundColor);
            if (color.length < 4 || color[3] > 0) return color;
        }
        return [255, 255, 255];
    };
    return [...document.querySelectorAll("body *")]
        .filter((each) => each.checkVisibility())
        .filter((each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
        .map((each) => [light(numbers(getComputedStyle(each).color)), light(ground(each)), each.outerHTML])
        .map(([a, b, html]) => [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), html.slice(0, 80)]);
}"""

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser of the system's."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with an account, a socket, events, and an upstream that is not there."""
    config = tmp_path_factory.mktemp("busy") / "relay.toml"
    config.write_text(
        '[upstream.venue]\naccount = "alice"\nstream = "binance-spot"\napi_key = "k"\n'
        'base_url = "http://127.0.0.1:1"\n'
    )
    with Gateway(args=["--config", str(config)]) as gateway:
        _, key, _ = gateway.add_api_key("alice")
        with venue_socket(gateway, f"/ws/{create_usdm(gateway, key)}"):
            gateway.publish("alice", "binance-usdm", [order(number) for number in range(50)])
            yield gateway


@pytest.fixture
def visit(chromium: Browser, busy: Gateway) -> Iterator[Visit]:
    """Opens the page in a window of its own; whatever the browser complains of fails the test."""
    contexts, complaints = [], []

    def open_page(**options: Any) -> Page:
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(busy.admin)
        return page

    yield open_page
    for context in contexts:
        context.close()
    expected = "status of 401"  # a refused login is a complaint of the browser's own
    assert [each for each in complaints if expected not in each] == []


def sign_in(page: Page, token: str) -> None:
    """As a person does: the field has the focus by itself."""
    page.wait_for_function("document.activeElement.id === 'token'")
    page.keyboard.type(token)
    page.keyboard.press("Enter")


def test_the_token_opens_the_page(busy: Gateway, visit: Visit) -> None:
    """Signed in, what runs is there and comes up to date by itself; signed out, it is gone."""
    page = visit()
    assert page.get_by_label("Admin token").is_visible()
    sign_in(page, busy.token)
    page.get_by_role("heading", name="Listen keys").wait_for()
    figures = dict(
        zip(page.locator("dt").all_text_contents(), page.locator("dd").all_text_contents(), strict=True)
    )
    assert (figures["Sockets"], figures["Active"], figures["Accounts"]) == ("1", "1", "1")
    assert busy.admin in page.locator("main").text_content()
    busy.add_account("bob")
    wait_for(lambda: page.get_by_text("Accounts").locator("..").locator("dd").text_content() == "2")
    assert page.get_by_role("link", name="Reference").get_attribute("href") == "/docs/"
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Admin token").wait_for()
    page.goto(busy.admin)
    assert page.get_by_label("Admin token").is_visible()


def test_a_wrong_token_opens_nothing_and_is_said(busy: Gateway, visit: Visit) -> None:
    """The reason is shown and read out, and the next attempt is one's own."""
    page = visit()
    sign_in(page, "wrong")
    page.get_by_role("alert").wait_for()
    assert "not good" in page.get_by_role("alert").text_content()
    assert page.get_by_role("heading", name="Listen keys").count() == 0
    sign_in(page, busy.token)
    page.get_by_role("heading", name="Listen keys").wait_for()


@pytest.mark.parametrize(
    "options", [{}, DARK, PHONE, PHONE | DARK], ids=["light", "dark", "phone", "dark phone"]
)
def test_it_can_be_read_on_any_screen(busy: Gateway, visit: Visit, options: dict[str, Any]) -> None:
    """Nothing is cut off, and all text stands out from its ground, on both pages."""
    page = visit(**options)
    for heading in ("listenkey", "Upstreams"):
        page.get_by_role("heading", name=heading).wait_for()
        assert page.evaluate(CUT_OFF) == []
        assert [each for each in page.evaluate(CONTRASTS) if each[0] < 4.5] == []
        if heading == "listenkey":
            sign_in(page, busy.token)
