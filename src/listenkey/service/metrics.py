"""What the gateway counts. Plain integers on the hot path; Prometheus reads them through a collector.

No account, key or address is a label. An upstream's name is one: the operator chose it for that.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from listenkey.base.clock import SECOND
from listenkey.service.upstreams import UpstreamFigures

COUNTERS = {
    "events_published": "Events journaled",
    "events_sent": "Events queued to sockets",
    "events_repeated": "Events published again under an id that was there",
    "events_refused": "Lines of a publish that were refused",
    "events_odd": "Events taken that are not as the catalogue has them (`publish.check`)",
    "events_replayed": "Events sent again to sockets that came back, or late to those that were away",
    "events_passed_over": "Events that a socket was not given because they lay beyond the bounds of a replay",
    "sockets_opened": "Sockets opened",
    "sockets_slow": "Sockets closed because their peer took too little",
    "sockets_unanswered": "Sockets closed because heartbeats went unanswered",
    "bad_keys": "Key strings on sockets that were no live key",
    "clock_jumps": "Leaps of the wall clock that keys were given grace for",
    "internal_errors": "Requests that failed by a fault of ours",
}


_OF_UPSTREAMS = {
    "events": "Events that an upstream gave, repeats included",
    "backfilled": "Those of them that were fetched from the venue's history",
    "gaps": "Holes that an upstream left, each journaled",
}


class Metrics:
    """Counts since the start."""

    def __init__(self) -> None:
        self.events_published = 0
        self.events_sent = 0
        self.events_repeated = 0
        self.events_refused = 0
        self.events_odd = 0
        self.events_replayed = 0
        self.events_passed_over = 0
        self.sockets_opened = 0
        self.sockets_slow = 0
        self.sockets_unanswered = 0
        self.bad_keys = 0
        self.clock_jumps = 0
        self.internal_errors = 0
        self.requests: Counter[tuple[str, str, int]] = Counter()
        """Venue REST answers by dialect, operation and status."""
        self.ended_keys: Counter[str] = Counter()
        self.refused_by_limit: Counter[str] = Counter()
        """Calls refused, by the kind of failure."""
        self.passed_calls: Counter[tuple[str, int]] = Counter()
        """Answers of venues that were passed back, by dialect and status."""
        self.passage_failures: Counter[tuple[str, str]] = Counter()
        """Calls and sockets that could not be passed, by dialect and kind of failure."""
        self.passed_sockets: Counter[str] = Counter()
        """Sockets that were passed to venues, by dialect."""
        self.passed_sockets_open = 0

    def key_ended(self, cause: str) -> None:
        """Count a key that ended."""
        self.ended_keys[cause] += 1


class MetricsPage(Collector):
    """The page of `/metrics`: counters, and gauges read when asked."""

    def __init__(
        self,
        metrics: Metrics,
        gauges: dict[str, tuple[str, Callable[[], float]]],
        upstreams: Sequence[UpstreamFigures] = (),
    ) -> None:
        self._metrics = metrics
        self._gauges = gauges
        self._upstreams = upstreams
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """All families, as prometheus_client wants them."""
        for name, meaning in COUNTERS.items():
            yield CounterMetricFamily(f"listenkey_{name}", meaning, value=getattr(self._metrics, name))
        requests = CounterMetricFamily(
            "listenkey_requests", "Venue REST answers", labels=["dialect", "operation", "status"]
        )
        for (dialect, operation, status), count in self._metrics.requests.items():
            requests.add_metric([dialect, operation, str(status)], count)
        yield requests
        yield _labelled("listenkey_keys_ended", "Listen keys that ended", "cause", self._metrics.ended_keys)
        yield _labelled(
            "listenkey_calls_refused", "Calls refused by a limit", "failure", self._metrics.refused_by_limit
        )
        yield from self._passage()
        for name, (meaning, read) in self._gauges.items():
            yield GaugeMetricFamily(f"listenkey_{name}", meaning, value=read())
        yield from _upstream_families(self._upstreams)

    def _passage(self) -> Iterator[Metric]:
        """What went through to venues."""
        calls = CounterMetricFamily(
            "listenkey_passed_calls", "Answers of venues that were passed back", labels=["dialect", "status"]
        )
        for (dialect, status), count in self._metrics.passed_calls.items():
            calls.add_metric([dialect, str(status)], count)
        yield calls
        failures = CounterMetricFamily(
            "listenkey_passage_failures",
            "Calls and sockets that could not be passed to a venue, or not to their end",
            labels=["dialect", "failure"],
        )
        for (dialect, failure), count in self._metrics.passage_failures.items():
            failures.add_metric([dialect, failure], count)
        yield failures
        yield _labelled(
            "listenkey_passed_sockets", "Sockets passed to venues", "dialect", self._metrics.passed_sockets
        )
        yield GaugeMetricFamily(
            "listenkey_passed_sockets_open",
            "Sockets that are passed just now",
            value=self._metrics.passed_sockets_open,
        )

    def render(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self._registry)


def _upstream_families(upstreams: Sequence[UpstreamFigures]) -> Iterator[Metric]:
    labels = ["upstream"]
    open_now = GaugeMetricFamily(
        "listenkey_upstream_open", "Whether the upstream's stream is open", labels=labels
    )
    last = GaugeMetricFamily(
        "listenkey_upstream_last_event_seconds",
        "When its last event was journaled, since 1970",
        labels=labels,
    )
    lag = GaugeMetricFamily(
        "listenkey_upstream_lag_seconds",
        "From the venue's stamp to the journal, of the last thousand live events",
        labels=[*labels, "quantile"],
    )
    counters = {
        what: CounterMetricFamily(f"listenkey_upstream_{what}", meaning, labels=labels)
        for what, meaning in _OF_UPSTREAMS.items()
    }
    for each in upstreams:
        open_now.add_metric([each.name], each.state == "open")
        if each.last_event_at:
            last.add_metric([each.name], each.last_event_at / SECOND)
        for quantile in (0.5, 0.99):
            found = each.lag_ms(quantile)
            if found is not None:
                lag.add_metric([each.name, str(quantile)], found / 1000)
        for what, family in counters.items():
            family.add_metric([each.name], getattr(each, what))
    yield from (open_now, last, lag, *counters.values())


def _labelled(name: str, meaning: str, label: str, counts: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, meaning, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
