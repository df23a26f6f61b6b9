"""A published client, unmodified and with the lines of the how-to page, that orders and hears of its fill
through one address."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.page import ADDRESS, PAGE
from tests.clients.stage import DRIVERS, INSTALLED, await_
from tests.process.relaying import metric
from tests.support.desk import MARKETS, Desk, between, venue_of_today

CLIENT = "python-binance-1.0.19"


def lines(venue: str) -> str:
    """The first Python block of the page, pointed at this gateway."""
    text = PAGE.with_name("revive-a-listen-key-bot.md").read_text(encoding="utf-8")
    block = re.search(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    assert ADDRESS in block[1]
    return block[1].replace(ADDRESS, venue.partition("://")[2])


def test_a_bot_of_2023_orders_and_hears_of_its_fill(tmp_path: Path) -> None:
    """With the three lines of the page changed and nothing else, its API key and secret as they were."""
    python = INSTALLED / CLIENT / "bin" / "python"
    if not python.is_file():
        pytest.skip(f"{CLIENT} is not installed: run tests/clients/setup")
    with venue_of_today(tmp_path) as venue:
        _, key, secret = venue.add_api_key("master", ["read", "trade"])
        with Desk(venue, key, secret).open() as desk, between(tmp_path, venue, desk, key, secret) as gateway:
            await_(lambda: metric(gateway, "upstreams_open") == 1, "the upstream never opened")
            given = {"API_KEY": key, "API_SECRET": secret, "STREAM": "", "PAGE_BLOCK": lines(gateway.venue)}
            ended = subprocess.run(
                [python, DRIVERS / "ordering.py"],
                env=os.environ | given,
                capture_output=True,
                text=True,
                timeout=90,
                check=False,
            )
            told: dict[str, object] = {}
            for line in ended.stdout.splitlines():
                told |= json.loads(line)
            assert told.get("markets") == MARKETS, ended.stderr
            assert told["ordered"] == {"orderId": 1, "status": "FILLED"}, ended.stderr
            assert told["filled"] == {
                "e": "executionReport", "s": "BTCUSDT", "x": "TRADE", "I": 1, "t": 1, "c": "bought-by-a-bot",
            }  # fmt: skip
