"""The log as an operator reads it: topics from some time on up to now, without a group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.headers import Headers
from schemas.kafka import KafkaConfig
from sluice.topics import CONNECT_TIMEOUT, TopicsError, admin_client

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
Extents = Mapping[TopicPartition, range]
"""Of each partition the offsets that are to be read."""
Progress = Callable[[int], object]
"""Told how many offsets more are behind us."""

FETCH_BYTES = 4 << 20
_STEP_MS = 1000  # a fetch in which nothing came
_SILENT_STEPS = 15  # so many of them: the log does not answer
_CLIENT = "sluice-operations"


def untold(count: int) -> None:
    """Progress that nobody watches."""


class Log:
    """Connections to the log. Methods raise KafkaError, OSError or TimeoutError if it is away."""

    def __init__(
        self, kafka: KafkaConfig, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer
    ) -> None:
        self.topics = kafka.topics
        self.admin = admin
        self._kafka = kafka
        self._consumer = consumer
        self._producer: AIOKafkaProducer | None = None

    async def partitions(self, *topics: str) -> list[TopicPartition]:
        """All partitions of these topics; TopicsError names one that does not exist."""
        # Asked of all topics: to ask for one may create it.
        found = {each["topic"]: each["partitions"] for each in await self.admin.describe_topics()}
        if missing := [topic for topic in topics if topic not in found]:
            raise TopicsError(f"{missing[0]} does not exist: run `sluice topics create`")
        return [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(each["partition"] for each in found[topic])
        ]

    async def request_topics(self) -> list[str]:
        """The topic of requests, and those of its lanes."""
        first = self.topics.requests
        there = {each["topic"] for each in await self.admin.describe_topics()}
        return [first, *sorted(name for name in there if name.startswith(f"{first}."))]

    async def extents(
        self,
        partitions: Sequence[TopicPartition],
        since: float | None = None,
        until: float | None = None,
    ) -> dict[TopicPartition, range]:
        """What stands there now, from one time to another (epoch seconds) if they are given."""
        if not partitions:
            return {}
        firsts = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        starts = firsts if since is None else await self._at(partitions, since, ends)
        stops = ends if until is None else await self._at(partitions, until, ends)
        return {tp: range(max(firsts[tp], starts[tp]), stops[tp]) for tp in partitions}

    async def _at(
        self,
        partitions: Sequence[TopicPartition],
        seconds: float,
        ends: Mapping[TopicPartition, int],
    ) -> dict[TopicPartition, int]:
        asked = dict.fromkeys(partitions, max(0, int(seconds * 1000)))
        found = await self._consumer.offsets_for_times(asked)
        return {tp: found[tp].offset if found.get(tp) else ends[tp] for tp in partitions}

    async def records(
        self, extents: Extents, progress: Progress = untold
    ) -> AsyncGenerator[list[Record], None]:
        """What stands there, in pieces; to be iterated under `aclosing`."""
        places = {tp: offsets.start for tp, offsets in extents.items() if offsets}
        if not places:
            return
        consumer, silent = self._consumer, 0
        consumer.assign(list(places))
        for tp, offset in places.items():
            consumer.seek(tp, offset)
        try:
            while places:
                batches = await consumer.getmany(timeout_ms=_STEP_MS)
                yield [each for found in batches.values() for each in found if _in(extents, each)]
                moved = 0
                for tp, before in list(places.items()):
                    position, end = await consumer.position(tp), extents[tp].stop
                    moved += min(position, end) - before
                    places[tp] = position
                    if position >= end:
                        consumer.pause(tp)
                        del places[tp]
                progress(moved)
                silent = 0 if moved else silent + 1
                if silent == _SILENT_STEPS:
                    raise TimeoutError("the log does not answer")
        finally:
            consumer.unsubscribe()  # or it would fetch for ever what nobody reads

    async def record(self, partition: TopicPartition, offset: int) -> Record | None:
        """One record; None if it stands there no longer."""
        extents = await self.extents([partition])
        if offset not in extents[partition]:
            return None
        found: Record | None = None
        async with aclosing(self.records({partition: range(offset, offset + 1)})) as batches:
            async for batch in batches:
                found = next(iter(batch), found)
        return found

    async def follow(self, starts: Mapping[TopicPartition, int]) -> AsyncGenerator[Record, None]:
        """What stands from these offsets on, and what comes: without an end."""
        self._consumer.assign(list(starts))
        for tp, offset in starts.items():
            self._consumer.seek(tp, offset)
        while True:
            batches = await self._consumer.getmany(timeout_ms=_STEP_MS)
            found = [record for records in batches.values() for record in records]
            for record in sorted(found, key=lambda each: each.timestamp):
                yield record

    async def send(
        self, to: TopicPartition, value: bytes | None, key: bytes | None, headers: Headers
    ) -> None:
        """Returns when the log has acknowledged it."""
        if self._producer is None:
            self._producer = AIOKafkaProducer(**self._kafka.producer_options(_CLIENT))
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._producer.start()
        if key is None and value is None:
            key = b""  # aiokafka takes no record without both
        await self._producer.send_and_wait(
            to.topic, value, key=key, headers=headers, partition=to.partition
        )

    async def close(self) -> None:
        if self._producer is not None:
            await self._producer.stop()


def _in(extents: Extents, record: Record) -> bool:
    return record.offset in extents[TopicPartition(record.topic, record.partition)]


@asynccontextmanager
async def opened(kafka: KafkaConfig) -> AsyncIterator[Log]:
    """Connected while the block runs."""
    async with admin_client(kafka) as admin:
        consumer = AIOKafkaConsumer(
            **kafka.client_options(_CLIENT),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=200,
            fetch_max_bytes=4 * FETCH_BYTES,
            max_partition_fetch_bytes=FETCH_BYTES,
            consumer_timeout_ms=50,  # a seek is noticed so late at most
        )
        log = Log(kafka, admin, consumer)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await consumer.start()
            # Of a consumer whose tasks have not begun, `stop` would raise the cancellation of one.
            await asyncio.sleep(0)
            yield log
        finally:
            await log.close()
            await consumer.stop()
