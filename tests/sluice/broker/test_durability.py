"""kill -9 of the broker under load: what was acknowledged is there, once if idempotent."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from tests.services import free_port
from tests.sluice.broker.process import BrokerProcess

PARTITIONS = 4
Place = tuple[int, int]  # partition, offset


class Load:
    """A producer and a consumer that are never restarted."""

    def __init__(self, bootstrap: str, *, idempotent: bool) -> None:
        self.acknowledged: dict[int, Place] = {}
        self.consumed: Counter[int] = Counter()
        self.stopping = self.produced = False
        self.producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=idempotent,
            request_timeout_ms=30_000,
            retry_backoff_ms=50,
        )
        self.consumer = AIOKafkaConsumer(
            "x",
            bootstrap_servers=bootstrap,
            group_id="g",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=500,
            retry_backoff_ms=50,
        )

    async def produce(self) -> None:
        number = 0
        while not self.stopping:
            await asyncio.gather(*(self._one(number + i) for i in range(40)))
            number += 40
        self.produced = True

    async def _one(self, number: int) -> None:
        value = b"%d" % number + b"." * (number % 2000)
        told = await (await self.producer.send("x", value, partition=number % PARTITIONS))
        self.acknowledged[number] = (told.partition, told.offset)

    async def consume(self) -> None:
        while not (self.produced and self.acknowledged.keys() <= self.consumed.keys()):
            try:
                batches = await self.consumer.getmany(timeout_ms=100)
                for records in batches.values():
                    self.consumed.update(int(r.value.split(b".")[0]) for r in records)
                if batches:
                    await self.consumer.commit()
            except KafkaError:  # the broker is away, or took another generation back
                continue

    async def grown(self, count: int) -> None:
        """Until that many more records are acknowledged."""
        goal = len(self.acknowledged) + count
        async with asyncio.timeout(60):
            while len(self.acknowledged) < goal:  # noqa: ASYNC110  # both sides of a race
                await asyncio.sleep(0.01)


async def everything(bootstrap: str) -> dict[Place, int]:
    """The whole topic: which record stands where."""
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await reader.start()
    places = [TopicPartition("x", n) for n in range(PARTITIONS)]
    reader.assign(places)
    ends = await reader.end_offsets(places)
    found: dict[Place, int] = {}
    for place in places:
        reader.seek(place, 0)
    async with asyncio.timeout(60):
        while len(found) < sum(ends.values()):
            for place, records in (await reader.getmany(timeout_ms=200)).items():
                for record in records:
                    found[place.partition, record.offset] = int(record.value.split(b".")[0])
    await reader.stop()
    return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker of its own with a topic."""
    process = BrokerProcess(tmp_path / "broker", free_port())
    process.start()
    yield process
    process.kill()


async def make_topic(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("x", PARTITIONS, 1)])
    await admin.close()


@asynccontextmanager
async def load_on(bootstrap: str, *, idempotent: bool) -> AsyncIterator[Load]:
    """Load that runs until it is told to stop; then all of it has been consumed."""
    load = Load(bootstrap, idempotent=idempotent)
    await load.producer.start()
    await load.consumer.start()
    try:
        async with asyncio.TaskGroup() as running:
            running.create_task(load.produce())
            running.create_task(load.consume())
            yield load
            load.stopping = True
    finally:
        await load.consumer.stop()
        await load.producer.stop()


@pytest.mark.parametrize("idempotent", [True, False])
def test_kill_9_under_load_loses_no_acknowledged_record(
    broker: BrokerProcess, idempotent: bool
) -> None:
    """Three times killed: every acknowledged record is at its offset, none twice if idempotent.

    The clients are not restarted, and the consumer gets everything. They run on asyncio's own
    loop: on uvloop, aiokafka 0.14 loses its metadata task when it writes to a closed transport.
    """
    load, stored = asyncio.run(scenario(broker, idempotent=idempotent))
    assert len(load.acknowledged) >= 5_000
    wrong = {n: p for n, p in load.acknowledged.items() if stored.get(p) != n}
    assert wrong == {}
    if idempotent:
        assert [n for n, times in Counter(stored.values()).items() if times > 1] == []


async def scenario(broker: BrokerProcess, *, idempotent: bool) -> tuple[Load, dict[Place, int]]:
    """The load, and what the log holds after one more kill."""
    await make_topic(broker.bootstrap)
    async with asyncio.timeout(120), load_on(broker.bootstrap, idempotent=idempotent) as load:
        for _ in range(3):
            await load.grown(1_500)
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
        await load.grown(500)
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    return load, await everything(broker.bootstrap)
