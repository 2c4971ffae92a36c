"""kill -9 of the broker under load: what was acknowledged is there, once if idempotent."""

import asyncio
from collections import Counter
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
        self.stopping = False
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

    async def _one(self, number: int) -> None:
        value = b"%d" % number + b"." * (number % 2000)
        told = await (await self.producer.send("x", value, partition=number % PARTITIONS))
        self.acknowledged[number] = (told.partition, told.offset)

    async def consume(self) -> None:
        while not self.stopping or len(self.consumed) < len(self.acknowledged):
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


@pytest.mark.parametrize("idempotent", [True, False])
async def test_kill_9_under_load_loses_no_acknowledged_record(
    tmp_path: Path, idempotent: bool
) -> None:
    """Three times killed: every acknowledged record is at its offset, none twice if idempotent.

    The clients are not restarted, and the consumer gets everything.
    """
    broker = BrokerProcess(tmp_path / "broker", free_port())
    broker.start()
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("x", PARTITIONS, 1)])
    await admin.close()
    load = Load(broker.bootstrap, idempotent=idempotent)
    await load.producer.start()
    await load.consumer.start()
    loop = asyncio.get_running_loop()
    running = [loop.create_task(load.produce()), loop.create_task(load.consume())]
    for _ in range(3):
        await load.grown(1_500)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
    await load.grown(500)
    load.stopping = True
    async with asyncio.timeout(60):
        await asyncio.gather(*running)
    await load.producer.stop()
    await load.consumer.stop()
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    stored = await everything(broker.bootstrap)
    await asyncio.to_thread(broker.close)
    assert broker.status == 0
    assert len(load.acknowledged) >= 5_000
    wrong = {n: p for n, p in load.acknowledged.items() if stored.get(p) != n}
    assert wrong == {}
    assert load.acknowledged.keys() <= load.consumed.keys()
    if idempotent:
        assert [n for n, times in Counter(stored.values()).items() if times > 1] == []
