"""The programs of our own client: they print a stream's events as they are, and give the key back."""

from __future__ import annotations

from pathlib import Path

import pytest

from listenkey.reference.snippets import programs
from listenkey.reference.snippets.render import OURS
from tests.snippets.running import PRODUCTS, Built, write
from tests.snippets.test_life import Life
from tests.snippets.toolchains import TOOLCHAINS
from tests.support.gateway import Gateway

OWN = [
    (product, program)
    for product in PRODUCTS
    for program in programs(product)
    if program.language == OURS.language
]


class Own(Life):
    """Our client gives out events alone, out of their wrapping."""

    def publish(self, number: int) -> None:
        """Publish one, which has to come out as it was."""
        topics = self.stream.topics
        kind = topics[number % len(topics)].event if topics else "balanceUpdate"
        event = f'{{"e":"{kind}","E":176370000000{number},"d":1.50,"text":"µ€ \\u20ac %s $x"}}'
        line = f'{{"account":"{self.account}","stream":"{self.stream.name}","event":{event}}}'
        (answer,) = self.gateway.publish_lines(line.encode())
        assert "offset" in answer, answer
        self._wanted.append(event)


@pytest.mark.timeout(400)
def test_every_streams_own_program(gateway: Gateway, tmp_path: Path) -> None:
    """Copied from a page it runs, whatever the product; and says what is wrong where it cannot."""
    python, lives = TOOLCHAINS["python"], []
    try:
        for product, program in OWN:
            file = write(python, tmp_path / program.file.replace(".", "-"), program)
            built = Built(program, product, file, python)
            lives.append(Own(gateway, built, f"own-{program.of[5:]}", events=2, seconds=60))
            lives[-1].subscribed()
        for life in lives:
            life.publish(1)
            life.publish(2)
        for life in lives:
            life.ends("closed", well=True)
        base = gateway.venue + lives[0].stream.prefix
        refused = lives[0].running.built.finish({"BASE_URL": base, "API_KEY": "nobody"})
        assert refused.status != 0
        assert "Traceback" not in refused.said
        assert not refused.printed
    finally:
        for life in lives:
            life.running.kill()


def test_every_stream_has_one() -> None:
    """A stream that our client reads has its lines on its page."""
    named = {program.of.removeprefix("life:") for _, program in OWN}
    every = {
        stream.name
        for product in PRODUCTS
        for stream in product.streams
        if any(program.of == f"life:{stream.name}" for program in programs(product))
    }
    assert named == every
    assert {"binance-usdm", "bingx-swap", "binance-margin-isolated"} <= {
        each.partition(":")[0] for each in named
    }
