"""The pages in a real browser: what scripts add, what works without them, on a phone, on paper, by keys."""

import re

import pytest

PAGES = [
    "index.html",
    "binance-usdm/index.html",
    "binance-spot/extend.html",
    "bingx/index.html",
    "bingx/stream-bingx-coinm.html",
    "binance-spot/api-ws-api-v3.html",
    "binance-spot/api-ws-api-v3-userDataStream.subscribe.signature.html",
    "gateway/settings.html",
    "gateway/admin-api.html",
]
PHONE = {"viewport": {"width": 360, "height": 740}}
CUT_OFF = """() => [...document.querySelectorAll("body *")]
    .filter((each) => each.checkVisibility() && !each.closest(".scroll, pre, .unseen, .skip, .choices input"))
    .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
    .map((each) => each.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_without_a_complaint(site, visit, path):
    """Nothing is refused by the policy or missing, from the gateway as from a folder."""
    page = visit(site + path)
    assert page.locator("h1").count() == 1
    assert page.evaluate("getComputedStyle(document.querySelector('.top')).position") == "sticky"
    assert page.locator(".theme").is_visible()


def test_a_program_is_copied_with_one_click(site, visit):
    """What is pasted is the program, whole and unadorned."""
    page = visit(f"{site}binance-usdm/create.html")
    shown = page.locator(".program:visible pre")
    program = shown.text_content()
    assert "demo-key" in program
    page.locator(".program:visible .copy").click()
    page.locator(".program:visible .copy", has_text="Copied").wait_for()
    page.evaluate("document.querySelector('main').prepend(document.createElement('textarea'))")
    page.locator("main textarea").focus()
    page.keyboard.press("Control+V")
    assert page.locator("main textarea").input_value() == program


def test_a_language_once_chosen_is_shown_on_the_next_page(site, visit):
    """A reader of one language need not look for it on each page."""
    page = visit(f"{site}binance-usdm/create.html")
    page.get_by_text("Python", exact=True).first.click()
    assert "import" in page.locator(".program:visible pre").text_content()
    page.goto(f"{site}bingx/extend.html")
    assert page.locator(".program:visible").get_attribute("aria-label") == "Python"
    page.locator("summary", has_text=re.compile("^Chilkat")).first.click()
    page.get_by_text("PureBasic", exact=True).first.click()
    page.goto(f"{site}binance-spot/close.html")
    assert page.locator(".program:visible").get_attribute("aria-label") == "PureBasic (Chilkat)"
    assert page.get_by_text("PureBasic", exact=True).first.is_visible()


def test_an_error_is_found_by_its_code(site, visit):
    """Slash, the code, Enter: the row with its meaning."""
    page = visit(f"{site}index.html")
    page.keyboard.press("/")
    page.keyboard.type("-1125 usd-m extend")
    page.locator("#found a").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/binance-usdm/extend.html#error-listen_key_unknown")
    assert page.locator(":target").is_visible()


def test_hits_near_the_open_page_come_first_and_each_product_has_one(served, visit):
    """An error that every call of every product knows does not fill the list with one product's."""
    page = visit(f"{served}bingx/index.html")
    page.locator("#find").fill("rate limited")
    page.locator("#found a").nth(3).wait_for()
    hits = page.locator("#found a small").all_inner_texts()
    assert hits[0].startswith("BingX")
    assert len({hit.split(" · ")[0] for hit in hits}) == len(hits) >= 5


def test_the_list_of_hits_is_walked_with_the_keys(site, visit):
    """Down and up move the mark, and tell a screen reader where it is; Escape ends it."""
    page = visit(f"{site}gateway/settings.html")
    find = page.locator("#find")
    find.fill("retention")
    page.locator("#found a").nth(1).wait_for()
    assert find.get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    assert find.get_attribute("aria-activedescendant") == "found-1"
    assert page.locator("#found-1").get_attribute("aria-selected") == "true"
    page.keyboard.press("Escape")
    assert find.get_attribute("aria-expanded") == "false"
    find.fill("nothingofthekind")
    page.locator("#found-count", has_text="0 found").wait_for(state="attached")


def test_light_and_dark_follow_the_system_until_chosen(site, visit):
    """And what was chosen holds on the next page."""
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = visit(f"{site}index.html", color_scheme="dark")
    light = visit(f"{site}index.html", color_scheme="light")
    assert dark.evaluate(ground) != light.evaluate(ground)
    wanted = dark.evaluate(ground)
    light.locator(".theme").click()
    assert light.evaluate(ground) == wanted
    light.goto(f"{site}gateway/errors.html")
    assert light.evaluate(ground) == wanted
    assert light.locator(".theme").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_all_of_it_without_sideways_scrolling(served, visit, path):
    """At 360 px nothing reaches over the edge; wide tables and programs scroll by themselves."""
    page = visit(served + path, **PHONE)
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(CUT_OFF) == []


def test_the_menu_of_a_phone_opens_and_leads_on(served, visit):
    """With and without script."""
    for scripts in (True, False):
        page = visit(served, **PHONE, java_script_enabled=scripts)
        menu = page.get_by_role("navigation", name="All pages")
        assert not menu.is_visible()
        page.get_by_text("Menu", exact=True).click()
        menu.get_by_role("link", name="Metrics").click()
        page.wait_for_url("**/gateway/metrics.html")


def test_without_script_everything_is_there_but_what_needs_it(site, visit):
    """Programs are chosen, pages read and links followed; what could not work is not shown."""
    page = visit(f"{site}bingx/create.html", java_script_enabled=False)
    assert page.locator(".program:visible").count() == 1
    page.get_by_text("Python", exact=True).first.click()
    assert page.locator(".program:visible").get_attribute("aria-label") == "Python"
    for name in (".search", ".theme", ".copy"):
        assert not page.locator(name).first.is_visible()


def test_the_keyboard_reaches_the_content_first(served, visit):
    """The first Tab offers to skip what is on every page; arrows choose among the languages."""
    page = visit(f"{served}bingx/create.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    page.locator(".languages input").first.focus()
    before = page.locator(".program:visible").get_attribute("aria-label")
    page.keyboard.press("ArrowRight")
    assert page.locator(".program:visible").get_attribute("aria-label") != before


def test_paper_has_the_page_and_nothing_to_click(served, visit):
    """Dark on light whatever the screen is, no menu, and programs broken over lines instead of cut off."""
    page = visit(f"{served}binance-usdm/create.html", color_scheme="dark")
    page.emulate_media(media="print")
    for name in (".top", ".menu", ".copy", ".languages"):
        assert not page.locator(name).first.is_visible()
    pre = page.locator(".program:visible pre")
    assert pre.evaluate("each => [getComputedStyle(each).whiteSpace, getComputedStyle(each).overflowY]") == [
        "pre-wrap", "visible",
    ]  # fmt: skip
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize("look", [{"color_scheme": "light"}, {"color_scheme": "dark", **PHONE}])
@pytest.mark.parametrize("path", PAGES)
def test_nobody_is_shut_out(served, visit, axe, path, look):
    """axe finds nothing serious: contrast, names of what can be used, landmarks, headings."""
    page = visit(served + path, **look)
    page.locator("#find").fill("listen key")
    page.locator("#found a").first.wait_for()
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    told = [
        f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:99]}"
        f" {each['nodes'][0]['failureSummary']}"
        for each in found
        if each["impact"] in {"moderate", "serious", "critical"}
    ]
    assert told == []
