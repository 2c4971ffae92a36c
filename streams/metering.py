"""Metrics of finished requests: tokens and dollars, and what GoModel counts, under its names."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from providers.base import Target
from schemas.costs import NANO
from schemas.exchange import Exchange
from schemas.metrics import Counter, Labels, Metrics
from schemas.usage import Usage
from streams.stages import Call

MODELS = 500  # by name in a process; callers of an open instance choose the names
OTHER = "other"
_ENDPOINTS = {
    ("chat", "openai_chat"): "/chat/completions",
    ("chat", "openai_responses"): "/responses",
    ("chat", "openai_completions"): "/completions",
    ("chat", "anthropic"): "/messages",
}


class _Spent(Struct):
    """Counters of one provider's model."""

    input: Counter
    output: Counter
    cached_input: Counter
    cache_write: Counter
    reasoning: Counter
    dollars: Counter


class Metering:
    """Counts each exchange once, when it is in the log."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._spent: dict[tuple[str, str], _Spent] = {}
        self._models: set[str] = set()

    def redelivered(self) -> None:
        """A request runs again after a crash."""
        self._metrics.counter("sluice_redeliveries").inc()

    def finished(self, exchange: Exchange, call: Call) -> None:
        """Of an answer without a call of a provider only the outcome counts."""
        self._metrics.counter("sluice_outcomes", exchange.outcome).inc()
        if not exchange.attempts:
            return
        last = exchange.attempts[-1]
        model = self._named(last.model)
        spent = self._spent_by(last.provider, model)
        if exchange.usage is not None:
            _count(spent, exchange.usage)
        if exchange.cost is not None:
            spent.dollars.inc(exchange.cost.total / NANO)
        vendor = last.provider if call.target is None else vendor_of(call.target)
        stream = "true" if exchange.stream else "false"
        endpoint = endpoint_of(exchange.operation, exchange.dialect)
        self._metrics.counter(
            "gomodel_requests",
            vendor,
            model,
            endpoint,
            str(last.status or "network_error"),
            "success" if exchange.error is None else "error",
            stream,
        ).inc()
        if (seconds := exchange.timings.upstream) is not None:
            self._metrics.histogram(
                "gomodel_request_duration_seconds", vendor, model, endpoint, stream
            ).observe(seconds)

    def _named(self, model: str) -> str:
        if model not in self._models:
            if len(self._models) >= MODELS:
                return OTHER
            self._models.add(model)
        return model

    def _spent_by(self, provider: str, model: str) -> _Spent:
        if (found := self._spent.get((provider, model))) is None:
            found = self._spent[provider, model] = _Spent(
                self._tokens(provider, model, "input"),
                self._tokens(provider, model, "output"),
                self._tokens(provider, model, "cached_input"),
                self._tokens(provider, model, "cache_write"),
                self._tokens(provider, model, "reasoning"),
                self._metrics.counter("sluice_cost_dollars", provider, model),
            )
        return found

    def _tokens(self, provider: str, model: str, kind: str) -> Counter:
        return self._metrics.counter("sluice_tokens", provider, model, kind)


def _count(spent: _Spent, usage: Usage) -> None:
    spent.input.inc(usage.input_tokens)
    spent.output.inc(usage.output_tokens)
    spent.cached_input.inc(usage.cached_input_tokens)
    spent.cache_write.inc(usage.cache_creation_input_tokens)
    spent.reasoning.inc(usage.reasoning_tokens)


class CallsInFlight:
    """Calls of providers that have not ended."""

    def __init__(self, metrics: Metrics) -> None:
        self._counts: dict[Labels, int] = {}
        metrics.gauges("gomodel_requests_in_flight", self._read)

    def _read(self) -> Iterator[tuple[Labels, float]]:
        yield from ((labels, float(count)) for labels, count in tuple(self._counts.items()))

    def begun(self, call: Call, target: Target) -> Labels:
        """What `ended` must be told."""
        endpoint = endpoint_of(call.request.operation, call.request.dialect)
        labels = (vendor_of(target), endpoint, "true" if call.streamed else "false")
        self._counts[labels] = self._counts.get(labels, 0) + 1
        return labels

    def ended(self, labels: Labels) -> None:
        self._counts[labels] -= 1


def vendor_of(target: Target) -> str:
    """What GoModel calls the provider; of one that is not of a known vendor, the instance."""
    return target.endpoint.vendor or target.instance


def endpoint_of(operation: str, dialect: str) -> str:
    """The caller's route below `/v1`, or the operation: never a path with ids in it."""
    return _ENDPOINTS.get((operation, dialect)) or f"/{operation}"
