"""What stands in the log, read from some time on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from ingress.archive import IDLE, Archive, Extent, Reading
from schemas.errors import LogUnavailable
from schemas.kafka import KafkaConfig

BEGAN = 1_700_000_000_000  # milliseconds


@pytest.fixture
async def archive(kafka: KafkaConfig) -> AsyncIterator[Archive]:
    found = Archive(kafka, "test")
    yield found
    await found.stop()


async def produce(kafka: KafkaConfig, values: Iterable[bytes]) -> None:
    """One record each second from BEGAN on, in partition 1."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        for number, value in enumerate(values):
            await producer.send_and_wait(
                kafka.topics.replies, value, partition=1, timestamp_ms=BEGAN + 1000 * number
            )


async def delete(kafka: KafkaConfig, before: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    place = TopicPartition(kafka.topics.replies, 1)
    await admin.delete_records({place: RecordsToDelete(before_offset=before)})
    await admin.close()


async def values(reading: Reading, start: int, end: int) -> list[bytes | None]:
    async with aclosing(reading.records(start, end)) as pieces:
        return [record.value async for piece in pieces for record in piece]


@pytest.mark.parametrize(
    ("second", "expected"),
    [(-5, Extent(0, 0, 5)), (0, Extent(0, 0, 5)), (2, Extent(0, 2, 5)), (9, Extent(0, 5, 5))],
)
async def test_a_time_is_a_place(
    kafka: KafkaConfig, archive: Archive, second: int, expected: Extent
) -> None:
    """The first record of that time or later; behind the last one stands the end."""
    await produce(kafka, [b"%d" % number for number in range(5)])

    async with archive.reading(kafka.topics.replies, 1) as reading:
        found = await reading.since(BEGAN + 1000 * second)

    assert found == expected
    assert not found.cut


async def test_what_was_deleted_is_told(kafka: KafkaConfig, archive: Archive) -> None:
    """A time before the first record may have had some; a later one has all of its own."""
    await produce(kafka, [b"%d" % number for number in range(5)])
    await delete(kafka, 3)

    async with archive.reading(kafka.topics.replies, 1) as reading:
        before, at, after = [await reading.since(BEGAN + 1000 * second) for second in (1, 3, 4)]
        read = await values(reading, 0, before.end)

    assert (before, before.cut) == (Extent(3, 3, 5), True)
    assert at.cut  # nobody knows what stood right before it
    assert (after, after.cut) == (Extent(3, 4, 5), False)
    assert read == [b"3", b"4"]


async def test_a_range_is_read_to_its_end(kafka: KafkaConfig, archive: Archive) -> None:
    """Large ones in several pieces; what came later is not in it; an empty one is nothing."""
    large = [b"%d" % number + bytes(700_000) for number in range(9)]
    await produce(kafka, large)

    async with archive.reading(kafka.topics.replies, 1) as reading:
        assert await values(reading, 2, 8) == large[2:8]
        assert await values(reading, 5, 5) == []


async def test_consumers_are_used_again(kafka: KafkaConfig, archive: Archive) -> None:
    """And no more of them are kept than are of use."""
    await produce(kafka, [b"x"])
    for _ in range(3):
        async with archive.reading(kafka.topics.replies, 1) as reading:
            assert await values(reading, 0, 1) == [b"x"]
    assert len(archive._idle) == 1

    block = [archive.reading(kafka.topics.replies, 1) for _ in range(4)]
    for each in block:
        await each.__aenter__()
    for each in block:
        await each.__aexit__(None, None, None)

    assert len(archive._idle) == IDLE


async def test_a_log_that_is_away_says_so(kafka: KafkaConfig) -> None:
    """LogUnavailable, with a time to come again."""
    from msgspec.structs import replace

    archive = Archive(replace(kafka, bootstrap_servers="127.0.0.1:1"), "test")

    with pytest.raises(LogUnavailable) as caught:
        async with archive.reading(kafka.topics.replies, 1):
            pass

    assert caught.value.retry_after
