"""Reading by manual assignment: from the end, and on after what was lost."""

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from ingress.reader import Reader
from schemas.kafka import KafkaConfig
from tests.ingress.conftest import until


class Received(list[bytes | None]):
    def __call__(self, record: ConsumerRecord[bytes, bytes]) -> None:
        self.append(record.value)


async def reading(kafka: KafkaConfig, act: Callable[..., object]) -> tuple[Received, list[object]]:
    received, lost = Received(), list[object]()
    partition = TopicPartition(kafka.topics.replies, 1)
    reader = Reader(kafka, "test", {partition: received}, lost.append)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:

        async def produce(value: bytes) -> None:
            await producer.send_and_wait(partition.topic, value, partition=1)

        await produce(b"before")
        await reader.start()
        running: list[asyncio.Task[None]] = []
        try:
            await act(produce, lambda: running.append(asyncio.create_task(reader.run())))  # type: ignore[misc]
            await until(lambda: b"last" in received)
        finally:
            for task in running:
                task.cancel()
            await reader.stop()
    return received, lost


async def test_only_what_comes_after_the_start_is_read(kafka: KafkaConfig) -> None:
    """The position is fixed by `start`, not by the first fetch."""

    async def act(produce: Callable[..., object], run: Callable[[], None]) -> None:
        await produce(b"between")  # type: ignore[misc]
        run()
        await produce(b"last")  # type: ignore[misc]

    received, lost = await reading(kafka, act)

    assert received == [b"between", b"last"]
    assert lost == []


async def test_a_position_that_is_gone_is_told(kafka: KafkaConfig) -> None:
    """Records deleted before they were read: the receiver's owner hears of it, reading goes on."""

    async def act(produce: Callable[..., object], run: Callable[[], None]) -> None:
        for number in range(50):
            await produce(b"%d" % number)  # type: ignore[misc]
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        partition = TopicPartition(kafka.topics.replies, 1)
        await admin.delete_records({partition: RecordsToDelete(before_offset=50)})
        await admin.close()
        run()
        async with asyncio.timeout(10):
            while True:
                await produce(b"last")  # type: ignore[misc]
                await asyncio.sleep(0.1)
                if told:
                    break
        await produce(b"last")  # type: ignore[misc]

    told: list[object] = []
    original = Reader._skip_gap

    async def skip(self: Reader, error: object) -> None:
        await original(self, error)  # type: ignore[arg-type]
        told.append(error)

    Reader._skip_gap = skip  # type: ignore[assignment,method-assign]
    try:
        received, lost = await reading(kafka, act)
    finally:
        Reader._skip_gap = original  # type: ignore[method-assign]

    assert lost == [TopicPartition(kafka.topics.replies, 1)]
    assert b"48" not in received
