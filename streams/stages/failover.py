"""Asks one candidate after the other until one answers, and lets the caller see one answer only."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from msgspec.structs import replace

from providers.base import Target
from schemas import exchange
from schemas.clock import Clock
from schemas.errors import GatewayError, UpstreamUnavailable
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from streams.routing.config import RoutingConfig
from streams.routing.health import Health, HealthBook
from streams.routing.policy import Failure, counts_against, follow
from streams.routing.router import Plan, Router
from streams.stages import Call, Replies

ATTEMPTS = "sluice-attempts"
Attempt = Callable[[Call, Target], Replies]


class Failover:
    """A Handler around an attempt at one target."""

    def __init__(
        self,
        attempt: Attempt,
        router: Router,
        health: HealthBook,
        config: RoutingConfig,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._attempt = attempt
        self._router = router
        self._health = health
        self._retry = config.retry
        self._clock = clock
        self._retries = metrics.counter("sluice_retries")
        self._failovers = metrics.counter("sluice_failovers")

    async def __call__(self, call: Call) -> Replies:
        try:
            plan = self._router.plan(call)
        except GatewayError as error:
            yield Failed(error, error.status)
            return
        run = _Run(plan)
        while (target := await self._choose(run)) is not None:
            async with aclosing(self._asked(call, run, target)) as replies:
                async for reply in replies:
                    yield reply
            if run.outcome is None:
                return
            if run.sent:
                yield run.outcome
                return
            if not await self._goes_on(call, run, target, run.outcome):
                break
        yield _told(run.worst(), run.total)

    async def _asked(self, call: Call, run: _Run, target: Target) -> Replies:
        """One attempt's replies but for a failure, which is left in `run`. Nothing is shown before
        there is something to see: until then another candidate can answer instead."""
        run.outcome = None
        held: list[Reply] = []
        async with aclosing(self._guarded(call, run, target)) as replies:
            async for reply in replies:
                if isinstance(reply, Failed):
                    run.outcome = reply
                    continue
                if not run.sent:
                    held.append(_counted(reply, run.total))
                    if not _seen(reply):
                        continue
                    run.sent = True
                    for earlier in held:
                        yield earlier
                    continue
                yield reply

    async def _choose(self, run: _Run) -> Target | None:
        """The candidate to ask now: the current one again, or the next that may be asked.

        None if all that are left are left alone at the moment. If they have as many calls as they
        take, this waits for one to end.
        """
        start = run.index
        while True:
            now = self._clock.monotonic()
            waits: list[float] = []
            full = False
            while run.index < len(run.plan.targets):
                target = run.plan.targets[run.index]
                health = self._health.of(target.instance, target.model)
                if not health.available(now):
                    waits.append(health.retry_in(now))
                elif not self._health.has_room(target.instance):
                    full = True
                else:
                    return target
                run.move()
            if not full:
                wait = max(1, round(min(waits, default=1.0) + 0.5))
                run.unavailable = UpstreamUnavailable(retry_after=wait)
                return None
            run.index = start
            await self._health.wait_for_room()

    async def _guarded(self, call: Call, run: _Run, target: Target) -> AsyncGenerator[Reply, None]:
        """One attempt, whose verdict the candidate's health gets whatever happens."""
        health = self._health.of(target.instance, target.model)
        health.breaker.enter(self._clock.monotonic())
        self._health.enter(target.instance)
        verdict: Completed | Failed | None = None
        begun, made = self._clock.monotonic(), len(call.attempts)
        run.calls += 1
        run.total += 1
        try:
            async with aclosing(self._attempt(call, target)) as replies:
                async for reply in replies:
                    if isinstance(reply, Completed | Failed):
                        verdict = reply
                    yield reply
        finally:
            self._health.leave(target.instance)
            run.attempt = call.attempts[-1] if len(call.attempts) > made else None
            if run.attempt is None:  # it could not be told the request; nothing was sent
                run.total -= 1
            self._judge(health, run.attempt, verdict)
            if isinstance(verdict, Completed):
                first = call.first_content or self._clock.monotonic()
                health.observe(first - begun, streamed=call.streamed)

    def _judge(
        self, health: Health, attempt: exchange.Attempt | None, verdict: Completed | Failed | None
    ) -> None:
        if verdict is None or attempt is None:
            health.breaker.abandoned()
        elif isinstance(verdict, Failed) and counts_against(verdict.error, attempt.status):
            health.breaker.failed(self._clock.monotonic())
        else:
            health.breaker.succeeded()

    async def _goes_on(self, call: Call, run: _Run, target: Target, failed: Failed) -> bool:
        """Whether there is another call, after the wait that it takes."""
        if run.attempt is None:
            # Another may understand what this one cannot be told.
            run.refused = run.refused or failed
            run.move()
            return run.index < len(run.plan.targets)
        run.last = failed
        failure = Failure(failed.error, run.attempt.status, run.calls, run.others)
        # Not for secrets: spreads calls that failed at once.
        chance = random.random()
        found = follow(failure, run.total - 1, self._retry, run.plan.triggers, chance)
        now = self._clock.monotonic()
        if found.rest:
            self._health.of(target.instance, target.model).rest(now + found.rest)
        if found.step == "stop" or not self._in_time(call, found.wait):
            return False
        self._retries.inc()
        if found.step == "next":
            self._failovers.inc()
            run.move()
        if found.wait:
            await asyncio.sleep(found.wait)
        return True

    def _in_time(self, call: Call, wait: float) -> bool:
        deadline = call.request.deadline
        return deadline is None or self._clock.time() + wait < deadline


class _Run:
    """How far one request is in its plan."""

    __slots__ = (
        "attempt",
        "calls",
        "index",
        "last",
        "outcome",
        "plan",
        "refused",
        "sent",
        "total",
        "unavailable",
    )

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.index = 0
        self.calls = 0  # of the current candidate
        self.total = 0
        self.sent = False  # the caller has seen a part of the answer
        self.attempt: exchange.Attempt | None = None  # the last one, if anything was sent
        self.last: Failed | None = None  # what the last one that was asked said
        self.outcome: Failed | None = None  # of the last attempt; None: it answered
        self.unavailable = UpstreamUnavailable()
        self.refused: Failed | None = None  # why the first could not be told the request

    def worst(self) -> Failed:
        """What the caller is told when nobody answers."""
        return self.last or self.refused or Failed(self.unavailable, self.unavailable.status)

    @property
    def others(self) -> bool:
        return self.index + 1 < len(self.plan.targets)

    def move(self) -> None:
        self.index += 1
        self.calls = 0


def _seen(reply: Reply) -> bool:
    """Whether the caller learns anything from it. The end of a whole answer is to be learnt, too."""
    return isinstance(reply, Completed) or (isinstance(reply, Chunk) and reply.content)


def _told(failed: Failed, attempts: int) -> Failed:
    return replace(failed, http_headers={**failed.http_headers, ATTEMPTS: str(attempts)})


def _counted(reply: Reply, attempts: int) -> Reply:
    if not isinstance(reply, Started):
        return reply
    return replace(reply, http_headers={**reply.http_headers, ATTEMPTS: str(attempts)})
