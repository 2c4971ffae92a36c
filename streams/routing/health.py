"""What this worker knows of each provider: its breaker, its rest, its speed, its load."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from schemas.metrics import Metrics
from streams.routing.breaker import Breaker, State
from streams.routing.config import BreakerConfig

SMOOTHING = 0.2  # weight of the newest time in a moving average
STATES: dict[State, float] = {"closed": 0.0, "half_open": 0.5, "open": 1.0}
Key = tuple[str, str]  # instance, model


class Health:
    """Of one model at one instance. Times are monotonic seconds."""

    __slots__ = ("_answer", "_first_token", "breaker", "resting_until")

    def __init__(self, config: BreakerConfig) -> None:
        self.breaker = Breaker(config)
        self.resting_until = 0.0  # it asked to be left alone until then
        self._first_token: float | None = None  # moving averages
        self._answer: float | None = None

    def rest(self, until: float) -> None:
        """It wants to be left alone until then; never shortens a rest."""
        self.resting_until = max(self.resting_until, until)

    def latency(self, *, streamed: bool) -> float | None:
        """Seconds to the first token of a stream, or to the whole of a plain answer."""
        return self._first_token if streamed else self._answer

    def observe(self, seconds: float, *, streamed: bool) -> None:
        """Such a time."""
        known = self.latency(streamed=streamed)
        mean = seconds if known is None else known + SMOOTHING * (seconds - known)
        if streamed:
            self._first_token = mean
        else:
            self._answer = mean


class HealthBook:
    """The health of all, made as they are first asked for, and the calls that run now."""

    def __init__(
        self,
        breaker: BreakerConfig,
        limits: Mapping[str, int],
        breakers: Mapping[str, BreakerConfig] | None = None,
    ) -> None:
        """`limits`: calls at once, by instance; `breakers`: those of single instances."""
        self._breaker = breaker
        self._breakers = breakers or {}
        self._limits = limits
        self._health: dict[Key, Health] = {}
        self._running: dict[str, int] = {}
        self._waiters: set[asyncio.Future[None]] = set()

    def of(self, instance: str, model: str) -> Health:
        key = (instance, model)
        if (found := self._health.get(key)) is None:
            found = self._health[key] = Health(self._breakers.get(instance, self._breaker))
        return found

    def shown_in(self, metrics: Metrics) -> None:
        """The state of each breaker."""
        metrics.gauges(
            "sluice_breaker_state",
            lambda: [(key, STATES[found.breaker.state]) for key, found in self._health.items()],
        )

    def troubled(self, now: float) -> dict[str, str]:
        """`instance/model` of what is not asked as usual, and why; `now` is monotonic."""
        found: dict[str, str] = {}
        for (instance, model), health in self._health.items():
            if health.breaker.state != "closed":
                found[f"{instance}/{model}"] = health.breaker.state
            elif health.resting_until > now:
                found[f"{instance}/{model}"] = "resting"
        return found

    def running(self, instance: str) -> int:
        return self._running.get(instance, 0)

    def has_room(self, instance: str) -> bool:
        limit = self._limits.get(instance)
        return limit is None or self.running(instance) < limit

    def enter(self, instance: str) -> None:
        self._running[instance] = self.running(instance) + 1

    def leave(self, instance: str) -> None:
        self._running[instance] -= 1
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_for_room(self) -> None:
        """Until some call has ended."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
