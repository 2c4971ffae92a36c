"""`sluice sinks`: consume, write, commit; in this order, for as long as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from aiokafka.errors import KafkaError

from schemas.clock import Clock
from schemas.faultpoints import reach
from schemas.kafka import KafkaConfig
from schemas.metrics import Metrics
from schemas.tasks import Tasks
from schemas.tracing import Tracer
from sinks import tracing
from sinks.backoff import Backoff, stopped_within
from sinks.base import Refused, Sink
from sinks.batches import Batch, batch
from sinks.config import SinkConfig, StorageType
from sinks.consumer import Consumer
from sinks.dead_letters import publish
from sinks.heartbeats import Heartbeats
from sinks.interruption import unless_stopped
from sinks.store import Store
from sinks.stores import SINKS

log = structlog.get_logger()


async def run(
    config: SinkConfig,
    kafka: KafkaConfig,
    clock: Clock,
    metrics: Metrics,
    stop: asyncio.Event,
    ready: Callable[[], None] | None = None,
) -> None:
    """Store every exchange until `stop` is set; then finish the batch in hand, commit and leave.

    `ready` is called once, when partitions are assigned. Neither Kafka nor the store need be there
    before: it waits for both, now and later. An exception is a bug.
    """
    await made(config, kafka, clock, metrics).run(stop, ready)


def made(config: SinkConfig, kafka: KafkaConfig, clock: Clock, metrics: Metrics) -> Runner:
    """The runner of the store that is configured."""
    return Runner(config, kafka, clock, metrics, SINKS[config.storage_type](config, clock))


class Runner:
    """One sink process. Batches go one after the other, so no commit passes over unstored work."""

    def __init__(
        self, config: SinkConfig, kafka: KafkaConfig, clock: Clock, metrics: Metrics, sink: Sink
    ) -> None:
        self._config = config
        self._kafka = kafka
        self._clock = clock
        self._sink = sink
        self.tracer: Tracer | None = None  # None: nothing is traced
        self._metrics = metrics
        self._delays = Backoff()  # between two connections to Kafka
        self._heartbeats = Heartbeats(kafka.topics.control, clock)
        self._dead_letters = metrics.counter("sluice_dead_letters", "sinks")
        store = config.storage_type
        self._stored = metrics.counter("sluice_sink_documents", store, "stored")
        self._refused = metrics.counter("sluice_sink_documents", store, "refused")
        self._undecodable = metrics.counter("sluice_sink_documents", store, "undecodable")
        self._not_kept = metrics.counter(
            "gomodel_response_snapshot_store_failures", "unknown", store, "create"
        )
        metrics.gauges(
            "sluice_consumer_lag",
            lambda: [
                ((kafka.topics.exchanges, str(p)), float(lag))
                for p, lag in self._heartbeats.lag.items()
            ],
        )

    @property
    def store(self) -> StorageType:
        """Its name."""
        return self._config.storage_type

    @property
    def lag(self) -> dict[int, int]:
        """Records behind the end by partition, as of the last heartbeat."""
        return self._heartbeats.lag

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] | None = None) -> None:
        """See run(). Closes the sink at the end."""
        tasks = Tasks()
        tasks.start(self._heartbeats.run(), name="sinks-heartbeats")
        store = Store(self._config.storage_type, self._sink, self._clock, self._metrics, stop)
        joined = _once(ready)
        try:
            while not stop.is_set():
                try:
                    await self._live(store, stop, joined)
                except (KafkaError, OSError) as error:
                    pause = self._delays.next()
                    log.warning("kafka_unavailable", error=repr(error), retry_in=round(pause, 1))
                    await stopped_within(stop, pause)
        finally:
            await tasks.abort()
            await store.close()

    async def _live(self, store: Store, stop: asyncio.Event, joined: Callable[[], None]) -> None:
        """One connection to Kafka, from joining the group to leaving it."""
        group = f"sinks.{self._config.storage_type}"
        consumer = Consumer(self._config, self._kafka, group, self._metrics, joined)
        try:
            if not await unless_stopped(stop, consumer.open(), KafkaError, OSError):
                return
            self._delays = Backoff()
            self._heartbeats.consumer = consumer
            if await store.open():
                while not stop.is_set():
                    await self._round(store, consumer)
        finally:
            if stop.is_set() and self._heartbeats.consumer is not None:
                await self._heartbeats.beat(consumer, stopping=True)
            self._heartbeats.consumer = None
            await consumer.close()

    async def _round(self, store: Store, consumer: Consumer) -> None:
        """One batch: read, written, committed."""
        polled = await consumer.poll()
        epoch = consumer.epoch
        found = batch(
            polled,
            bodies=self._config.bodies,
            body_limit=self._config.body_limit,
            redaction=self._config.redaction,
        )
        if found.offsets:
            reach("sinks.read")
            self._heartbeats.in_hand = len(found.documents)
            spans = () if self.tracer is None else tracing.spans(self.tracer, self._config, found)
            kept = await self._store(store, consumer, found)
            tracing.end(spans, kept=kept)
            if not kept:
                return
            reach("sinks.written")
        # Also without a new batch: an earlier commit may have failed.
        await consumer.commit(found.offsets if consumer.epoch == epoch else {})
        if found.offsets:
            reach("sinks.committed")
        await store.expire()

    async def _store(self, store: Store, consumer: Consumer, found: Batch) -> bool:
        """Whether all is where it belongs: documents in the store, the rest in the dead letters."""
        epoch, refused = consumer.epoch, 0
        # First: who sees the exchange may ask for the answer.
        if not await store.keep(found.kept, lambda: consumer.epoch == epoch):
            return False
        try:
            if found.documents and not await store.write(
                found.documents, lambda: consumer.epoch == epoch
            ):
                return False
        except Refused as refusal:
            refused = found.refuse(refusal.reasons)
        for letter in found.dead:
            await publish(consumer.producer, self._kafka.topics.dead_letters, letter)
        self._stored.inc(len(found.documents) - refused)
        self._refused.inc(refused)
        self._not_kept.inc(refused)
        self._undecodable.inc(len(found.dead) - refused)
        self._dead_letters.inc(len(found.dead))
        return True


def _once(ready: Callable[[], None] | None) -> Callable[[], None]:
    """`ready` for the first call, nothing for later ones: partitions come and go."""
    waiting = [ready] if ready is not None else []

    def joined() -> None:
        if waiting:
            waiting.pop()()

    return joined
