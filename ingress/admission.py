"""How much work is taken in: by count, by bytes, by the expected wait of the queue.

Whatever is refused here was not published, so trying again is safe.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil

from ingress.config import IngressConfig
from ingress.control import Workers
from schemas.clock import Clock
from schemas.errors import Overloaded
from schemas.metrics import Metrics

MAX_RETRY_AFTER = 120
_SMOOTHING = 0.1  # weight of the newest duration


class Admission:
    """Counts the requests in flight and refuses those that would be too many."""

    __slots__ = ("_config", "_duration", "_idle", "_rejected", "_workers", "bytes", "count")

    def __init__(self, config: IngressConfig, workers: Workers, metrics: Metrics) -> None:
        self._config = config
        self._workers = workers
        self._duration = 0.0  # seconds from admission to the end, moving average
        self.count = 0
        self.bytes = 0
        self._idle = asyncio.Event()
        self._rejected = {
            reason: metrics.counter("sluice_rejected_requests", reason)
            for reason in ("count", "bytes", "lag", "log", "stopping")
        }
        metrics.gauge("sluice_in_flight_requests", lambda: self.count)
        metrics.gauge("sluice_in_flight_bytes", lambda: self.bytes)

    def enter(self, size: int) -> Ticket:
        """Take in a request whose body has `size` bytes; Overloaded if there is no room."""
        if self.count >= self._config.max_in_flight:
            raise self._full("count")
        if self._workers.expected_wait > self._config.max_lag_seconds:
            self.reject("lag")
            excess = self._workers.expected_wait - self._config.max_lag_seconds / 2
            raise Overloaded(
                "The queue is longer than requests may wait.", retry_after=_seconds(excess)
            )
        ticket = Ticket(self)
        self.count += 1
        try:
            ticket.grow(size)
        except Overloaded:
            self.count -= 1
            raise
        return ticket

    def reserve(self, size: int) -> None:
        """Room for `size` more bytes; Overloaded if there is none."""
        # A single body that is larger than the whole room is let in when nothing else is there.
        if self.bytes and self.bytes + size > self._config.max_in_flight_bytes:
            raise self._full("bytes")
        self.bytes += size

    def reject(self, reason: str) -> None:
        """Count a refusal."""
        self._rejected[reason].inc()

    async def idle(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until nothing is in flight; False if something still is."""
        self._idle.clear()
        if self.count:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._idle.wait()
        return self.count == 0

    def leave(self, duration: float) -> None:
        """A request is over, `duration` seconds after it was taken in."""
        self.count -= 1
        self._duration += (duration - self._duration) * _SMOOTHING
        if self.count == 0:
            self._idle.set()

    def _full(self, reason: str) -> Overloaded:
        self.reject(reason)
        # With n in flight that take d seconds each, one ends every d/n seconds.
        return Overloaded(retry_after=_seconds(self._duration / max(1, self.count)))


class Ticket:
    """One request's share of the room; `leave` gives it back, once."""

    __slots__ = ("_admission", "_size")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0

    def grow(self, size: int) -> None:
        """More of the body came; Overloaded if there is no room for it."""
        self._admission.reserve(size)
        self._size += size

    def free_body(self) -> None:
        """The body is in the log and no longer held."""
        self._admission.bytes -= self._size
        self._size = 0

    @contextmanager
    def held(self, clock: Clock) -> Iterator[Ticket]:
        """The request is over when the block is."""
        began = clock.monotonic()
        try:
            yield self
        finally:
            self.leave(clock.monotonic() - began)

    def leave(self, duration: float) -> None:
        """The request is over, `duration` seconds after it was admitted."""
        self.free_body()
        self._admission.leave(duration)


def _seconds(wait: float) -> int:
    return min(MAX_RETRY_AFTER, max(1, ceil(wait)))
