"""Writes to the log: requests, each acknowledged or refused in time, and signals to the workers."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordTooLargeError
from msgspec import Struct

from ingress import tracing
from ingress.config import IngressConfig
from ingress.replies import GRACE, Slot
from schemas.clock import Clock
from schemas.errors import BodyTooLarge, GatewayError, LogUnavailable
from schemas.faultpoints import reach
from schemas.headers import Headers
from schemas.identity import partition_of
from schemas.kafka import KafkaConfig
from schemas.metrics import Metrics
from schemas.tracing import Span, Tracer, carry

log = structlog.get_logger()

RETRY_AFTER = 2  # seconds; recovery is noticed within one
_CLOSE_TIMEOUT = 3.0
_TOO_LARGE = (MessageSizeTooLargeError, RecordTooLargeError)


class PartitionMismatch(Exception):
    """The request topic does not have the partitions that the settings say."""


class Told(Struct, frozen=True):
    """A record beside requests and signals."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class Log:
    """The producer, and whether it gets through.

    `failing` is set by the first record that is not acknowledged in time and cleared by the next
    one that is; meanwhile requests are refused at once, and the heartbeat is the probe.
    """

    def __init__(
        self, config: IngressConfig, kafka: KafkaConfig, metrics: Metrics, clock: Clock
    ) -> None:
        self._config = config
        self._kafka = kafka
        self._clock = clock
        self._publish_seconds = metrics.histogram("sluice_publish_duration_seconds")
        self._requests = kafka.topics.requests
        self._control = kafka.topics.control
        self._producer: AIOKafkaProducer | None = None
        self._replacing = asyncio.Lock()
        self._broken = False
        self.failing = False
        self.tracer: Tracer | None = None

    @property
    def healthy(self) -> bool:
        return self._producer is not None and not self.failing

    def check(self) -> None:
        """LogUnavailable if a request published now would probably not be acknowledged."""
        if self._producer is None or self.failing:
            raise LogUnavailable(retry_after=RETRY_AFTER)

    async def start(self) -> None:
        """Connect. KafkaError if the broker is away, PartitionMismatch if the topic is not as configured."""
        self._producer = await self._connect()
        self.failing = self._broken = False

    async def _connect(self) -> AIOKafkaProducer:
        options = self._kafka.producer_options(f"sluice-ingress-{self._config.slot}")
        producer = AIOKafkaProducer(**options)
        try:
            await producer.start()
            found = len(await producer.partitions_for(self._requests))
            if found != self._config.partitions:
                raise PartitionMismatch(
                    f"topic {self._requests} has {found} partitions, the settings say {self._config.partitions}"
                )
        except BaseException:
            await _close(producer)
            raise
        return producer

    async def publish(
        self, slot: Slot, body: bytes, headers: Headers, meet: bytes | None = None
    ) -> None:
        """Produce a request; its acknowledgement is told to the slot, or its failure.

        `meet` chooses the partition in place of the request's id.

        Returns when the producer holds the record; the slot's times count from then. LogUnavailable or
        BodyTooLarge if it does not.
        """
        self.check()
        assert self._producer is not None
        sent = self._clock.monotonic()
        slot.deadline = sent + self._config.request_timeout + GRACE
        slot.due = min(slot.deadline, sent + self._config.publish_timeout)
        partition = partition_of(meet or slot.key, self._config.partitions)
        span: Span | None = None
        if self.tracer is not None:
            span = tracing.record_span(self.tracer, self._requests, headers)
            headers = carry(headers, span)
        try:
            # Waits only while the partition's batch is full, as when the broker is away.
            async with asyncio.timeout(self._config.publish_timeout):
                future = await self._producer.send(
                    self._requests, body, key=slot.key, partition=partition, headers=headers
                )
        except TimeoutError as error:
            raise self.failed(error) from None
        except KafkaError as error:
            raise self.failed(error) from error
        future.add_done_callback(partial(self._acknowledged, slot, sent))
        if span is not None:
            future.add_done_callback(tracing.acknowledged(span))

    def _acknowledged(self, slot: Slot, sent: float, future: asyncio.Future[Any]) -> None:
        error = LogUnavailable() if future.cancelled() else future.exception()
        if error is not None:
            if slot.error is None:  # else it was given up before, and the log may be well again
                slot.fail(self.failed(error))
            return
        self.failing = False
        self._publish_seconds.observe(self._clock.monotonic() - sent)
        reach("ingress.accepted")
        slot.accept()

    def failed(self, error: BaseException) -> GatewayError:
        """Note that a record did not get through; returns what to tell the caller."""
        if isinstance(error, _TOO_LARGE):
            return BodyTooLarge()
        if not self.failing:
            log.warning("log_unavailable", error=repr(error))
        self.failing = True
        if isinstance(error, KafkaError) and not error.retriable:
            self._broken = True  # aiokafka's sender does not recover from these
        return LogUnavailable(retry_after=RETRY_AFTER)

    async def signal(self, value: bytes, headers: Headers) -> bool:
        """Produce to `llm.control` and wait for the acknowledgement; False if it did not come in time."""
        if self._broken:
            await self._replace()
        if self._producer is None:
            return False
        try:
            async with asyncio.timeout(self._config.publish_timeout):
                await (
                    await self._producer.send(self._control, value, partition=0, headers=headers)
                )
        except (TimeoutError, KafkaError) as error:
            self.failed(error)
            return False
        if self.failing:
            log.info("log_available")
            self.failing = False
        return True

    async def tell(self, record: Told) -> bool:
        """Produce an event and wait for its acknowledgement; False if it did not come in time. Says nothing
        of whether requests get through."""
        if self._producer is None or self.failing:
            return False
        try:
            async with asyncio.timeout(self._config.publish_timeout):
                await (
                    await self._producer.send(
                        record.topic,
                        record.value,
                        key=record.key,
                        partition=partition_of(record.key, self._config.partitions),
                        headers=record.headers,
                    )
                )
        except (TimeoutError, KafkaError) as error:
            log.warning("event_not_told", topic=record.topic, error=repr(error))
            return False
        return True

    async def _replace(self) -> None:
        """A new producer for one that has failed for good; the old one stays until there is one."""
        async with self._replacing:  # signals come in batches, and each of them finds it broken
            if not self._broken:
                return
            try:
                fresh = await self._connect()
            except (KafkaError, PartitionMismatch) as error:
                log.warning("producer_not_replaced", error=repr(error))
                return
            old, self._producer = self._producer, fresh
            self._broken = False
        if old is not None:
            await _close(old)

    async def stop(self) -> None:
        """Flush what can be flushed and close the connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _close(producer)


async def _close(producer: AIOKafkaProducer) -> None:
    """aiokafka flushes before it closes, for as long as the broker is away; this does not wait so long."""
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            await producer.flush()
    except (TimeoutError, KafkaError):
        log.warning("producer_closed_unflushed")
        producer._message_accumulator.fail_all(KafkaError("the producer is closing"))
    await producer.stop()
