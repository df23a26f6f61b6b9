"""A browser, and the reference as it is served and as it is built."""

import shutil
import subprocess
import sys

import pytest
from playwright.sync_api import sync_playwright

from tests.support.gateway import Gateway
from tools.tracked import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """Where a gateway serves the reference."""
    with Gateway(tmp_path_factory.mktemp("reference") / "data") as gateway:
        yield f"{gateway.admin}/docs/"


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A folder that the command wrote."""
    folder = tmp_path_factory.mktemp("built") / "reference"
    run = subprocess.run(
        [sys.executable, "-m", "listenkey", "docs", "build", str(folder)],
        cwd=folder.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    files = sum(path.is_file() for path in folder.rglob("*"))
    assert run.stdout == f"wrote {files} files, begin with {folder}/index.html\n"
    return folder


@pytest.fixture(params=["served", "built"])
def site(request):
    """The address of the reference, from a gateway and from a folder."""
    place = request.getfixturevalue(request.param)
    return place if request.param == "served" else f"{place.as_uri()}/"


@pytest.fixture(scope="module")
def chromium():
    """A browser of the system's. Its loop runs in this thread until it ends, so it ends with the file."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Opens pages in a window of its own; whatever the browser complains of fails the test."""
    contexts, complaints = [], []

    def open_page(address, **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"not loaded: {request.url}"))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def axe():
    """The checker of accessibility, as published."""
    return (ROOT / ".venv-clients/docs-node/node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
