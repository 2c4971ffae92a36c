"""The calls of one request: whom to ask next, and what each call tells of whom it asked."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Protocol

from providers.base import Target
from providers.limits import exhausted
from schemas.clock import Clock
from schemas.errors import RateLimited, UpstreamUnavailable
from schemas.exchange import Attempt
from schemas.replies import Completed, Failed, Reply
from streams.routing.config import RetryConfig
from streams.routing.health import HealthBook
from streams.routing.policy import counts_against
from streams.routing.router import Plan
from streams.stages import Call

_RESTING = "The provider's limit is reached, as it told an earlier request: wait for Retry-After."
SLACK = 0.05  # seconds that a rest may be too short: timers are not exact


class Keys(Protocol):
    """Who knows the keys of each instance; `sluice` hands one in."""

    def limit(self, instance: str, key: int, until: float) -> None:
        """The provider limits this key until then, by the monotonic clock."""
        ...

    def free_keys(self, instance: str) -> int: ...

    def again(self, target: Target) -> Target:
        """The same with the key whose turn it is."""
        ...


class Run:
    """How far one request is in its plan."""

    __slots__ = (
        "_before",
        "_begun",
        "asked",
        "attempt",
        "calls",
        "end",
        "held",
        "index",
        "keep",
        "last",
        "plan",
        "refused",
        "sent",
        "target",
        "told",
        "total",
        "unavailable",
    )

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.index = 0
        self.target: Target | None = None  # who is called now, or was last
        self.calls = 0  # of the current candidate
        self.total = 0
        self.sent = False  # the caller has seen a part of the answer
        self.told: list[bytes] = []  # that part, kept if somebody may have to go on with it
        self.keep: Callable[[bytes], object] = self.told.append if self.recoverable else _forget
        self.held: list[Reply] = []  # of the current call, not seen yet
        self.end: Completed | Failed | None = None  # of it; None: it was given up
        self.attempt: Attempt | None = None  # the last one; None if nothing could be sent
        self.asked: float | None = None  # seconds that its provider wants to be left alone
        self.last: Failed | None = None  # how the last one failed
        self.refused: Failed | None = None  # why somebody could not be told the request
        self.unavailable: RateLimited | UpstreamUnavailable | None = None  # all rest
        self._before = 0
        self._begun = 0.0

    @property
    def asked_any(self) -> bool:
        """Somebody was called, or could not be told the request."""
        return self.target is not None

    @property
    def recoverable(self) -> bool:
        """Somebody may have to go on with what the caller has seen."""
        return self.plan.recovery != "error" and self.others > 0

    @property
    def others(self) -> int:
        """Candidates behind the current one."""
        return max(0, len(self.plan.targets) - self.index - 1)

    def move(self) -> None:
        """To the next candidate."""
        self.index += 1
        self.calls = 0

    def worst(self) -> Failed:
        """What the caller is told when nobody answers."""
        error = self.unavailable or UpstreamUnavailable()
        return self.last or self.refused or Failed(error, error.status)

    def begin(self, call: Call, now: float) -> None:
        self._before, self._begun = len(call.attempts), now
        self.calls += 1
        self.total += 1
        self.asked = self.end = None
        self.held = []
        if not self.sent:
            call.first_content = None
            call.abort = None

    def ended(self, call: Call) -> None:
        self.attempt = call.attempts[-1] if len(call.attempts) > self._before else None
        if self.attempt is None:
            self.total -= 1

    def since_begun(self, moment: float) -> float:
        return moment - self._begun


def _forget(data: bytes) -> None:
    return


class Attempts:
    """Begins and ends the calls of all requests. What is begun must be ended, whatever happens."""

    def __init__(self, health: HealthBook, keys: Keys, config: RetryConfig, clock: Clock) -> None:
        self._health = health
        self._keys = keys
        self._config = config
        self._clock = clock

    def in_time(self, call: Call, wait: float = 0.0) -> bool:
        """Whether something can begin after that wait."""
        deadline = call.request.deadline
        return deadline is None or self._clock.time() + wait < deadline

    async def begin(self, call: Call, run: Run) -> bool:
        """The current candidate once more, or the next that may be asked; False if there is none.

        Waits for a call to end where all have as many as they take, and for a short rest to be over.
        """
        while True:
            rest = probe = math.inf
            full, now = False, self._clock.monotonic()
            for index in range(run.index, len(run.plan.targets)):
                target = run.plan.targets[index]
                health = self._health.of(target.instance, target.model)
                if health.resting_until > now + SLACK:
                    rest = min(rest, health.resting_until - now)
                elif not health.breaker.available(now):
                    probe = min(probe, health.breaker.retry_in(now))
                elif not self._health.has_room(target.instance):
                    full = True
                else:
                    self._enter(call, run, index, now)
                    return True
            if full:
                await self._health.wait_for_room()
            elif rest <= self._config.retry_after_max and self.in_time(call, rest):
                await asyncio.sleep(rest)
            else:
                wait = min(rest, probe)
                seconds = max(1, math.ceil(wait)) if wait < math.inf else None
                run.unavailable = (
                    RateLimited(_RESTING, retry_after=seconds)
                    if rest <= probe and rest < math.inf
                    else UpstreamUnavailable(retry_after=seconds)
                )
                return False

    def _enter(self, call: Call, run: Run, index: int, now: float) -> None:
        target = run.plan.targets[index]
        while run.index < index:
            run.move()
        if run.calls:
            target = self._keys.again(target)
        self._health.of(target.instance, target.model).breaker.enter(now)
        self._health.enter(target.instance)
        run.begin(call, now)
        run.target = call.target = target

    def answering(self, run: Run) -> None:
        """The first content of a stream is here."""
        if (target := run.target) is not None:
            self._health.of(target.instance, target.model).breaker.answering()

    def end(self, call: Call, run: Run) -> None:
        """One that was given up before its end tells nothing of the provider."""
        target, end = run.target, run.end
        assert target is not None
        run.ended(call)
        self._health.leave(target.instance)
        health, now = self._health.of(target.instance, target.model), self._clock.monotonic()
        if end is None or run.attempt is None:
            health.breaker.abandoned()
        elif isinstance(end, Completed):
            health.breaker.succeeded()
            first = now if call.first_content is None else call.first_content
            if run.since_begun(first) >= 0:  # else it is of another, whom this one has relieved
                health.observe(run.since_begun(first), streamed=call.streamed)
        else:
            if counts_against(end.error, run.attempt.status):
                health.breaker.failed(now)
            else:
                health.breaker.succeeded()
            self._rest_after(run, target, end)

    def _rest_after(self, run: Run, target: Target, failed: Failed) -> None:
        """What a provider that refuses says of when to come back."""
        error = failed.error
        run.asked = None if error.retry_after is None else float(error.retry_after)
        if run.asked is None and failed.http_headers:
            run.asked = exhausted(failed.http_headers, self._clock.time())
        if run.asked and isinstance(error, RateLimited):
            self._leave_alone(target, run.asked)

    def spare(self, run: Run, headers: Mapping[str, str]) -> None:
        """A provider that answers says that its limit is reached. It is believed, but not for long: it
        answers, after all."""
        wait = exhausted(headers, self._clock.time())
        if wait and run.target is not None:
            self._leave_alone(run.target, min(wait, self._config.retry_after_max))

    def _leave_alone(self, target: Target, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        self._keys.limit(target.instance, target.endpoint.key, until)
        if not self._keys.free_keys(target.instance):
            self._health.of(target.instance, target.model).rest(until)

    def free_key(self, run: Run) -> bool:
        """Whether the same candidate has a key that is not limited."""
        target = run.target
        return target is not None and self._keys.free_keys(target.instance) > 0
