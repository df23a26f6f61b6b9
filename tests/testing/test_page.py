"""The how-to page on tests of bots, taken at its word."""

import asyncio
import re
from pathlib import Path

from listenkey.testing.shape import shapes

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "test-a-bot.md").read_text(encoding="utf-8")


async def test_the_example_runs():
    """What a reader copies passes as it stands."""
    names: dict[str, object] = {}
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(program, names)
    await asyncio.wait_for(names["test_a_fill_reaches_the_bot"](), 20)


def test_the_page_names_every_book():
    """A reader learns which streams there are, and of none that is not."""
    (line,) = re.findall(r"books for these streams: (.*?)\.\n", PAGE, re.DOTALL)
    assert set(re.findall(r"`(.*?)`", line)) == {stream for stream, _ in shapes()}
