"""What became of requests, read from the log."""

from collections.abc import AsyncIterator

import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from msgspec import Raw

from schemas.clock import SystemClock
from schemas.exchange import Body, Exchange, Timings
from schemas.idempotency import Key
from schemas.kafka import KafkaConfig
from schemas.requests import Position
from schemas.topics import Retention, Topics, table
from streams import outcomes
from streams.keys import Keys
from streams.log import Log, Undeliverable
from streams.outcomes import Outcomes


def exchange(name: str, size: int = 10) -> Exchange:
    return Exchange(
        request_id=name,
        outcome="completed",
        created_at="2026-01-01T00:00:00Z",
        finished_at="2026-01-01T00:00:01Z",
        operation="chat",
        dialect="openai_chat",
        stream=False,
        source="/kafka",
        user_path="/kafka",
        request_model="m",
        status=200,
        delivery_attempt=1,
        kafka=Position("llm.requests", 1, 5),
        timings=Timings(1.0),
        request=Body(Raw(b'"' + b"x" * size + b'"')),
    )


@pytest_asyncio.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> KafkaConfig:
    config = KafkaConfig(bootstrap_servers=kafka_bootstrap, topics=Topics(topic_prefix))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        wanted = table(config.topics, 2, 2, Retention())
        await admin.create_topics(
            [
                NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.config)
                for topic in wanted
            ]
        )
    finally:
        await admin.close()
    return config


@pytest_asyncio.fixture
async def log(kafka: KafkaConfig) -> AsyncIterator[Log]:
    made = Log(kafka, SystemClock())
    await made.open()
    yield made
    await made.close()


async def opened(kafka: KafkaConfig, log: Log) -> Outcomes:
    keys = Keys(kafka.topics.idempotency, log, SystemClock(), ttl=60.0, limit=100)
    made = Outcomes(kafka, log, keys)
    await made.open()
    return made


async def test_outcomes_and_counts_are_known_to_the_next_owner(
    kafka: KafkaConfig, log: Log
) -> None:
    """From the floor that a commit carries to the end of the partition, and in no other partition."""
    first, second = await opened(kafka, log), await opened(kafka, log)
    try:
        await first.load(1, 0)
        await first.record(1, exchange("before"))
        floor = first.end(1)
        await first.count(1, "again", 1)
        await first.count(1, "again", 2)
        await first.record(1, exchange("done", size=3 << 20))
        await second.load(0, 0)
        await second.load(1, floor)

        assert second.find(1, "before") is None
        assert second.find(0, "done") is None
        assert second.redeliveries(1, "again") == 2
        assert second.end(1) == first.end(1) == 4
        offset = second.find(1, "done")
        assert offset is not None
        assert (await second.read(1, offset)).request_id == "done"
    finally:
        await first.close()
        await second.close()


async def test_idempotency_keys_are_known_to_the_next_owner(kafka: KafkaConfig, log: Log) -> None:
    """From `llm.idempotency`, and where a worker died before it had written there, from the outcome."""
    outcomes = await opened(kafka, log)
    written, unwritten = Key(b"written", 1, "asked"), Key(b"unwritten", 1, "asked")
    offset = await outcomes.record(1, exchange("a"))
    await outcomes.keys.remember(written, "a", offset)
    last = await outcomes.record(1, exchange("b"), outcomes.keys.header(unwritten))
    await outcomes.close()
    other = await opened(kafka, log)
    await other.keys.load(1, other.scan)
    await other.load(1, last)

    for key, name, place in ((written, "a", offset), (unwritten, "b", last)):
        found = other.keys.find(key)
        assert found is not None
        assert (found.request_id, found.offset, found.fingerprint) == (name, place, "asked")
    await other.close()


async def test_the_first_outcome_of_a_request_counts(kafka: KafkaConfig, log: Log) -> None:
    """A second record with the same id changes nothing."""
    made = await opened(kafka, log)
    try:
        await made.load(0, 0)
        await made.record(0, exchange("twice"))
        first = made.find(0, "twice")
        await made.record(0, exchange("twice"))

        assert made.find(0, "twice") == first == 0
    finally:
        await made.close()


async def test_what_is_remembered_is_bounded() -> None:
    """The oldest outcomes are forgotten first."""
    book = outcomes.Partition()
    for number in range(outcomes.REMEMBERED + 5):
        book.note(b"%d" % number, number)

    assert len(book.offsets) == outcomes.REMEMBERED
    assert b"4" not in book.offsets
    assert b"5" in book.offsets


async def test_a_record_that_can_never_be_written_is_told_apart(
    kafka: KafkaConfig, log: Log
) -> None:
    """A partition that does not exist, or a record over the limit, is not waited for."""
    for partition, size in ((99, 1), (0, 17 << 20)):
        try:
            await log.write(
                kafka.topics.replies, b"x" * size, key=b"k", headers=[], partition=partition
            )
        except Undeliverable:
            continue
        raise AssertionError("it was written")


async def test_topics_are_known_or_not(kafka: KafkaConfig, log: Log) -> None:
    """An unknown one costs one short look, and none for a while after."""
    # A cluster tells of a new topic a little later; a record waits for it.
    await log.write(kafka.topics.exchanges, b"x", key=b"k", headers=[], partition=0)
    assert await log.has(kafka.topics.exchanges)
    assert not await log.has(kafka.topics.prefix + "nowhere")
    assert not await log.has(kafka.topics.prefix + "nowhere")
