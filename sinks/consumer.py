"""The sink's end of the log: one consumer of `llm.exchanges`, one producer, and the commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from schemas.kafka import KafkaConfig
from schemas.metrics import Metrics
from sinks.config import SinkConfig

log = structlog.get_logger()

# The broker waits until this much is there or `batch_wait` has passed: large batches at high rates,
# one idle fetch a batch_wait at low ones.
FETCH_MIN_BYTES = 1 << 20
# A first record that is larger than these limits comes all the same, alone.
FETCH_MAX_BYTES = 4 << 20
PARTITION_MAX_BYTES = 1 << 20
IDLE_WAIT_MS = 500
# After a poll that found nothing the broker waits longer, but only for the first byte: an idle sink
# costs less, and a lone exchange is stored at once. Not longer than this: the look at the log's end
# for the lag waits behind the fetch.
IDLE_FETCH = (1, 500)
COMMIT_TIMEOUT = 5.0  # seconds; a commit that fails only means that records come again
LAG_TIMEOUT = 2.0
CLOSE_TIMEOUT = 5.0
METADATA_AGE_MS = 30_000  # how soon topics are found that were made after the start
# While a store is away nobody polls, and the membership shall last as long as that does.
FOREVER_MS = 2**31 - 1


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """One life of the connection. KafkaError from any method ends it; the runner makes a new one."""

    def __init__(
        self,
        config: SinkConfig,
        kafka: KafkaConfig,
        group: str,
        metrics: Metrics,
        joined: Callable[[], None],
    ) -> None:
        self.epoch = 0  # changes whenever partitions come or go
        self._joined = joined  # called whenever partitions are assigned
        self._config = config
        self._topic = kafka.topics.exchanges
        self._uncommitted: dict[TopicPartition, int] = {}
        self._done: dict[TopicPartition, int] = {}  # stored up to here
        self._commits = {name: metrics.counter("sluice_commits", name) for name in ("ok", "failed")}
        self._busy_fetch = (FETCH_MIN_BYTES, max(1, int(config.batch_wait * 1000)))
        self._kafka = AIOKafkaConsumer(
            **kafka.consumer_options("sluice-sinks"),
            group_id=kafka.topics.group(group),
            group_instance_id=config.instance_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_min_bytes=self._busy_fetch[0],
            fetch_max_wait_ms=self._busy_fetch[1],
            fetch_max_bytes=FETCH_MAX_BYTES,
            max_partition_fetch_bytes=PARTITION_MAX_BYTES,
            session_timeout_ms=int(config.session_timeout * 1000),
            heartbeat_interval_ms=int(config.session_timeout * 1000 / 4),
            max_poll_interval_ms=FOREVER_MS,
            metadata_max_age_ms=METADATA_AGE_MS,
        )
        self.producer = AIOKafkaProducer(**kafka.producer_options("sluice-sinks"))

    async def open(self) -> None:
        await self._kafka.start()
        self._kafka.subscribe([self._topic], listener=self)
        await self.producer.start()

    async def close(self) -> None:
        """Leave the group; within CLOSE_TIMEOUT even if the broker is away."""
        await asyncio.gather(_stopped(self._kafka), _stopped(self.producer))

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Called by aiokafka before it gives partitions back."""
        self._moved()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Called by aiokafka when it has partitions, perhaps none."""
        self._moved()
        self._joined()
        log.info("partitions_assigned", partitions=self.partitions)

    def _moved(self) -> None:
        # All positions go back to what is committed: what was read and not committed comes again.
        self.epoch += 1
        self._uncommitted.clear()
        self._done.clear()

    @property
    def partitions(self) -> tuple[int, ...]:
        return tuple(sorted(found.partition for found in self._kafka.assignment()))

    async def poll(self) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        """The next records, at most a batch; empty after half a second without any."""
        polled: dict[TopicPartition, list[ConsumerRecord]] = await self._kafka.getmany(
            timeout_ms=IDLE_WAIT_MS, max_records=self._config.batch_size
        )
        for partition, records in polled.items():
            self._done.setdefault(partition, records[0].offset)
        # Read by the fetcher for each request; the next one starts after what was just taken.
        fetcher = self._kafka._fetcher
        fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = (
            self._busy_fetch if polled else IDLE_FETCH
        )
        return polled

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit these and what could not be committed before. Failure is not the caller's business:
        the offsets are kept for the next time, and what is redelivered is stored already."""
        self._uncommitted.update(offsets)
        self._done.update(offsets)
        if not self._uncommitted:
            return
        epoch, sent = self.epoch, dict(self._uncommitted)
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                await self._kafka.commit(sent)
        except (CommitFailedError, IllegalStateError) as error:
            log.info("commit_refused", error=str(error))  # a rebalance: they are another's now
        except (KafkaError, TimeoutError) as error:
            log.warning("commit_failed", error=repr(error))
        else:
            self._commits["ok"].inc()
            if epoch == self.epoch:
                self._uncommitted.clear()
            return
        self._commits["failed"].inc()

    async def lag(self) -> dict[int, int]:
        """Records behind the end by partition; of none of which the end is not known in time."""
        assigned = self._kafka.assignment()
        try:
            async with asyncio.timeout(LAG_TIMEOUT):
                ends = await self._kafka.end_offsets(list(assigned)) if assigned else {}
                return {p.partition: end - await self._behind(p) for p, end in ends.items()}
        except (KafkaError, TimeoutError):
            return {}

    async def _behind(self, partition: TopicPartition) -> int:
        if (done := self._done.get(partition)) is not None:
            return done
        position: int = await self._kafka.position(partition)
        return position


async def _stopped(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    with suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await client.stop()
