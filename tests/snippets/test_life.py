"""Each program for the whole life of a key, against a gateway that tells what became of the key.

All programs of a language live at the same time, each with an account of its own: most of such a life is
waiting. What they print is compared byte by byte, since a program that reads and writes the events again
would change numbers and escapes.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from listenkey.reference.describe import StreamPage
from tests.snippets import quick_beats
from tests.snippets.running import AT_ONCE, PATIENCE, Built, Running, build, lives
from tests.snippets.toolchains import LONG, TOOLCHAINS, present
from tests.support.gateway import Gateway

EVENTS: Final = 3
HOUR_MS: Final = 3_600_000
UNANSWERED_S: Final = (quick_beats.PERIOD_MS + quick_beats.GRACE_MS) / 1000 + 1
"""After this long, the gateway has cut off whoever leaves heartbeats unanswered."""
LANGUAGES = [
    pytest.param(each, marks=[pytest.mark.toolchain] if each in LONG else [])
    for each in TOOLCHAINS
    if any(program.executed for _, program in lives(each))
]


class Life:
    """One running program, with its account."""

    def __init__(self, gateway: Gateway, built: Built, account: str, events: int, seconds: int) -> None:
        self.stream = _stream(built)
        self.gateway = gateway
        self.account = gateway.add_account(account.lower().replace(":", "-"))
        self.key_id, key, secret = gateway.add_api_key(self.account)
        self._wanted: list[str] = []
        given = {"API_KEY": key, "API_SECRET": secret, "EVENTS": str(events), "EXTEND_SECONDS": str(seconds)}
        self.running: Running = built.start(given | {"BASE_URL": gateway.venue + self.stream.prefix})

    @property
    def key(self) -> dict[str, int | str]:
        """The account's only listen key."""
        (key,) = self.gateway.listen_keys(self.account)
        return key

    @property
    def extended(self) -> bool:
        """Whether the key lives longer than a key that nobody extended."""
        return int(self.key["expires_at"]) - int(self.key["created_at"]) > HOUR_MS

    def publish(self, number: int) -> None:
        """Publish one event, which a program has to pass on as it is."""
        topics = self.stream.topics
        topic = topics[number % len(topics)] if topics else None
        kind = topic.event if topic else "balanceUpdate"
        event = (
            f'{{"e":"{kind}","E":176370000000{number},"d":1.50,"big":12345678901234567890,'
            r'"text":"µ€ \u20ac \/ \" %s %d $x ${y} #{z} \\n"}'
        )
        line = f'{{"account":"{self.account}","stream":"{self.stream.name}","event":{event}}}'
        (answer,) = self.gateway.publish_lines(line.encode())
        assert "offset" in answer, answer
        self._wanted.append(topic.wrap.replace("$event", event) if topic and topic.wrap else event)

    def subscribed(self) -> None:
        """Wait until its socket carries its stream."""
        mine = (self.account, self.stream.name)
        self.done("subscribed", lambda: _subscribed(self.gateway)[mine] > 0)

    def done(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until something holds, as long as the program runs."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert self.running.status is None, f"ended before it was {what}: {self.running.said}"
            assert time.monotonic() < deadline, f"never {what}: {self.running.said}"
            time.sleep(0.05)

    def ends(self, state: str, *, well: bool) -> None:
        """It ends by itself now, having printed every event, and this is what became of the key."""
        status = self.running.end()
        assert self.running.printed == self._wanted, self.running.said
        assert (status == 0) == well, self.running.said
        assert self.key["state"] == state, self.running.said


@pytest.mark.timeout(400)
@pytest.mark.parametrize("language", LANGUAGES)
def test_whole_lives(gateway: Gateway, tmp_path: Path, language: str) -> None:
    """A copied program creates, receives, answers, extends and closes; Ctrl-C and an early end are clean."""
    present(language)
    built = build(language, lives(language), tmp_path)
    _refused(gateway, built[0])
    started: list[Life] = []
    with contextlib.ExitStack() as last:

        def live(each: Built, how: str, events: int = 0, seconds: int = 1) -> Life:
            life = Life(gateway, each, f"{language}-{each.program.of[5:]}-{how}", events, seconds)
            last.callback(life.running.kill)
            started.append(life)
            if len(started) >= AT_ONCE:  # more at once would only wait for each other
                started[-AT_ONCE].subscribed()
            return life

        rounds = [live(each, "whole", EVENTS) for each in built]
        stopped = [live(each, "stopped") for each in _apart(built) if each.toolchain.interruptible]
        over = [live(each, "over", seconds=60) for each in _apart(built)]
        _play(gateway, rounds, stopped, over)


def _play(gateway: Gateway, rounds: list[Life], stopped: list[Life], over: list[Life]) -> None:
    lives_now = rounds + stopped + over
    for life in lives_now:
        life.subscribed()
    since = time.monotonic()
    for life in lives_now:
        life.publish(1)
    for life in rounds + stopped:
        life.done("extended", lambda life=life: life.extended)
    time.sleep(max(0.0, since + UNANSWERED_S - time.monotonic()))

    for life in stopped:
        life.running.interrupt()
    for life in over:
        gateway.admin_json("DELETE", f"/v1/api-keys/{life.key_id}")
    for number in range(2, EVENTS + 1):
        for life in rounds:
            life.publish(number)
    _end(rounds + stopped, over)


def _end(well: list[Life], over: list[Life]) -> None:
    for life in well:
        life.ends("closed", well=True)
    for life in over:
        life.ends("closed", well=False)
        if any("revoked" in notice.on for notice in life.stream.notices):
            assert "expired" in life.running.said


def _refused(gateway: Gateway, built: Built) -> None:
    """Where no key can be made, a program says why and goes no further."""
    base = gateway.venue + _stream(built).prefix
    refused = built.finish(
        {"BASE_URL": base, "API_KEY": "nobody", "API_SECRET": "none", "EXTEND_SECONDS": "1"}
    )
    failure = next(row for row in built.product.call("create").failures if row.kind == "api_key_unknown")
    assert refused.status != 0, refused.said
    assert f'"code":{failure.code}' in refused.said.replace(": ", ":"), refused.said
    assert not refused.printed, refused.said


def _stream(built: Built) -> StreamPage:
    of = built.program.of.removeprefix("life:")
    return next(each for each in built.product.streams if each.name == of)


def _apart(built: list[Built]) -> list[Built]:
    """One program of each kind of frames: what ends a life early is the same code for every stream."""
    by_codec = {each.product.dialect.frames.codec: each for each in built}
    return list(by_codec.values())


def _subscribed(gateway: Gateway) -> Counter[tuple[str, str]]:
    """How many sockets each account's stream has."""
    connections = gateway.admin_items("/v1/connections")
    return Counter((each["account"], each["stream"]) for one in connections for each in one["subscriptions"])
