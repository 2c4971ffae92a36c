"""What a worker has to do, as its heartbeat tells it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from msgspec.structs import replace

from schemas.control import Heartbeat
from streams.dispatcher import Dispatcher


class Consumes(Protocol):
    """What is asked of the consumer."""

    @property
    def ready(self) -> Iterable[Any]:
        """The partitions whose requests may start."""
        ...

    def lag(self, topic: str) -> int:
        """Records of a topic that were not delivered."""
        ...


def work(blank: Heartbeat, consumer: Consumes, lanes: Dispatcher) -> Heartbeat:
    """The heartbeat with partitions, requests and lag of both lanes."""
    interactive, batch = lanes.interactive, lanes.batch
    return replace(
        blank,
        partitions=_numbers(consumer.ready, interactive.topic),
        running=interactive.running,
        queued=interactive.count,
        lag=consumer.lag(interactive.topic),
        service_time=round(interactive.service_time, 6),
        batch_partitions=_numbers(consumer.ready, batch.topic),
        batch_running=batch.running,
        batch_queued=batch.count,
        batch_lag=consumer.lag(batch.topic),
    )


def _numbers(ready: Iterable[Any], topic: str) -> tuple[int, ...]:
    return tuple(sorted(tp.partition for tp in ready if tp.topic == topic))
