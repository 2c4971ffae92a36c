"""Feeds slots that began before this process knew of them: from any partition of `llm.replies`, live.

One consumer carries all of them. Who joins names an offset from which on it wants the records; a
partition that is read already is then read again from there, which is a moment at most, since what is
older comes from the archive. A slot drops what it has had, so that reading twice does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from msgspec import Struct

from ingress.replies import Slot, take
from schemas.errors import GatewayError, Interrupted
from schemas.kafka import KafkaConfig
from schemas.tasks import Tasks

log = structlog.get_logger()

_STEP_MS = 100  # who joins while nothing comes waits so long
_SLICE = 1 << 20  # bytes handed over before handlers get a turn to write them out
_PAUSE = 0.2  # seconds after an error
_CLOSE_TIMEOUT = 5.0
_LOST = "Part of the answer was lost: ask again."


class _Joining(Struct, eq=False):
    """One who wants to follow, and from where."""

    slot: Slot
    partition: TopicPartition
    offset: int


class Follower:
    """Slots by partition and key; several may wait for the same answer."""

    def __init__(self, kafka: KafkaConfig, client_id: str) -> None:
        self._kafka = kafka
        self._client_id = client_id
        self._slots: dict[TopicPartition, dict[bytes, list[Slot]]] = {}
        # They get nothing before the consumer stands where they want it: that would be a gap.
        self._joining: list[_Joining] = []
        self._joined = asyncio.Event()
        self._consumer: AIOKafkaConsumer | None = None
        self._closing = Tasks()

    def __len__(self) -> int:
        return len(self._all())

    @contextmanager
    def following(self, slot: Slot, partition: TopicPartition, offset: int) -> Iterator[None]:
        """While the block runs the slot gets what stands at `offset` and above."""
        joining = _Joining(slot, partition, offset)
        self._joining.append(joining)
        self._joined.set()
        try:
            yield
        finally:
            if joining in self._joining:
                self._joining.remove(joining)
            else:
                self._leave(slot, partition)

    def _leave(self, slot: Slot, partition: TopicPartition) -> None:
        keys = self._slots[partition]
        keys[slot.key].remove(slot)
        if not keys[slot.key]:
            del keys[slot.key]
        if not keys:
            del self._slots[partition]

    def tick(self, now: float) -> None:
        """Deadlines and keep-alives."""
        for slot in self._all():
            if now >= slot.due:
                slot.tick(now)

    def interrupt(self, error: GatewayError) -> None:
        """Fail everything that waits."""
        for slot in self._all():
            slot.fail(error)

    def _all(self) -> list[Slot]:
        followed = [each for keys in self._slots.values() for each in keys.values()]
        return [slot for slots in followed for slot in slots] + [
            each.slot for each in self._joining
        ]

    async def run(self) -> None:
        """Read until cancelled; connected only while somebody follows."""
        while True:
            if not self._slots and not self._joining:
                self._joined.clear()  # before the disconnection: somebody may join meanwhile
                await self._disconnect()
                await self._joined.wait()
            try:
                consumer = self._consumer or await self._connect()
                await self._arrange(consumer)
                batches = await consumer.getmany(timeout_ms=_STEP_MS)
            except OffsetOutOfRangeError as error:
                self._lost(error)
                await asyncio.sleep(_PAUSE)
                continue
            except (KafkaError, OSError) as error:
                log.warning("reply_follow_failed", error=repr(error))
                await asyncio.sleep(_PAUSE)
                continue
            for partition, records in batches.items():
                await self._deliver(partition, records)

    async def _connect(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            **self._kafka.client_options(self._client_id),
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=500,
            fetch_max_bytes=8 << 20,
        )
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer
        return consumer

    async def _arrange(self, consumer: AIOKafkaConsumer) -> None:
        """Read what somebody waits for, from where the newest want it."""
        there = consumer.assignment()
        before = {tp: await consumer.position(tp) for tp in self._slots if tp in there}
        # From here on nothing waits: who joins or leaves meanwhile is seen as a whole.
        places = {tp: place for tp, place in before.items() if tp in self._slots}
        joining, self._joining = self._joining, []
        for each in joining:
            keys = self._slots.setdefault(each.partition, {})
            keys.setdefault(each.slot.key, []).append(each.slot)
            offset = places.get(each.partition, each.offset)
            places[each.partition] = min(offset, each.offset)
        if not places:
            consumer.unsubscribe()
        elif places.keys() != there:
            consumer.assign(list(places))
        for tp, place in places.items():
            if tp not in there or place != before.get(tp) or places.keys() != there:
                consumer.seek(tp, place)

    async def _deliver(
        self, partition: TopicPartition, records: list[ConsumerRecord[bytes, bytes]]
    ) -> None:
        size = 0
        for record in records:
            keys = self._slots.get(partition)
            for slot in keys.get(record.key, ()) if keys and record.key is not None else ():
                take(slot, record)
            size += record.serialized_value_size
            if size > _SLICE:
                size = 0
                await asyncio.sleep(0)

    def _lost(self, error: OffsetOutOfRangeError) -> None:
        """What was to be read is deleted: who waits for it cannot have it whole."""
        for partition in error.args[0]:
            log.error("reply_position_lost", topic=partition.topic, partition=partition.partition)
            for slots in self._slots.get(partition, {}).values():
                for slot in slots:
                    slot.fail(Interrupted(_LOST))

    async def _disconnect(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            # In a task of its own: aiokafka swallows a cancellation that hits it while it closes, and
            # whoever runs this would never end.
            closing = self._closing.start(_close(consumer), name="ingress follower close")
            await asyncio.wait((closing,))

    async def stop(self) -> None:
        """Close the connection."""
        await self._disconnect()
        await self._closing.drain(_CLOSE_TIMEOUT)


async def _close(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            await consumer.stop()
    except (TimeoutError, KafkaError) as error:
        log.warning("reply_follower_close_failed", error=repr(error))
