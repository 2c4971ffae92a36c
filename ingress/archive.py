"""Reads what stands in the log, from some time on up to the present end: for those who come later.

A few consumers without a group, used again; one look-up has one of them for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from ingress.producer import RETRY_AFTER
from schemas.errors import LogUnavailable
from schemas.kafka import KafkaConfig

log = structlog.get_logger()

PLACES = 8  # look-ups at once
IDLE = 2  # consumers that are kept when nobody looks anything up
FETCH_BYTES = 4 << 20
_STEP_MS = 1000  # a fetch in which nothing came
_STEPS = 5  # so many of them: the log does not answer
_CLOSE_TIMEOUT = 5.0


class Extent(Struct, frozen=True):
    """Offsets of a partition."""

    first: int  # what stood below is deleted
    start: int  # where the time in question begins
    end: int

    @property
    def cut(self) -> bool:
        """Whether records of that time may have been deleted."""
        return self.start == self.first > 0


class Reading:
    """One partition, in the hands of one look-up."""

    def __init__(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        self._consumer = consumer
        self._partition = partition

    async def since(self, milliseconds: int) -> Extent:
        """The extent that begins with the first record of that time or later."""
        consumer, tp = self._consumer, self._partition
        first = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        found = (await consumer.offsets_for_times({tp: milliseconds}))[tp]
        start = end if found is None else max(first, found.offset)
        return Extent(first, min(start, end), end)

    async def records(
        self, start: int, end: int
    ) -> AsyncGenerator[list[ConsumerRecord[bytes, bytes]], None]:
        """What stands there, in pieces; to be iterated under `aclosing`."""
        consumer, tp = self._consumer, self._partition
        consumer.seek(tp, start)
        silent = 0
        while (position := await consumer.position(tp)) < end:
            found = (await consumer.getmany(tp, timeout_ms=_STEP_MS)).get(tp, [])
            yield [record for record in found if record.offset < end]
            silent = 0 if await consumer.position(tp) > position else silent + 1
            if silent == _STEPS:
                raise LogUnavailable(_SILENT, retry_after=RETRY_AFTER)


_SILENT = "The request log cannot be read at the moment."


class Archive:
    """Hands out readings."""

    def __init__(self, kafka: KafkaConfig, client_id: str) -> None:
        self._kafka = kafka
        self._client_id = client_id
        self._places = asyncio.Semaphore(PLACES)
        self._idle: list[AIOKafkaConsumer] = []

    @asynccontextmanager
    async def reading(self, topic: str, partition: int) -> AsyncIterator[Reading]:
        """A partition while the block runs; LogUnavailable if it cannot be read."""
        async with self._places:
            consumer: AIOKafkaConsumer | None = None
            try:
                consumer = self._idle.pop() if self._idle else await self._connect()
                tp = TopicPartition(topic, partition)
                consumer.assign([tp])
                yield Reading(consumer, tp)
                consumer.unsubscribe()  # or it would fetch for ever what nobody reads
                if len(self._idle) < IDLE:
                    self._idle.append(consumer)
                    consumer = None
            except KafkaError as error:
                log.warning("log_unreadable", error=repr(error))
                raise LogUnavailable(_SILENT, retry_after=RETRY_AFTER) from error
            finally:
                if consumer is not None:
                    await _stop(consumer)

    async def _connect(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            **self._kafka.client_options(self._client_id),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=FETCH_BYTES,
            request_timeout_ms=5_000,
            consumer_timeout_ms=50,  # a seek is noticed so late at most
        )
        try:
            await consumer.start()
        except BaseException:
            await _stop(consumer)
            raise
        return consumer

    async def stop(self) -> None:
        """Close the connections."""
        idle, self._idle = self._idle, []
        for consumer in idle:
            await _stop(consumer)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            await consumer.stop()
    except (TimeoutError, KafkaError) as error:
        log.warning("archive_close_failed", error=repr(error))
