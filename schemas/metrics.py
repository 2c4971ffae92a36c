"""Every metric's name, and counters cheap enough for the request path.

Plain attributes, rendered by prometheus-client when scraped: its own counters take a lock and a
dict look-up per call.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeVar

from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

MetricName = Literal[
    "sluice_requests",  # Counter: HTTP requests to model routes; route, status
    "sluice_request_duration_seconds",  # Histogram: accepted to last byte; route
    "sluice_in_flight_requests",  # Gauge: requests that wait for an answer in this ingress
    "sluice_in_flight_bytes",  # Gauge: their bodies
    "sluice_rejected_requests",  # Counter: refused before anything was published; reason
    "sluice_unrecorded_rejections",  # Counter: of known callers, without a document; reason
    "sluice_publish_duration_seconds",  # Histogram: produce to acknowledgement of a request
    "sluice_spooled_requests",  # Counter: requests whose body went to SPOOL_DIR
    "sluice_spool_swept_files",  # Counter: files in SPOOL_DIR that no request came back for
    "sluice_late_replies",  # Counter: reply records for requests that nobody waits for
    "sluice_stream_errors",  # Counter: answers that ended in-band; code
    "sluice_deliveries",  # Counter: records taken from llm.requests; kind
    "sluice_outcomes",  # Counter: exchanges recorded; outcome
    "sluice_tokens",  # Counter: tokens used; provider, model, type
    "sluice_cost_dollars",  # Counter: USD paid, as far as prices are known; provider, model
    "sluice_running_requests",  # Gauge: requests that a worker works on
    "sluice_held_requests",  # Gauge: delivered and not started
    "sluice_upstream_calls",  # Counter: provider calls; provider, status
    "sluice_upstream_duration_seconds",  # Histogram: call to last byte; provider
    "sluice_first_token_seconds",  # Histogram: call to first content; provider
    "sluice_retries",  # Counter: provider calls beyond a request's first
    "sluice_failovers",  # Counter: of these, those of another candidate
    "sluice_idempotent_requests",  # Counter: requests with an idempotency key; result
    "sluice_cache_requests",  # Counter: requests by what the caches were to them; result
    "sluice_cache_comparisons",  # Counter: kept answers that were compared with fresh ones; result
    "sluice_cache_saved_dollars",  # Gauge: of calls that were not made, restarts included
    "sluice_cache_saved_seconds",  # Gauge: the same
    "sluice_semantic_error_rate",  # Gauge: wrong answers among requests; kind: estimate, bound
    "sluice_cache_failures",  # Counter: entries and look-ups that a cache's store failed at
    "sluice_cache_bytes",  # Gauge: answers in this worker's memory
    "sluice_breaker_state",  # Gauge: 0 closed, 0.5 probing, 1 open; provider, model
    "sluice_budget_refusals",  # Counter: requests that budgets and limits refused; reason
    "sluice_dead_letters",  # Counter: records written to llm.dead-letters; role
    "sluice_moved_requests",  # Counter: pinned requests produced again
    "sluice_redeliveries",  # Counter: requests that run again after a crash
    "sluice_commits",  # Counter: offset commits; result
    "sluice_consumer_lag",  # Gauge: records behind the end; topic, partition
    "sluice_sink_documents",  # Counter: documents handed to a store; store, result
    "sluice_sink_write_seconds",  # Histogram: one batch written; store
    "sluice_sink_backoffs",  # Counter: waits because a store was away; store
    # GoModel's, for dashboards that ask for them
    "gomodel_requests",  # Counter: requests that a provider was called for; see docs/operations.md
    "gomodel_request_duration_seconds",  # Histogram: the first call's begin to the answer's end
    "gomodel_requests_in_flight",  # Gauge: calls of providers; provider, endpoint, stream
    "gomodel_response_snapshot_store_failures",  # Counter: exchanges that a store refused
]

_HELP: dict[MetricName, tuple[str, tuple[str, ...]]] = {
    "sluice_requests": ("HTTP requests to model routes", ("route", "status")),
    "sluice_request_duration_seconds": ("Accepted to last byte", ("route",)),
    "sluice_in_flight_requests": ("Requests that wait for an answer in this ingress", ()),
    "sluice_in_flight_bytes": ("Bytes of the bodies of requests in flight", ()),
    "sluice_rejected_requests": ("Requests refused before anything was published", ("reason",)),
    "sluice_unrecorded_rejections": ("Refused requests that no exchange tells of", ("reason",)),
    "sluice_publish_duration_seconds": ("Produce to acknowledgement of a request", ()),
    "sluice_spooled_requests": ("Requests whose body went to SPOOL_DIR", ()),
    "sluice_spool_swept_files": ("Files in SPOOL_DIR that no request came back for", ()),
    "sluice_late_replies": ("Reply records for requests that nobody waits for", ()),
    "sluice_stream_errors": ("Answers that ended with an in-band error", ("code",)),
    "sluice_deliveries": ("Records taken from the request topic", ("kind",)),
    "sluice_outcomes": ("Exchanges recorded", ("outcome",)),
    "sluice_tokens": ("Tokens used", ("provider", "model", "type")),
    "sluice_cost_dollars": ("USD paid, as far as prices are known", ("provider", "model")),
    "sluice_running_requests": ("Requests that this worker works on", ()),
    "sluice_held_requests": ("Requests delivered and not started", ()),
    "sluice_upstream_calls": ("Provider calls", ("provider", "status")),
    "sluice_upstream_duration_seconds": ("Provider call to last byte", ("provider",)),
    "sluice_first_token_seconds": ("Provider call to first content", ("provider",)),
    "sluice_retries": ("Provider calls beyond a request's first", ()),
    "sluice_failovers": ("Provider calls of another candidate than the one before", ()),
    "sluice_idempotent_requests": (
        "Requests with an idempotency key by what became of them",
        ("result",),
    ),
    "sluice_cache_requests": ("Requests by what the caches were to them", ("result",)),
    "sluice_cache_comparisons": ("Kept answers compared with fresh ones", ("result",)),
    "sluice_cache_saved_dollars": ("USD of calls that were not made", ()),
    "sluice_cache_saved_seconds": ("Seconds of calls that were not made", ()),
    "sluice_semantic_error_rate": ("Wrong answers among requests to the semantic cache", ("kind",)),
    "sluice_cache_failures": ("Entries and look-ups that a cache's store failed at", ()),
    "sluice_cache_bytes": ("Bytes of answers in this worker's memory", ()),
    "sluice_breaker_state": ("0 closed, 0.5 probing, 1 open", ("provider", "model")),
    "sluice_budget_refusals": ("Requests that budgets and limits refused", ("reason",)),
    "sluice_dead_letters": ("Records written to the dead letters", ("role",)),
    "sluice_moved_requests": ("Pinned requests produced again", ()),
    "sluice_redeliveries": ("Requests that run again after a crash", ()),
    "sluice_commits": ("Offset commits", ("result",)),
    "sluice_consumer_lag": ("Records behind the end of a partition", ("topic", "partition")),
    "sluice_sink_documents": ("Documents handed to a store", ("store", "result")),
    "sluice_sink_write_seconds": ("One batch written", ("store",)),
    "sluice_sink_backoffs": ("Waits because a store was away", ("store",)),
    "gomodel_requests": (
        "Requests that a provider was called for",
        ("provider", "model", "endpoint", "status_code", "status_type", "stream"),
    ),
    "gomodel_request_duration_seconds": (
        "First call of a provider to the end of the answer",
        ("provider", "model", "endpoint", "stream"),
    ),
    "gomodel_requests_in_flight": (
        "Calls of providers that have not ended",
        ("provider", "endpoint", "stream"),
    ),
    "gomodel_response_snapshot_store_failures": (
        "Exchanges that a store refused",
        ("provider", "provider_name", "operation"),
    ),
}
# Seconds, from 1 ms to ten minutes.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 600)
Labels = tuple[str, ...]


class Counter:
    """Counts up."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def inc(self, amount: float = 1) -> None:
        self.value += amount


class Histogram:
    """Counts observations by bucket."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(BUCKETS, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, as Prometheus wants them."""
        names = [*map(str, BUCKETS), "+Inf"]
        running = 0
        found = []
        for name, count in zip(names, self.counts, strict=True):
            running += count
            found.append((name, float(running)))
        return found


class MetricSpec(Struct, frozen=True):
    """One row of the documentation."""

    name: str
    help: str
    labels: Labels


Child = TypeVar("Child", Counter, Histogram)


class Metrics:
    """All metrics of one process. Children are made once and kept by the callers."""

    def __init__(self) -> None:
        self._counters: dict[MetricName, dict[Labels, Counter]] = {}
        self._histograms: dict[MetricName, dict[Labels, Histogram]] = {}
        self._gauges: dict[MetricName, Callable[[], Iterable[tuple[Labels, float]]]] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def counter(self, name: MetricName, *labels: str) -> Counter:
        """The counter of these label values; the number of distinct values must be bounded."""
        return _child(self._counters.setdefault(name, {}), name, labels, Counter)

    def histogram(self, name: MetricName, *labels: str) -> Histogram:
        return _child(self._histograms.setdefault(name, {}), name, labels, Histogram)

    def gauge(self, name: MetricName, read: Callable[[], float]) -> None:
        """A gauge without labels, read when scraped."""
        self._gauges[name] = lambda: [((), read())]

    def gauges(self, name: MetricName, read: Callable[[], Iterable[tuple[Labels, float]]]) -> None:
        """A gauge with labels: `read` gives label values and number of each child."""
        self._gauges[name] = read

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus-client."""
        for name, counters in self._counters.items():
            text, names = _HELP[name]
            family = CounterMetricFamily(name, text, labels=names)
            for labels, counter in list(counters.items()):
                family.add_metric(labels, counter.value)
            yield family
        for name, histograms in self._histograms.items():
            text, names = _HELP[name]
            distribution = HistogramMetricFamily(name, text, labels=names)
            for labels, histogram in list(histograms.items()):
                distribution.add_metric(labels, histogram.buckets(), histogram.total)
            yield distribution
        for name, read in self._gauges.items():
            text, names = _HELP[name]
            gauge = GaugeMetricFamily(name, text, labels=names)
            for labels, value in read():
                gauge.add_metric(labels, value)
            yield gauge

    def exposition(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self._registry)


def _child(
    family: dict[Labels, Child], name: MetricName, labels: Labels, make: type[Child]
) -> Child:
    if (found := family.get(labels)) is None:
        if len(labels) != len(_HELP[name][1]):
            raise ValueError(f"{name} takes the labels {_HELP[name][1]}")
        found = family[labels] = make()
    return found


def specs() -> list[MetricSpec]:
    """All metrics, for the documentation."""
    return [MetricSpec(name, text, labels) for name, (text, labels) in _HELP.items()]
