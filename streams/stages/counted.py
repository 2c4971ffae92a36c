"""Counts what the caches were to each request, and what they saved."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

from schemas.control import CacheReport
from schemas.metrics import Metrics
from schemas.replies import Started
from streams.stages import Call, Handler, Replies

Price = Callable[[str, str, int, int], float | None]
"""Instance, model, input and output tokens to USD; None if the price is unknown."""
_SAVING = frozenset({"exact", "semantic", "coalesced"})


class Counted:
    """A Handler around all that the caches do."""

    def __init__(
        self, handler: Handler, price: Price, before: CacheReport, metrics: Metrics
    ) -> None:
        """`before`: what was counted until the last stop."""
        self._handler = handler
        self._price = price
        self._worker = before.worker
        self._results = dict(before.results)
        self._input_tokens, self._output_tokens = before.input_tokens, before.output_tokens
        self._cost, self._seconds = before.cost, before.seconds
        metrics.gauge("sluice_cache_saved_dollars", lambda: self._cost)
        metrics.gauge("sluice_cache_saved_seconds", lambda: self._seconds)

    async def __call__(self, call: Call) -> Replies:
        started: Started | None = None
        try:
            async with aclosing(self._handler(call)) as replies:
                async for reply in replies:
                    if started is None and isinstance(reply, Started):
                        started = reply
                    yield reply
        finally:
            self._count(call, started)

    def _count(self, call: Call, started: Started | None) -> None:
        found = call.cached
        if found is None:
            return
        self._results[found.result] = self._results.get(found.result, 0) + 1
        if found.result not in _SAVING:
            return
        self._seconds += found.seconds or 0.0
        if (saved := found.saved) is not None and started is not None:
            self._input_tokens += saved.input_tokens
            self._output_tokens += saved.output_tokens
            counts = (saved.input_tokens, saved.output_tokens)
            self._cost += self._price(started.provider, started.model, *counts) or 0.0

    def report(self) -> CacheReport:
        """Up to now."""
        return CacheReport(
            worker=self._worker,
            results=dict(self._results),
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            cost=round(self._cost, 9),
            seconds=round(self._seconds, 3),
        )
