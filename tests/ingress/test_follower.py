"""Slots that are fed from any partition of the replies, live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from ingress.follower import Follower
from ingress.replies import Slot
from schemas.errors import Expired, Interrupted
from schemas.kafka import KafkaConfig
from schemas.replies import Head, ReplyRecord, to_headers
from tests.ingress.conftest import until

HEAD = Head(200, "text/event-stream")


class Replying:
    """A follower that runs, and a worker that answers."""

    def __init__(self, kafka: KafkaConfig, follower: Follower, producer: AIOKafkaProducer) -> None:
        self.topic = kafka.topics.replies
        self.follower = follower
        self._producer = producer

    def place(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)

    async def put(self, key: bytes, seq: int, *, partition: int = 0, last: bool = False) -> int:
        """One record; its offset."""
        kind, count = ("completed", seq + 1) if last else ("chunk", None)
        head = None if seq else HEAD
        record = ReplyRecord(kind, 1, seq, b"%d" % seq, head, count)  # type: ignore[arg-type]
        found = await self._producer.send_and_wait(
            self.topic, record.value, key=key, partition=partition, headers=to_headers(record, None)
        )
        return int(found.offset)


@pytest.fixture
async def replying(kafka: KafkaConfig) -> AsyncIterator[Replying]:
    follower = Follower(kafka, "test")
    running = asyncio.create_task(follower.run())
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        yield Replying(kafka, follower, producer)
    running.cancel()
    await asyncio.wait((running,))
    await follower.stop()


def slot(key: bytes) -> Slot:
    found = Slot(key, 1000, lambda: None)
    found.accept()
    found.deadline = found.due = 1e12
    return found


async def test_several_follow_what_they_want(replying: Replying) -> None:
    """Two wait for the same answer, one for another of another partition; each gets its own whole."""
    twice, other = [slot(b"a"), slot(b"a")], slot(b"b")
    async with AsyncExitStack() as block:
        for each in twice:
            block.enter_context(replying.follower.following(each, replying.place(0), 0))
        block.enter_context(replying.follower.following(other, replying.place(1), 0))
        assert len(replying.follower) == 3
        for seq in range(3):
            await replying.put(b"a", seq, last=seq == 2)
            await replying.put(b"b", seq, partition=1, last=seq == 2)
            await replying.put(b"c", seq)
        await until(lambda: all(each.ended for each in (*twice, other)))

    assert [each.take() for each in (*twice, other)] == [b"012"] * 3
    assert len(replying.follower) == 0


async def test_who_joins_later_gets_what_came_before(replying: Replying) -> None:
    """The partition is read again from where it wants; who had that is not disturbed."""
    first, second = slot(b"a"), slot(b"b")
    with replying.follower.following(first, replying.place(0), 0):
        begun = await replying.put(b"b", 0)
        for seq in range(3):
            await replying.put(b"a", seq)
        await until(lambda: first.records == 3)
        with replying.follower.following(second, replying.place(0), begun):
            await until(lambda: second.records == 1)
            await replying.put(b"a", 3, last=True)
            await replying.put(b"b", 1, last=True)
            await until(lambda: first.ended and second.ended)

    assert (first.take(), second.take()) == (b"0123", b"01")


async def test_it_rests_and_comes_again(replying: Replying) -> None:
    """Without anybody to follow it is not connected."""
    for _ in range(2):
        one = slot(b"a")
        with replying.follower.following(one, replying.place(0), 0):
            await replying.put(b"a", 0, last=True)
            await until(lambda: one.ended)  # noqa: B023  # awaited within the loop
        await until(lambda: replying.follower._consumer is None)


async def test_what_is_not_there_interrupts(replying: Replying) -> None:
    """An offset that the log does not have: whoever wanted it is told."""
    one = slot(b"a")
    with replying.follower.following(one, replying.place(0), 1000):
        await until(lambda: one.error is not None)

    assert isinstance(one.error, Interrupted)


async def test_times_and_stops_reach_all(replying: Replying) -> None:
    """Deadlines are looked at, and a stop interrupts."""
    one, two = slot(b"a"), slot(b"b")
    one.deadline = one.due = 5.0
    with (
        replying.follower.following(one, replying.place(0), 0),
        replying.follower.following(two, replying.place(0), 0),
    ):
        replying.follower.tick(6.0)
        replying.follower.interrupt(Interrupted())

    assert isinstance(one.error, Expired)
    assert isinstance(two.error, Interrupted)
