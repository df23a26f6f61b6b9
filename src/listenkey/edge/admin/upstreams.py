"""The upstreams on the page of what runs."""

from collections.abc import Sequence
from html import escape
from typing import Final

from listenkey.base.clock import DAY, HOUR, MINUTE, SECOND, Micros
from listenkey.service.upstreams import UpstreamFigures

_COLUMNS: Final = (
    "Name", "Stream", "State", "Last event", "Lag, median / p99", "Events", "Backfilled", "Gaps",
)  # fmt: skip


def upstream_rows(upstreams: Sequence[UpstreamFigures], now: Micros) -> str:
    """The section as HTML; nothing where there are none. Cells name their columns, for narrow screens."""
    if not upstreams:
        return ""
    heads = "".join(f"<th>{column}</th>" for column in _COLUMNS)
    rows = "".join(_row(each, now) for each in upstreams)
    return (
        '<section aria-labelledby="upstreams"><h2 id="upstreams">Upstreams</h2><div class="scroll">'
        f'<table class="named"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _row(upstream: UpstreamFigures, now: Micros) -> str:
    state: str = upstream.state
    if upstream.state_since:
        state += f" for {span(now - upstream.state_since)}"
    cells = (
        escape(upstream.name),
        f"<code>{escape(upstream.stream)}</code>" + _small(f"for {upstream.account}"),
        f"<strong>{state}</strong>" if upstream.state == "open" else _alarm(state) + _small(upstream.reason),
        f"{span(now - upstream.last_event_at)} ago" if upstream.last_event_at else "none yet",
        _lags(upstream),
        f"{upstream.events:,}",
        f"{upstream.backfilled:,}",
        _alarm(f"{upstream.gaps:,}") if upstream.gaps else "0",
    )
    named = zip(_COLUMNS, cells, strict=True)
    return "<tr>" + "".join(f'<td data-name="{name}">{cell}</td>' for name, cell in named) + "</tr>"


def _alarm(text: str) -> str:
    return f'<strong class="problem">{text}</strong>'


def _small(text: str) -> str:
    return f"<br><small>{escape(text)}</small>" if text else ""


def _lags(upstream: UpstreamFigures) -> str:
    lags = [upstream.lag_ms(quantile) for quantile in (0.5, 0.99)]
    return "unknown" if None in lags else " / ".join(f"{lag:,} ms" for lag in lags)


def span(micros: Micros) -> str:
    """A stretch of time for people: `42 s`, `17 min`, `3.5 h`, `12 days`."""
    micros = max(0, micros)
    if micros < 2 * MINUTE:
        return f"{micros // SECOND} s"
    if micros < 2 * HOUR:
        return f"{micros // MINUTE} min"
    return f"{micros / HOUR:.1f} h" if micros < 2 * DAY else f"{micros // DAY} days"
