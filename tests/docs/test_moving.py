"""The pages that take users over from other clients: each block is run, and prints a filled order."""

import json
import os
import queue
import re
import subprocess
import sys
import threading

import pytest

from listenkey.dialect.registry import load_dialects
from tests.clients.page import block
from tests.support.gateway import Gateway
from tools.tracked import ROOT

PAGES = ("from-python-binance.md", "from-ccxt-watch-orders.md")
MARK = re.compile(r"^<!-- moving: (?P<by>.+?) -->\n```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE = 40.0
BLOCKS = [
    pytest.param(match["by"], match["code"], id=f"{page}-{number}")
    for page in PAGES
    for number, match in enumerate(
        MARK.finditer((ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8"))
    )
]
HOMES = {"python-binance": "python-binance", "ccxt": "ccxt", "ccxt and listenkey": "ccxt"}
BEFORE = """
import functools
import listenkey
from listenkey.client import blocking
for home in (listenkey, blocking):
    home.open_stream = functools.partial(home.open_stream, base_url={base!r})
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """One for all blocks."""
    with Gateway(tmp_path_factory.mktemp("moving") / "data") as gateway:
        yield gateway


def program(by, code, gateway, key, secret):
    """A block as its reader would have it, at the gateway's address in place of the venue's."""
    parts = [f"API_KEY, API_SECRET = {key!r}, {secret!r}\n"]
    if by == "python-binance":
        parts.append(block("python-binance", "", gateway.venue))
    if "ccxt" in by:
        parts.append(block("ccxt-binanceusdm", "", gateway.venue))
    if "listenkey" in by:
        parts.append(BEFORE.format(base=f"{gateway.venue}/binance-usdm"))
    call = "main(exchange)" if "ccxt" in by else "main()"
    run = f"import asyncio\nasyncio.run({call})\n" if "async def main" in code else f"{call}\n"
    return "\n".join([*parts, code, run])


@pytest.mark.parametrize(("by", "code"), BLOCKS)
def test_a_block_prints_the_order(gateway, tmp_path, by, code):
    """What a reader copies works, on either side of the page."""
    number = len(gateway.admin_items("/v1/accounts"))
    account = gateway.add_account(f"mover-{number}")
    _, key, secret = gateway.add_api_key(account)
    python = sys.executable
    if by in HOMES:
        python = str(ROOT / ".venv-clients" / HOMES[by] / "bin" / "python")
    (tmp_path / "bot.py").write_text(program(by, code, gateway, key, secret), encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("LISTENKEY_")}
    if by == "ccxt and listenkey":  # as if both were installed in one environment
        site = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
        env["PYTHONPATH"] = f"{ROOT / 'src'}{os.pathsep}{site}"
    lines = queue.Queue()
    with subprocess.Popen(
        [python, "-u", "bot.py"], cwd=tmp_path, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as bot:  # fmt: skip
        reader = threading.Thread(target=lambda: [lines.put(line.strip()) for line in bot.stdout])
        reader.start()
        try:
            assert filled(gateway, account, bot, lines), said(lines)
        finally:
            bot.kill()
            reader.join()


def filled(gateway, account, bot, lines):
    """Publish a fill once the bot listens, and wait for its line."""
    (event,) = (each for each in load_dialects()["binance-usdm"].events if each.type == "ORDER_TRADE_UPDATE")
    sample = json.loads(event.sample)
    wanted = " ".join(sample["o"][name] for name in ("s", "X", "z"))
    for _ in range(int(PATIENCE / 0.1)):
        there = gateway.admin_items("/v1/connections")
        if any(each["account"] == account for one in there for each in one["subscriptions"]):
            break
        if bot.poll() is not None:
            return False
        threading.Event().wait(0.1)
    gateway.publish(account, "binance-usdm", [sample])
    try:
        while lines.get(timeout=PATIENCE) != wanted:
            pass
    except queue.Empty:
        return False
    return True


def said(lines):
    """What it printed, for messages."""
    return "\n".join(list(lines.queue)[-15:])


def test_each_page_has_both_sides():
    """A comparison with one side is none."""
    sides = [block.values[0] for block in BLOCKS]
    assert {"python-binance", "ccxt", "listenkey"} <= set(sides)
    assert len(BLOCKS) >= 7
