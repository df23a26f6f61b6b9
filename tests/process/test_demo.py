"""`serve --demo`: what somebody sees who has only just found the project."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.process.serving import PATIENCE, listenkey, refused_start, usdm, wait_for
from tests.support.gateway import Gateway

CURL = re.compile(r"^\s*(curl .*)$", re.MULTILINE)


@contextmanager
def demo(folder: Path) -> Iterator[Gateway]:
    """A demonstration in a data folder of the test's."""
    with Gateway(folder / "data", args=["--demo"], limits=None) as gateway:
        yield gateway


def curl_lines(gateway: Gateway) -> list[str]:
    """The lines to copy, as printed."""
    return wait_for(lambda: CURL.findall(gateway.stderr))


def run_line(line: str) -> str:
    """Run a line in a shell, just as it was printed; what it wrote."""
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_the_three_printed_lines_work(tmp_path: Path) -> None:
    """Create, watch, close, copied as they are: a key, an event within a few seconds, and an end."""
    with demo(tmp_path) as gateway:
        create, watch, close = curl_lines(gateway)
        answer = json.loads(run_line(create))
        assert re.fullmatch("[A-Za-z0-9]{64}", answer["listenKey"])
        assert watched(watch)["e"]
        assert run_line(close) == "{}"
        assert usdm(gateway, "PUT", "demo-key").json()["code"] == -1125


def watched(line: str) -> dict[str, str]:
    """The first event that a watching line shows."""
    asked = time.monotonic()
    with subprocess.Popen(["bash", "-c", f"exec {line}"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for text in process.stdout:
                if text.startswith("data: ") and "event" in (message := json.loads(text[6:])):
                    event: dict[str, str] = message["event"]
                    assert time.monotonic() - asked < PATIENCE
                    return event
        finally:
            process.kill()
    raise AssertionError("the stream ended without an event")


def test_every_stream_has_events(tmp_path: Path) -> None:
    """Whichever product somebody tries first, its stream of the demonstration is alive within seconds."""
    listed = json.loads(listenkey("dialect", "list", "--json").stdout)
    streams = {stream for dialect in listed for stream in dialect["streams"]}
    assert {"binance-spot", "binance-usdm", "bingx-swap"} <= streams
    with demo(tmp_path) as gateway:
        for stream in streams:
            name = "binance-margin-isolated:BTCUSDT" if stream == "binance-margin-isolated" else stream
            wait_for(partial(has_event, gateway, f"/v1/journal/demo/{name}"))


def has_event(gateway: Gateway, journal: str) -> bool:
    """Whether a journal has one."""
    return '"event"' in gateway.admin_call("GET", journal).text


def test_demo_takes_up_where_it_was(tmp_path: Path) -> None:
    """A demonstration that is started again on its folder finds its account and goes on."""
    with demo(tmp_path) as gateway:
        gateway.restart()
        assert usdm(gateway, "POST", "demo-key").status_code == 200


def test_demo_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Without `--data` a demonstration does not touch the folder that a real gateway would use."""
    command = Gateway(tmp_path / "unused", args=["--demo"]).command()
    place = command.index("--data")
    with subprocess.Popen(
        command[:place] + command[place + 2 :],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("listenkey ready ")
            assert [path.name for path in tmp_path.iterdir()] == ["listenkey-data-demo"]
        finally:
            process.terminate()


@pytest.mark.parametrize("option", ["--listen", "--admin"])
def test_demo_beyond_loopback_is_refused(tmp_path: Path, option: str) -> None:
    """A gateway whose secrets are printed in its manual is not opened to a network."""
    assert "0.0.0.0:0" in refused_start(tmp_path / "data", "--demo", option, "0.0.0.0:0")
    assert not (tmp_path / "data").exists()


def test_account_demo_is_refused_without_demo(tmp_path: Path) -> None:
    """Nobody gets an account whose credentials everybody knows, on purpose or by a folder that had one."""
    with demo(tmp_path) as gateway:
        assert usdm(gateway, "POST", "demo-key").status_code == 200
    assert "demo" in refused_start(tmp_path / "data")
    with demo(tmp_path) as gateway:
        gateway.admin_json("DELETE", "/v1/accounts/demo")
    with Gateway(tmp_path / "data") as gateway:
        assert usdm(gateway, "POST", "demo-key").json()["code"] == -2015
    with Gateway(tmp_path / "other") as gateway:
        answer = gateway.admin_call("POST", "/v1/accounts", {"name": "demo"})
        assert answer.status_code == httpx.codes.BAD_REQUEST
        assert set(answer.json()["error"]) == {"code", "message", "remedy"}
