"""Reads this process's partition of `llm.replies`, and `llm.control`, by manual assignment.

No group, so no rebalance: the slot is ours by configuration. One consumer carries both partitions
in one long-polling fetch. Its position is fixed before the first request is produced and never
moves back or ahead by itself: over an outage it goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from schemas.kafka import KafkaConfig, MissingPartition

log = structlog.get_logger()

Receive = Callable[[ConsumerRecord[bytes, bytes]], None]
FETCH_WAIT_MS = 500
_SLICE = 1 << 20  # bytes handed over before handlers get a turn to write them out
_PAUSE = 0.2  # seconds after an error
_CLOSE_TIMEOUT = 5.0


class Reader:
    """Feeds the records of some partitions to their receivers."""

    def __init__(
        self,
        kafka: KafkaConfig,
        client_id: str,
        receivers: dict[TopicPartition, Receive],
        lost: Callable[[TopicPartition], None],
    ) -> None:
        self._kafka = kafka
        self._client_id = client_id
        self._receivers = receivers
        self._lost = lost  # records of a partition are gone that we had not read
        self._consumer: AIOKafkaConsumer | None = None
        self.healthy = False

    async def start(self) -> None:
        """Connect and fix the positions at the end. KafkaError if the broker is away, MissingPartition."""
        consumer = AIOKafkaConsumer(
            **self._kafka.consumer_options(self._client_id),
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_max_bytes=8 << 20,
        )
        try:
            await consumer.start()
            for partition in self._receivers:
                await self._must_exist(consumer, partition)
            consumer.assign(list(self._receivers))
            await consumer.seek_to_end()
            for partition in self._receivers:
                await consumer.position(partition)
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer
        self.healthy = True

    async def _must_exist(self, consumer: AIOKafkaConsumer, wanted: TopicPartition) -> None:
        await consumer._client._wait_on_metadata(wanted.topic)
        found = consumer.partitions_for_topic(wanted.topic) or set()
        if wanted.partition not in found:
            raise MissingPartition(
                f"topic {wanted.topic} has {len(found)} partitions, partition {wanted.partition} is needed"
            )

    async def run(self) -> None:
        """Read until cancelled. Never raises: an error is a pause, the position stays."""
        assert self._consumer is not None
        while True:
            try:
                batches = await self._consumer.getmany(timeout_ms=1000, max_records=2000)
                self.healthy = True
            except OffsetOutOfRangeError as error:
                await self._skip_gap(error)
                continue
            except KafkaError as error:
                self.healthy = False
                log.warning("reply_fetch_failed", error=repr(error))
                await asyncio.sleep(_PAUSE)
                continue
            for partition, records in batches.items():
                await self._deliver(self._receivers[partition], records)

    async def _deliver(self, receive: Receive, records: list[ConsumerRecord[bytes, bytes]]) -> None:
        size = 0
        for record in records:
            receive(record)
            size += record.serialized_value_size
            if size > _SLICE:
                size = 0
                await asyncio.sleep(0)

    async def _skip_gap(self, error: OffsetOutOfRangeError) -> None:
        """Our position is no longer in the log: what is between is lost, go on at the end."""
        assert self._consumer is not None
        for partition in error.args[0]:
            log.error("reply_position_lost", topic=partition.topic, partition=partition.partition)
            self._lost(partition)
        try:
            await self._consumer.seek_to_end(*error.args[0])
        except KafkaError as failed:
            log.warning("reply_seek_failed", error=repr(failed))
            await asyncio.sleep(_PAUSE)

    async def stop(self) -> None:
        """Close the connection."""
        consumer, self._consumer = self._consumer, None
        self.healthy = False
        if consumer is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await consumer.stop()
        except (TimeoutError, KafkaError) as error:
            log.warning("reply_reader_close_failed", error=repr(error))
