"""Several stores at once: each with a consumer group, offsets and an outage of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from schemas.clock import Clock
from schemas.kafka import KafkaConfig
from schemas.metrics import Metrics
from schemas.tasks import Tasks
from schemas.tracing import Tracer
from sinks.config import SinkConfig
from sinks.runner import Runner, made


class Several:
    """One runner for each store. None waits for another; a fault of ours in one ends all, so that the
    process is started again."""

    def __init__(
        self, configs: Sequence[SinkConfig], kafka: KafkaConfig, clock: Clock, metrics: Metrics
    ) -> None:
        self._runners: list[Runner] = [made(each, kafka, clock, metrics) for each in configs]
        self._topic = kafka.topics.exchanges
        # In place of what each of them says alone: the store that is furthest behind.
        metrics.gauges("sluice_consumer_lag", self._lags)

    def trace(self, tracer: Tracer | None) -> None:
        """Before `run`."""
        for each in self._runners:
            each.tracer = tracer

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Until `stop` is set; `ready` is called once, when each store's consumer has partitions."""
        waiting = len(self._runners)

        def joined() -> None:
            nonlocal waiting
            waiting -= 1
            if not waiting:
                ready()

        tasks = Tasks()
        running = [
            tasks.start(each.run(stop, joined), name=f"sink {each.store}") for each in self._runners
        ]
        try:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
            for ended in done:
                ended.result()
        finally:
            await tasks.abort()

    def _lags(self) -> list[tuple[tuple[str, str], float]]:
        highest: dict[int, int] = {}
        for each in self._runners:
            for partition, lag in each.lag.items():
                highest[partition] = max(lag, highest.get(partition, 0))
        return [((self._topic, str(each)), float(lag)) for each, lag in highest.items()]
