"""What became of requests: the outcomes of each assigned partition, read from `llm.exchanges`.

A producer's retry and a redelivery are the same thing: a request id that is known here is answered
from its exchange and calls no provider.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Container
from functools import partial
from hashlib import blake2b

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas import exchange as exchanges, headers as h
from schemas.exchange import OUTCOME_TYPE, OUTCOME_TYPES, REDELIVERED_TYPE, Exchange
from schemas.idempotency import from_header
from schemas.kafka import KafkaConfig
from schemas.topics import MAX_EXCHANGE_BYTES
from streams.keys import Keys
from streams.log import Log

log = structlog.get_logger()

Take = Callable[[ConsumerRecord[bytes, bytes]], None]

REMEMBERED = 20_000  # outcomes a partition
FETCH_BYTES = 4 << 20
RETRY = 1.0  # seconds


def _digest(request_id: str) -> bytes:
    """Ids have any length; 16 bytes keep the index small."""
    return blake2b(request_id.encode(), digest_size=16).digest()


class Partition:
    """Outcomes of one partition: where each one's exchange stands, and how often a request came again."""

    __slots__ = ("_order", "counts", "end", "offsets")

    def __init__(self) -> None:
        self.end = 0  # every record that we know of lies below
        self.offsets: dict[bytes, int] = {}
        self.counts: dict[bytes, int] = {}
        self._order: deque[bytes] = deque()

    def note(self, key: bytes, offset: int) -> None:
        """An outcome stands at `offset`; the first one of a request counts."""
        self.counts.pop(key, None)
        if key in self.offsets:
            return
        self.offsets[key] = offset
        self._order.append(key)
        if len(self._order) > REMEMBERED:
            del self.offsets[self._order.popleft()]


class Outcomes:
    """Reads and writes `llm.exchanges`."""

    def __init__(self, kafka: KafkaConfig, producer: Log, keys: Keys) -> None:
        """`keys` is told of each outcome that answers one."""
        self._kafka = kafka
        self._log = producer
        self._topic = kafka.topics.exchanges
        self._partitions: dict[int, Partition] = {}
        self.keys = keys
        self._reader: AIOKafkaConsumer
        self._reading = asyncio.Lock()

    async def open(self) -> None:
        self._reader = AIOKafkaConsumer(
            **self._kafka.client_options("sluice-outcomes"),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        await self._reader.start()

    async def close(self) -> None:
        await self._reader.stop()

    def end(self, partition: int) -> int:
        """The known end of a partition: what is written from now on lies there or above."""
        found = self._partitions.get(partition)
        return found.end if found else 0

    async def load(self, partition: int, floor: int) -> None:
        """Read a partition from `floor` to its present end. Raises KafkaError if the log is away."""
        known = self._partitions.setdefault(partition, Partition())
        tp = TopicPartition(self._topic, partition)
        async with self._reading:
            self._reader.assign([tp])
            end = await self._read_on(tp, floor, partial(self._index, known))
        known.end = max(known.end, end)

    async def scan(self, topic: str, partition: int, since: int, take: Take) -> None:
        """Read a partition of any topic from a time (epoch milliseconds) to its present end."""
        tp = TopicPartition(topic, partition)
        async with self._reading:
            self._reader.assign([tp])
            found = (await self._reader.offsets_for_times({tp: since}))[tp]
            if found is not None:
                await self._read_on(tp, found.offset, take)

    async def _read_on(self, tp: TopicPartition, floor: int, take: Take) -> int:
        """From `floor` to the present end, which is returned."""
        end = (await self._reader.end_offsets([tp]))[tp]
        start = max(floor, (await self._reader.beginning_offsets([tp]))[tp])
        self._reader.seek(tp, start)
        while start < end:
            batch = await self._reader.getmany(tp, timeout_ms=1000)
            for record in batch.get(tp, ()):
                take(record)
            start = await self._reader.position(tp)
        self._reader.unsubscribe()  # or it would fetch for ever what nobody reads
        return int(end)

    def keep(self, partitions: Container[int]) -> None:
        """Forget what belongs to others by now."""
        for number in [each for each in self._partitions if each not in partitions]:
            del self._partitions[number]

    def _index(self, known: Partition, record: ConsumerRecord[bytes, bytes]) -> None:
        if record.key is None:
            return
        headers = h.first(record.headers)
        kind = headers.get(h.CE_TYPE)
        key = blake2b(record.key, digest_size=16).digest()
        if kind in OUTCOME_TYPES:
            known.note(key, record.offset)
            if (said := headers.get(h.IDEMPOTENCY)) is not None:
                self.keys.learn(record.partition, *from_header(said, record.key, record.offset))
        elif kind == REDELIVERED_TYPE and key not in known.offsets:
            # The number is in the record: the same record may be read, or have been written, twice.
            number = int(headers.get(h.ATTEMPT, b"1"))
            known.counts[key] = max(known.counts.get(key, 0), number)

    def find(self, partition: int, request_id: str) -> int | None:
        """The offset of a request's exchange, if it has one."""
        known = self._partitions.get(partition)
        return known.offsets.get(_digest(request_id)) if known else None

    def redeliveries(self, partition: int, request_id: str) -> int:
        """How often a request was counted as redelivered."""
        known = self._partitions.get(partition)
        return known.counts.get(_digest(request_id), 0) if known else 0

    async def read(self, partition: int, offset: int) -> Exchange:
        """The exchange at `offset`, however long the log is away; LookupError if it is gone."""
        tp = TopicPartition(self._topic, partition)
        while True:
            try:
                async with self._reading:
                    self._reader.assign([tp])
                    self._reader.seek(tp, offset)
                    batch = await self._reader.getmany(tp, timeout_ms=5000, max_records=1)
                    first = (await self._reader.beginning_offsets([tp]))[tp]
                    self._reader.unsubscribe()
            except KafkaError as error:
                log.warning("outcome_unreadable", partition=partition, error=repr(error))
                await asyncio.sleep(RETRY)
                continue
            for record in batch.get(tp, ()):
                if record.offset == offset and record.value is not None:
                    return exchanges.decode(record.value)
            if offset < first:
                raise LookupError(f"no exchange at {partition}:{offset}")

    async def count(self, partition: int, request_id: str, number: int) -> None:
        """Write down that a request is about to run again, for the `number`-th time."""
        headers = [
            (h.CE_TYPE, REDELIVERED_TYPE),
            (h.CE_ID, request_id.encode()),
            (h.ATTEMPT, b"%d" % number),
        ]
        sent = await self._log.write(
            self._topic, b"", key=request_id.encode(), headers=headers, partition=partition
        )
        if known := self._partitions.get(partition):
            known.end = max(known.end, sent.offset + 1)
            known.counts[_digest(request_id)] = number

    async def record(self, partition: int, exchange: Exchange, key: bytes | None = None) -> int:
        """Write the outcome; returns where it stands when it is acknowledged.

        `key` is what `idempotency.to_header` says of an outcome that answers a key.
        """
        name = exchange.request_id.encode()
        headers = [
            (h.CE_SPECVERSION, b"1.0"),
            (h.CE_TYPE, OUTCOME_TYPE[exchange.outcome]),
            (h.CE_ID, name),
            (h.CE_SOURCE, exchange.source.encode()),
            (h.CONTENT_TYPE, b"application/json"),
            (h.SCHEMA_VERSION, b"%d" % exchange.schema_version),
        ]
        if key is not None:
            headers.append((h.IDEMPOTENCY, key))
        value = exchanges.encode(exchange)
        if len(value) > MAX_EXCHANGE_BYTES - 4096:
            raise ValueError(f"the exchange has {len(value)} bytes")
        sent = await self._log.write(
            self._topic, value, key=name, headers=headers, partition=partition
        )
        if known := self._partitions.get(partition):
            known.end = max(known.end, sent.offset + 1)
            known.note(_digest(exchange.request_id), sent.offset)
        return int(sent.offset)
