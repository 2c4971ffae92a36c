"""One test's topics on a log, a store that does as it is told, and a runner between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.clock import SystemClock
from schemas.exchange import Exchange
from schemas.headers import Headers
from schemas.kafka import KafkaConfig
from schemas.metrics import Metrics
from schemas.tasks import Tasks
from schemas.topics import MAX_EXCHANGE_BYTES, Topics
from sinks.base import Backpressure, Refused, Sink
from sinks.config import SinkConfig
from sinks.document import Document
from sinks.runner import Runner
from tests.sinks.samples import record

PARTITIONS = 4
DEADLINE = 60.0  # seconds


async def eventually(
    condition: Callable[[], Awaitable[bool] | bool], what: str, seconds: float = DEADLINE
) -> None:
    """Wait until the condition holds; the test fails if it does not in time."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                holds = condition()
                if holds if isinstance(holds, bool) else await holds:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None


class MemorySink:
    """A store in memory. While `away` it takes nothing; while `gate` is closed a write does not end."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.batches: list[int] = []
        self.refused: set[str] = set()
        self.away = False
        self.attempts = 0
        self.closed = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.writing = asyncio.Event()

    async def open(self) -> None:
        self._check()

    async def write(self, batch: Sequence[Document]) -> None:
        self.attempts += 1
        self._check()
        self.writing.set()
        await self.gate.wait()
        for found in batch:
            if found.request_id not in self.refused:
                self.documents.setdefault(found.request_id, found)
        self.batches.append(len(batch))
        if reasons := {f.request_id: "told to" for f in batch if f.request_id in self.refused}:
            raise Refused(reasons)

    async def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.away:
            raise Backpressure(0.01, "told to be away")


class Cluster:
    """Topics of one test."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.kafka = KafkaConfig(bootstrap_servers=bootstrap, topics=Topics(prefix))
        self.topics = self.kafka.topics

    async def create(self) -> None:
        admin = AIOKafkaAdminClient(**self.kafka.client_options("tests"))
        await admin.start()
        large = {"max.message.bytes": str(MAX_EXCHANGE_BYTES)}
        await admin.create_topics(
            [
                NewTopic(self.topics.exchanges, PARTITIONS, 1, topic_configs=large),
                NewTopic(self.topics.dead_letters, 1, 1, topic_configs=large),
                NewTopic(self.topics.control, 1, 1),
            ]
        )
        await admin.close()

    async def produce(self, *found: Exchange, partition: int | None = None) -> None:
        records = [record(each) for each in found]
        await self.produce_records(
            ((key, value, headers) for key, value, headers in records), partition
        )

    async def produce_records(
        self, records: Iterable[tuple[bytes, bytes | None, Headers]], partition: int | None = None
    ) -> None:
        producer = AIOKafkaProducer(**self.kafka.producer_options("tests"))
        await producer.start()
        try:
            sent = [
                await producer.send(
                    self.topics.exchanges, value, key=key, headers=headers, partition=partition
                )
                for key, value, headers in records
            ]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    async def records(self, topic: str) -> list[ConsumerRecord]:
        """All records of a topic with one partition."""
        async with self._reader() as consumer:
            partition = TopicPartition(topic, 0)
            consumer.assign([partition])
            end = (await consumer.end_offsets([partition]))[partition]
            found: list[ConsumerRecord] = []
            while await consumer.position(partition) < end:
                polled = await consumer.getmany(timeout_ms=500)
                found += polled.get(partition, [])
            return found

    async def committed(self, store: str = "sqlite") -> tuple[int, int]:
        """How many exchanges are committed by the group, and how many there are."""
        async with self._reader(self.topics.group(f"sinks.{store}")) as consumer:
            partitions = [TopicPartition(self.topics.exchanges, n) for n in range(PARTITIONS)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            done = [await consumer.committed(partition) or 0 for partition in partitions]
            return sum(done), sum(ends.values())

    @asynccontextmanager
    async def _reader(self, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            **self.kafka.client_options("tests"),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()


class Running:
    """A runner at work."""

    def __init__(self, runner: Runner, tasks: Tasks, metrics: Metrics) -> None:
        self.stop = asyncio.Event()
        self.joined = asyncio.Event()
        self.ready_calls = 0
        self.metrics = metrics
        self.task = tasks.start(runner.run(self.stop, self._ready), name="runner")

    def _ready(self) -> None:
        self.ready_calls += 1
        self.joined.set()

    async def end(self) -> None:
        self.stop.set()
        async with asyncio.timeout(DEADLINE):
            await self.task


@asynccontextmanager
async def running(cluster: Cluster, sink: Sink, **options: Any) -> AsyncIterator[Running]:
    """Run a sink on the cluster until the block ends; waits until it has joined."""
    config = SinkConfig(**{"batch_wait": 0.05, "batch_size": 100, "retention_days": 0} | options)
    metrics, tasks = Metrics(), Tasks()
    runner = Runner(config, cluster.kafka, SystemClock(), metrics, sink)
    found = Running(runner, tasks, metrics)
    try:
        yield found
    finally:
        found.stop.set()
        if await tasks.drain(DEADLINE):
            await tasks.abort()
            raise AssertionError("the runner did not stop")
    assert found.task.cancelled() or found.task.exception() is None
