"""A sink as the runner uses it: insisting, counted, and told to forget what is too old."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from schemas.clock import Clock
from schemas.kept import Kept
from schemas.metrics import Metrics
from sinks.backoff import Backoff, stopped_within
from sinks.base import Backpressure, Expiring, Keeping, Refused, Sink
from sinks.config import StorageType
from sinks.document import Document
from sinks.interruption import uncancelled, unless_stopped

log = structlog.get_logger()

EXPIRE_INTERVAL = 60.0  # seconds
REMIND_INTERVAL = 30.0  # between two log lines about one outage


class Store:
    """Keeps trying while the store is away, for as long as the work is wanted."""

    def __init__(
        self, name: StorageType, sink: Sink, clock: Clock, metrics: Metrics, stop: asyncio.Event
    ) -> None:
        self._name = name
        self._sink = sink
        self._clock = clock
        self._stop = stop
        self._next_expiry = 0.0
        self._seconds = metrics.histogram("sluice_sink_write_seconds", name)
        self._backoffs = metrics.counter("sluice_sink_backoffs", name)

    async def open(self) -> bool:
        """False: stopped before the store was there."""
        return await self._insist(self._open, lambda: True) and not self._stop.is_set()

    async def write(self, batch: Sequence[Document], wanted: Callable[[], bool]) -> bool:
        """True: durable. False: stopped, or no longer `wanted`. Refused as the sink raises it."""
        return await self._insist(lambda: self._write(batch), wanted)

    async def keep(self, batch: Sequence[Kept], wanted: Callable[[], bool]) -> bool:
        """The same for answers that are to be kept; a store that keeps none has none to offer."""
        sink = self._sink
        if not batch or not isinstance(sink, Keeping):
            return True
        return await self._insist(lambda: uncancelled(sink.keep(batch), Backpressure), wanted)

    async def expire(self) -> None:
        """Delete a slice of what is too old, once a minute or as long as there is more."""
        if not isinstance(self._sink, Expiring) or self._clock.monotonic() < self._next_expiry:
            return
        more = False
        try:
            more = await uncancelled(self._sink.expire(), Backpressure)
        except Backpressure as away:
            log.info("expiry_postponed", store=self._name, reason=away.reason)
        if not more:
            self._next_expiry = self._clock.monotonic() + EXPIRE_INTERVAL

    async def close(self) -> None:
        await self._sink.close()

    async def _open(self) -> None:
        await unless_stopped(self._stop, self._sink.open(), Backpressure)

    async def _write(self, batch: Sequence[Document]) -> None:
        began = self._clock.monotonic()
        await uncancelled(self._sink.write(batch), Backpressure, Refused)
        self._seconds.observe(self._clock.monotonic() - began)

    async def _insist(
        self, attempt: Callable[[], Awaitable[None]], wanted: Callable[[], bool]
    ) -> bool:
        delays, outage = Backoff(), _Outage(self._name, self._clock)
        while True:
            try:
                await attempt()
            except Backpressure as away:
                outage.goes_on(away.reason)
                self._backoffs.inc()
                if await stopped_within(self._stop, delays.next(away.retry_after)) or not wanted():
                    return False
            else:
                outage.ended()
                return True


class _Outage:
    """Says when a store goes away, from time to time that it still is, and when it is back."""

    def __init__(self, store: StorageType, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._began: float | None = None
        self._said = 0.0

    def goes_on(self, reason: str) -> None:
        now = self._clock.monotonic()
        if self._began is None:
            self._began = now
        elif now - self._said < REMIND_INTERVAL:
            return
        self._said = now
        log.warning(
            "store_unavailable", store=self._store, reason=reason, seconds=round(now - self._began)
        )

    def ended(self) -> None:
        if self._began is not None:
            seconds = round(self._clock.monotonic() - self._began, 1)
            log.info("store_recovered", store=self._store, seconds=seconds)
