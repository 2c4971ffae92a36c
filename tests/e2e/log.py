"""Topics as a test reads them, and records as a service produces them."""

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from schemas import exchange as exchanges
from schemas.exchange import OUTCOME_TYPES, Exchange
from schemas.topics import Topics

SECONDS = 60.0
Record = ConsumerRecord[Any, Any]


class Tail:
    """Reads some topics from now on and keeps all records, in order of the partitions."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.records: dict[str, list[Record]] = {}

    async def watch(self, *topics: str) -> None:
        """Read these topics, too; they must exist. What stands there already is not read."""
        for topic in topics:
            numbers = await self._consumer._client._wait_on_metadata(topic)
            added = [TopicPartition(topic, number) for number in sorted(numbers)]
            before = {tp: await self._consumer.position(tp) for tp in self._consumer.assignment()}
            self._consumer.assign([*before, *added])
            for tp, position in before.items():
                self._consumer.seek(tp, position)
            for tp, end in (await self._consumer.end_offsets(added)).items():
                self._consumer.seek(tp, end)
            self.records[topic] = []

    async def take(
        self, topic: str, wanted: Callable[[Record], bool], count: int = 1, what: str = ""
    ) -> list[Record]:
        """The records of a topic that are wanted, as soon as there are `count`."""
        deadline = time.monotonic() + SECONDS
        while len(found := [record for record in self.records[topic] if wanted(record)]) < count:
            assert time.monotonic() < deadline, (
                f"{len(found)} of {count} records came on {topic}: {what}"
            )
            await self._read(200)
        return found

    async def upto_now(self) -> None:
        """Read everything that stands there now."""
        tps = list(self._consumer.assignment())
        ends = await self._consumer.end_offsets(tps)
        while any([await self._consumer.position(tp) < ends[tp] for tp in tps]):
            await self._read(200)

    async def _read(self, wait_ms: int) -> None:
        for tp, records in (await self._consumer.getmany(timeout_ms=wait_ms)).items():
            self.records[tp.topic] += records


@asynccontextmanager
async def tail(bootstrap: str, *topics: str) -> AsyncIterator[Tail]:
    """Open until the end of the block."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    try:
        reading = Tail(consumer)
        await reading.watch(*topics)
        yield reading
    finally:
        await consumer.stop()


@asynccontextmanager
async def producing(bootstrap: str, **settings: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A service's producer, open until the end of the block."""
    options = {"acks": "all", "max_request_size": 16 << 20} | settings
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def chat(model: str, content: str = "Hello", **more: object) -> bytes:
    """A chat request's body."""
    messages = [{"role": "user", "content": content}]
    return json.dumps({"model": model, "messages": messages, **more}).encode()


def correlated(correlation_id: bytes) -> Callable[[Record], bool]:
    """Whether a reply is to this asker."""
    return lambda record: ("kafka_correlationId", correlation_id) in record.headers


def keyed(key: str) -> Callable[[Record], bool]:
    """Whether a record is about this request."""
    return lambda record: record.key == key.encode()


async def outcome_of(reading: Tail, topics: Topics, request_id: str) -> Exchange:
    """The one outcome of a request, as soon as it is recorded."""
    (record, *_) = await reading.take(
        topics.exchanges, lambda r: keyed(request_id)(r) and is_outcome(r), what=request_id
    )
    return exchanges.decode(record.value)


def is_outcome(record: Record) -> bool:
    """Whether a record of `llm.exchanges` is an outcome and not the count of a redelivery."""
    return dict(record.headers).get("ce_type") in OUTCOME_TYPES


async def answer_of(
    reading: Tail, topic: str, wanted: Callable[[Record], bool]
) -> tuple[bytes, list[dict[str, bytes]]]:
    """The newest attempt's whole answer: its body, and the headers of its records in order."""

    def last(record: Record) -> bool:
        return wanted(record) and "sluice-count" in dict(record.headers)

    ended = await reading.take(topic, last, what="the end of an answer")
    attempt = dict(ended[-1].headers)["sluice-attempt"]
    records: Sequence[Record] = [
        record
        for record in reading.records[topic]
        if wanted(record) and dict(record.headers)["sluice-attempt"] == attempt
    ]
    headers = [dict(record.headers) for record in records]
    assert [int(each["sluice-seq"]) for each in headers] == list(range(len(headers)))
    assert int(headers[-1]["sluice-count"]) == len(headers)
    return b"".join(record.value or b"" for record in records), headers
