"""Requests that are moved forward."""

import asyncio
from typing import Any

from schemas.metrics import Metrics
from schemas.tasks import Tasks
from schemas.topics import Topics
from streams.delivery import Delivery, parse
from streams.log import Undeliverable
from streams.moving import Mover
from tests.streams.fakes import record


class Bench:
    """A mover whose log takes records, or does not."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.records: list[dict[str, Any]] = []
        self.tasks = Tasks()
        self.crashes: list[BaseException] = []
        self.mover = Mover(self, self.tasks, Metrics())  # type: ignore[arg-type]
        self.mover.fatal = self.crashes.append

    async def write(self, topic: str, value: bytes | None, **kwargs: Any) -> None:
        if self.error is not None:
            raise self.error
        self.records.append({"topic": topic, "value": value, **kwargs})

    async def move(self, delivery: Delivery, times: int = 1) -> None:
        delivery.started = True
        for _ in range(times):
            self.mover.move(delivery, delivery.position)
        await self.tasks.drain(5)
        await asyncio.sleep(0)


async def test_a_request_is_produced_again_where_it_stood() -> None:
    """On its own topic and partition, under its id, once, until the copy has come."""
    bench = Bench()
    delivery = parse(record(5, topic=Topics().batch))
    await bench.move(delivery, times=2)

    (copy,) = bench.records
    assert (copy["topic"], copy["partition"]) == (Topics().batch, 0)
    assert ("sluice-request-id", b"llm.requests.batch-0-5") in copy["headers"]
    assert delivery.moving


async def test_what_has_not_started_is_not_moved() -> None:
    """It waits in this worker, and whoever gets the partition next is given it."""
    bench = Bench()
    delivery = parse(record(5))
    bench.mover.move(delivery, delivery.position)
    assert (bench.records, delivery.moving) == ([], False)


async def test_a_record_that_is_too_large_goes_on_pinning() -> None:
    """It is not tried again and again."""
    bench = Bench(Undeliverable("too large"))
    delivery = parse(record(5))
    await bench.move(delivery)
    assert (bench.crashes, delivery.moving) == ([], True)


async def test_a_log_that_fails_for_good_ends_the_worker() -> None:
    """As does every effect that fails."""
    bench = Bench(RuntimeError("gone"))
    await bench.move(parse(record(5)))
    assert [str(error) for error in bench.crashes] == ["gone"]
