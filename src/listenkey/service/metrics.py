"""What the gateway counts. Plain integers on the hot path; Prometheus reads them through a collector.

No account, key or address is a label.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

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
    "upstream_events": "Events that came from upstreams, repeats included",
    "upstream_gaps": "Times that an upstream was cut, so that its events may be missing",
    "internal_errors": "Requests that failed by a fault of ours",
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
        self.upstream_events = 0
        self.upstream_gaps = 0
        self.internal_errors = 0
        self.requests: Counter[tuple[str, str, int]] = Counter()
        """Venue REST answers by dialect, operation and status."""
        self.ended_keys: Counter[str] = Counter()
        self.refused_by_limit: Counter[str] = Counter()
        """Calls refused, by the kind of failure."""

    def key_ended(self, cause: str) -> None:
        """Count a key that ended."""
        self.ended_keys[cause] += 1


class MetricsPage(Collector):
    """The page of `/metrics`: counters, and gauges read when asked."""

    def __init__(self, metrics: Metrics, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._metrics = metrics
        self._gauges = gauges
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
        for name, (meaning, read) in self._gauges.items():
            yield GaugeMetricFamily(f"listenkey_{name}", meaning, value=read())

    def render(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self._registry)


def _labelled(name: str, meaning: str, label: str, counts: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, meaning, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
