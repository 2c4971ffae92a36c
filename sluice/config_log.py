"""Reads all of `llm.config` and follows it; writes objects and waits until it has read them itself.

Kafka has no compare-and-set. A write carries its version and the one that it replaces, all readers
judge by the same rule (`schemas/objects.py`), and a writer sees on reading what became of its own.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from msgspec import Struct

from schemas.clock import Clock
from schemas.errors import Conflict, LogUnavailable, NotFound
from schemas.headers import first
from schemas.kafka import KafkaConfig, MissingPartition
from schemas.objects import Entry, Kind, Objects, Taken, record
from schemas.tasks import Tasks

log = structlog.get_logger()
T = TypeVar("T", bound=Struct)

FETCH_WAIT_MS = 500
PAUSE = 0.2  # seconds after an error
WRITE_TIMEOUT = 5.0  # seconds until the log has a write, and this process has read it
CLOSE_TIMEOUT = 5.0
RETRY_AFTER = 1
ATTEMPTS = 10  # of a write that may replace any version


class ConfigLog:
    """The objects of one process. `start`, then `run` as a task of its own, then `stop`."""

    def __init__(self, kafka: KafkaConfig, clock: Clock, kinds: tuple[Kind[Any], ...]) -> None:
        self.objects = Objects(kinds)
        self.read_up_to = 0
        self._kinds = {kind.name: kind for kind in kinds}
        self._kafka = kafka
        self._clock = clock
        self._partition = TopicPartition(kafka.topics.config, 0)
        self._consumer: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._closing = Tasks()
        self._writing = 0
        self._taken: dict[int, Taken] = {}  # by offset, while somebody writes
        self._waiting: dict[asyncio.Future[None], int] = {}

    # -- reading

    async def start(self) -> None:
        """Read everything up to now. KafkaError if the log is away, MissingPartition if the topic is."""
        consumer = AIOKafkaConsumer(
            **self._kafka.consumer_options("sluice-config"),
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        try:
            await consumer.start()
            if self._partition.topic not in await consumer.topics():
                raise MissingPartition(f"topic {self._partition.topic} does not exist")
            consumer.assign([self._partition])
            await self._from_the_beginning(consumer)
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer

    async def read(self, stop: asyncio.Event) -> None:
        """`start`, for as long as the log is away and nobody stops this process."""
        while self._consumer is None and not stop.is_set():
            try:
                await self.start()
            except (KafkaError, OSError) as error:
                log.warning("config_unreadable", error=repr(error), retry_in=PAUSE)
                await asyncio.sleep(PAUSE)

    async def _from_the_beginning(self, consumer: AIOKafkaConsumer) -> None:
        self.objects.clear()
        begin = (await consumer.beginning_offsets([self._partition]))[self._partition]
        end = (await consumer.end_offsets([self._partition]))[self._partition]
        consumer.seek(self._partition, begin)
        self.read_up_to = begin
        while self.read_up_to < end:
            await self._read(consumer)

    async def run(self) -> None:
        """Follow until cancelled. Never raises for the log's sake: an error is a pause."""
        consumer = self._consumer
        while consumer is not None:
            try:
                await self._read(consumer)
            except OffsetOutOfRangeError:
                log.error("config_log_began_anew", topic=self._partition.topic)  # noqa: TRY400 - no traceback of ours
                await self._again(consumer)
            except KafkaError as error:
                log.warning("config_unreadable", error=repr(error), retry_in=PAUSE)
                await asyncio.sleep(PAUSE)

    async def _again(self, consumer: AIOKafkaConsumer) -> None:
        try:
            await self._from_the_beginning(consumer)
        except KafkaError as error:
            log.warning("config_unreadable", error=repr(error), retry_in=PAUSE)
            await asyncio.sleep(PAUSE)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        batches = await consumer.getmany(timeout_ms=1000)
        for records in batches.values():
            for each in records:
                self._take(each)
        # Not the last record's offset and one: compaction leaves gaps.
        self.read_up_to = await consumer.position(self._partition)
        for future, offset in tuple(self._waiting.items()):
            if offset <= self.read_up_to and not future.done():
                future.set_result(None)

    def _take(self, found: ConsumerRecord[bytes, bytes]) -> None:
        taken = self.objects.take(found.key, found.value, first(found.headers))
        if self._writing:
            self._taken[found.offset] = taken
        if taken in ("unreadable", "unknown"):
            log.warning("config_record_passed_over", key=found.key, offset=found.offset, why=taken)

    async def reached(self, offset: int) -> None:
        """Wait until everything before `offset` was read: who must not wait for ever sets a time-out."""
        if self.read_up_to >= offset:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = offset
        try:
            await future
        finally:
            del self._waiting[future]

    # -- writing

    async def put(
        self, kind: Kind[T], name: str, value: T, *, expected: int | None = None
    ) -> Entry[T]:
        """See `schemas.objects.Writer`."""
        return await self._write(kind, name, value, expected)

    async def delete(self, kind: Kind[T], name: str, *, expected: int | None = None) -> None:
        """See `schemas.objects.Writer`."""
        if self.objects.table(kind).get(name) is None:
            raise NotFound(f"There is no `{name[:100]}` in {kind.name}.")
        await self._write(kind, name, None, expected)

    async def _write(
        self, kind: Kind[T], name: str, value: T | None, expected: int | None
    ) -> Entry[T]:
        table = self.objects.table(kind)
        for _ in range(ATTEMPTS):
            here = table.entry(name)
            # A deleted object's version goes on counting, but who wants to create sees none.
            if expected is not None and expected != (here.version if here.value is not None else 0):
                raise Conflict(f"`{name[:100]}` was changed meanwhile: read it again.")
            version = here.version + 1
            if here.value is None:
                # Above what is remembered of it elsewhere, when its tombstone is long gone.
                version = max(version, int(self._clock.time() * 1000))
            replaces = 0 if here.value is None else here.version
            taken = await self._publish(kind, name, value, version, replaces)
            if taken == "applied":
                return table.entry(name)
            await self._mend(kind, name, version)
            if expected is not None:
                break
        raise Conflict(f"`{name[:100]}` was changed meanwhile: read it again.")

    async def mend(self) -> None:
        """Write again what a refused record overtook in the log: its writer died before it could.

        Whoever writes calls it once, when `run` does.
        """
        try:
            for kind, name in tuple(self.objects.overtaken):
                await self._mend(self._kinds[kind], name, 0)
        except LogUnavailable:
            log.warning("config_not_mended")

    async def _mend(self, kind: Kind[T], name: str, lost: int) -> None:
        """The object as it stands, once more: compaction keeps a key's last record, refused or not."""
        for _ in range(ATTEMPTS):
            if (kind.name, name) not in self.objects.overtaken:
                return
            here = self.objects.table(kind).entry(name)
            version = max(here.version, lost) + 1
            await self._publish(kind, name, here.value, version, max(here.version, 1))

    async def _publish(
        self, kind: Kind[T], name: str, value: T | None, version: int, replaces: int
    ) -> Taken:
        """One record, acknowledged and read back: what readers make of it."""
        key, encoded, headers = record(kind, name, value, version, replaces)
        self._writing += 1
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                producer = await self._ready()
                sent: Any = await producer.send(
                    self._partition.topic, encoded, key=key, headers=headers, partition=0
                )
                offset = (await sent).offset
                await self.reached(offset + 1)
                return self._taken[offset]
        except (TimeoutError, KafkaError, OSError) as error:
            log.warning("config_write_failed", kind=kind.name, name=name, error=repr(error))
            raise LogUnavailable(retry_after=RETRY_AFTER) from error
        finally:
            self._writing -= 1
            if not self._writing:
                self._taken.clear()

    async def _ready(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._kafka.producer_options("sluice-config"))
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def stop(self) -> None:
        """Close the connections."""
        clients = [each for each in (self._producer, self._consumer) if each is not None]
        self._producer = self._consumer = None
        # In tasks of their own: aiokafka mixes up its own cancellations and those of whoever closes it.
        for client in clients:
            self._closing.start(client.stop(), name="config close")
        if await self._closing.drain(CLOSE_TIMEOUT):
            await self._closing.abort()
