"""Everything a worker writes to Kafka: two producers, and what to do when the log is away."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError
from aiokafka.structs import RecordMetadata

from schemas.clock import Clock
from schemas.headers import Headers
from schemas.kafka import KafkaConfig

log = structlog.get_logger()

RETRY_FIRST = 0.05  # seconds
RETRY_MOST = 2.0
CHUNK_LINGER_MS = 4
TOPIC_TIMEOUT = 2.0
UNKNOWN_FOR = 60.0
MOST_UNKNOWN = 1000


class Undeliverable(Exception):
    """The broker will never take this record: unknown topic or partition, too large, not allowed."""


class Log:
    """The prompt producer (linger 0, acks=all) and the chunk producer (linger 4 ms, acks=1).

    `write` promises: it returns when the record is acknowledged, however long the broker is away.
    """

    def __init__(self, kafka: KafkaConfig, clock: Clock) -> None:
        self._kafka = kafka
        self._clock = clock
        self._known = {kafka.topics.replies}
        self._unknown: dict[str, float] = {}  # until when (monotonic) nobody asks again
        self.prompt: AIOKafkaProducer
        self.chunks: AIOKafkaProducer

    async def open(self) -> None:
        options = self._kafka.producer_options("sluice-streams")
        self.prompt = AIOKafkaProducer(**options)
        self.chunks = AIOKafkaProducer(**options | {"acks": 1, "linger_ms": CHUNK_LINGER_MS})
        await self.prompt.start()
        await self.chunks.start()

    async def close(self) -> None:
        await self.chunks.stop()
        await self.prompt.stop()

    async def has(self, topic: str) -> bool:
        """Whether a topic exists. Asked before a caller's own reply topic is used: a producer looks for
        an unknown one for 15 s, and its request would wait as long for its outcome.
        """
        if topic in self._known:
            return True
        if self._clock.monotonic() < self._unknown.get(topic, 0.0):
            return False
        client = self.prompt.client
        try:
            async with asyncio.timeout(TOPIC_TIMEOUT):
                await client.add_topic(topic)
                if not await client.force_metadata_update():
                    return (
                        True  # nobody could be asked: the record waits for the log like any other
                    )
        except (TimeoutError, KafkaError):
            return True
        if client.cluster.partitions_for_topic(topic):
            self._known.add(topic)
            return True
        client._topics.discard(topic)  # or it would ask for ever
        if len(self._unknown) >= MOST_UNKNOWN:
            self._unknown.clear()
        self._unknown[topic] = self._clock.monotonic() + UNKNOWN_FOR
        return False

    async def write(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None,
        headers: Headers,
        partition: int | None = None,
    ) -> RecordMetadata:
        """Produce one record and wait until it is acknowledged; Undeliverable if it never can be."""
        wait = RETRY_FIRST
        while True:
            try:
                return await self._once(topic, value, key, headers, partition)
            except KafkaError as error:
                if not _passing(error):
                    raise Undeliverable(repr(error)) from error
                log.warning("produce_failed", topic=topic, error=repr(error), retry_in=wait)
            except AssertionError as error:  # aiokafka's answer to a partition that does not exist
                raise Undeliverable(str(error)) from error
            await asyncio.sleep(wait)
            wait = min(wait * 2, RETRY_MOST)

    async def _once(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers,
        partition: int | None,
    ) -> RecordMetadata:
        sent: Any = await self.prompt.send(
            topic, value, key=key, partition=partition, headers=headers
        )
        return await sent


def _passing(error: KafkaError) -> bool:
    """Whether waiting can help: not with a topic that a reachable broker does not know."""
    if isinstance(error, UnknownTopicOrPartitionError):
        return False
    return bool(error.retriable) or isinstance(error, KafkaTimeoutError)
