"""Asks one candidate after the other until one answers, and lets the caller see one answer only."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import aclosing

from msgspec.structs import replace

from schemas.clock import Clock
from schemas.errors import GatewayError
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from streams.routing.attempts import Attempts, Run
from streams.routing.config import RoutingConfig
from streams.routing.policy import Failure, follow
from streams.routing.router import Router
from streams.stages import Call, Handler, Replies, Stage
from streams.stages.resuming import Resuming

ATTEMPTS = "sluice-attempts"
UPSTREAM_MS = "sluice-upstream-ms"
OVERHEAD_MS = "sluice-overhead-ms"


def failover(
    router: Router, attempts: Attempts, config: RoutingConfig, clock: Clock, metrics: Metrics
) -> Stage:
    """The stage; it hands each candidate in as `Call.target`."""
    return lambda handler: Failover(handler, router, attempts, config, clock, metrics)


class Failover:
    """A Handler around an attempt at one target."""

    def __init__(
        self,
        handler: Handler,
        router: Router,
        attempts: Attempts,
        config: RoutingConfig,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._handler = handler
        self._router = router
        self._attempts = attempts
        self._config = config
        self._clock = clock
        self._resuming = Resuming(handler, attempts, metrics)
        self._retries = metrics.counter("sluice_retries")
        self._failovers = metrics.counter("sluice_failovers")

    def __call__(self, call: Call) -> Replies:
        if call.request.relay is not None:
            return self._handler(call)  # it goes to one provider, as it is, once
        try:
            run = Run(self._router.plan(call))
        except GatewayError as error:
            return _refused(error)
        call.rule = run.plan.rule
        return self._answered(call, run)

    async def _answered(self, call: Call, run: Run) -> Replies:
        while await self._goes_on(call, run) and await self._attempts.begin(call, run):
            try:
                async with aclosing(self._handler(call)) as replies:
                    async for reply in replies:
                        if run.sent and type(reply) is Chunk:  # nearly all of a stream
                            run.keep(reply.data)
                            yield reply
                            continue
                        for seen in self._seen(call, run, reply):
                            yield seen
            finally:
                self._attempts.end(call, run)
            if isinstance(run.end, Completed):
                return
            if run.sent:
                async with aclosing(self._resuming.ended(call, run)) as replies:
                    async for reply in replies:
                        yield reply
                return
        failed = run.worst()
        yield replace(failed, http_headers=self._headers(call, run, failed.http_headers))

    def _seen(self, call: Call, run: Run, reply: Reply) -> Sequence[Reply]:
        """What of it the caller sees now. Nothing is shown before there is something to see: until then
        another candidate can answer instead."""
        if isinstance(reply, Failed):
            run.end = reply
            return ()
        if isinstance(reply, Completed):
            run.end = reply
            return (reply,) if run.sent else [*self._released(call, run), reply]
        run.held.append(reply)
        if not (call.streamed and isinstance(reply, Chunk) and reply.content):
            return ()
        run.sent = True
        self._attempts.answering(run)
        return self._released(call, run)

    def _released(self, call: Call, run: Run) -> list[Reply]:
        """What was held back until now, with what is known by now."""
        held, run.held = run.held, []
        for index, reply in enumerate(held):
            if isinstance(reply, Started):
                if reply.http_headers:
                    self._attempts.spare(run, reply.http_headers)
                headers = self._headers(call, run, reply.http_headers)
                held[index] = replace(reply, http_headers=headers)
            elif isinstance(reply, Chunk):
                run.keep(reply.data)
        return held

    def _headers(self, call: Call, run: Run, headers: dict[str, str]) -> dict[str, str]:
        """With how often providers were called, how long that took until now, and what we added."""
        upstream = 0.0
        if call.upstream_started is not None:
            upstream = self._clock.monotonic() - call.upstream_started
        # Clocks of two machines differ.
        overhead = max(0.0, self._clock.time() - call.request.created - upstream)
        return {
            **headers,
            ATTEMPTS: str(run.total),
            UPSTREAM_MS: f"{upstream * 1000:.1f}",
            OVERHEAD_MS: f"{overhead * 1000:.1f}",
        }

    async def _goes_on(self, call: Call, run: Run) -> bool:
        """Whether there is another call, after the wait that it takes."""
        failed = run.end
        if failed is None and not run.asked_any:
            return True
        if not isinstance(failed, Failed):
            raise RuntimeError("the handler ended without a terminal reply")
        if run.attempt is None:
            # Another may understand what this one cannot be told.
            run.refused = run.refused or failed
            run.move()
            return run.index < len(run.plan.targets)
        run.last = failed
        failure = Failure(
            failed.error,
            run.attempt.status,
            run.calls,
            run.others,
            run.asked,
            free_key=self._attempts.free_key(run),
        )
        retry = self._config.retry
        if self._config.retries and run.target is not None:
            retry = self._config.retries.get(run.target.instance, retry)
        # Not for secrets: it spreads calls that failed at once.
        chance = random.random()
        found = follow(failure, run.total - 1, retry, run.plan.triggers, chance)
        if found.step == "stop" or not self._attempts.in_time(call, found.wait):
            return False
        self._retries.inc()
        if found.step == "next":
            self._failovers.inc()
            run.move()
        if found.wait:
            await asyncio.sleep(found.wait)
        return True


async def _refused(error: GatewayError) -> Replies:
    yield Failed(error, error.status)
