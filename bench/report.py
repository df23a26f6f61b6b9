"""Collect figures of alternating runs, and print them as a small table and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from bench.targets import Target

GATEWAY = "listenkey"


@dataclass(frozen=True)
class Options:
    """How long and how large."""

    rounds: int = 3
    seconds: float = 5.0
    scale: float = 1.0
    targets: Sequence[str] = ()

    def scaled(self, count: int) -> int:
        """A number of accounts, sockets or events, made smaller for a quick look."""
        return max(1, round(count * self.scale))

    def chosen(self, *names: str) -> list[str]:
        """The row's own targets, or those of them that were asked for."""
        return [name for name in names if not self.targets or name in self.targets]


@dataclass(frozen=True)
class Measure:
    """One figure of a row: its unit, which way is better, and what the gateway has to reach."""

    what: str
    unit: str
    better: Literal["lower", "higher"]
    goal: float | None = None
    against: str | None = None  # an anchor
    ratio: float | None = None  # of the gateway to that anchor, to be reached too


@dataclass
class Sheet:
    """All values of a row, by measure and target, in the order of the rounds."""

    measures: Sequence[Measure]
    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, target: str, figures: Mapping[str, float]) -> None:
        """Take in what one run gave."""
        for measure in self.measures:
            if measure.what in figures:
                self.values.setdefault((measure.what, target), []).append(figures[measure.what])

    def ratio(self, what: str, anchor: str) -> float | None:
        """The gateway's value in parts of the anchor's: round by round, the median of it."""
        ours, theirs = self.values.get((what, GATEWAY), []), self.values.get((what, anchor), [])
        pairs = [mine / its for mine, its in zip(ours, theirs, strict=False) if its]
        return median(pairs) if pairs else None

    def rows(self) -> list[dict[str, Any]]:
        """The table, a dictionary a line."""
        lines = []
        for measure in self.measures:
            for (what, target), values in self.values.items():
                if what != measure.what:
                    continue
                line = {"measure": what, "unit": measure.unit, "target": target, "median": median(values)}
                line |= {"min": min(values), "max": max(values), "runs": values}
                ratio = None if target == GATEWAY else self.ratio(what, target)
                lines.append(line | {"listenkey_to_this": ratio, "goal": self.verdict(measure, target)})
        return lines

    def verdict(self, measure: Measure, target: str) -> str:
        """What has to be reached here, and whether it was; empty where nothing is asked."""
        ours = self.values.get((measure.what, GATEWAY))
        if ours is None:
            return ""
        if target == GATEWAY and measure.goal is not None:
            return _verdict(measure.better, measure.goal, median(ours))
        if target == measure.against and measure.ratio is not None:
            return _verdict(measure.better, measure.ratio, self.ratio(measure.what, target) or 0.0, " x")
        return ""


def _verdict(better: str, goal: float, value: float, unit: str = "") -> str:
    met = value <= goal if better == "lower" else value >= goal
    return f"{'<=' if better == 'lower' else '>='} {_number(goal)}{unit}: {'met' if met else 'missed'}"


def alternate(
    targets: Sequence[Target],
    options: Options,
    sheet: Sheet,
    once: Callable[[Target], Mapping[str, float]],
) -> Sheet:
    """Run A B C, A B C, …: what the machine does besides then falls on all of them."""
    for number in range(options.rounds):
        for target in targets:
            figures = once(target)
            sheet.add(target.name, figures)
            shown = ", ".join(f"{what} {_number(value)}" for what, value in figures.items())
            print(f"  round {number + 1} {target.name}: {shown}", file=sys.stderr, flush=True)
    return sheet


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The figures for a reader: median (min-max), and the gateway in parts of each anchor."""
    head = ("measure", "unit", "target", "median", "min-max", "listenkey/this", "goal")
    body = [head]
    for row in rows:
        ratio = row["listenkey_to_this"]
        span = f"{_number(row['min'])}-{_number(row['max'])}"
        cells = (row["measure"], row["unit"], row["target"], _number(row["median"]), span)
        body.append((*cells, "" if ratio is None else f"{ratio:.2f}", row["goal"]))
    widths = [max(len(line[column]) for line in body) for column in range(len(head))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in body
    ]
    return "\n".join([title, *text])
