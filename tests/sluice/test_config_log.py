"""`llm.config` on the embedded broker and on real Kafka: the same suite."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition
from msgspec import Struct

from schemas.clock import SystemClock
from schemas.errors import Conflict, LogUnavailable, NotFound
from schemas.kafka import KafkaConfig, MissingPartition
from schemas.objects import Kind, record
from schemas.tasks import Tasks
from schemas.topics import Retention, Topics, table
from sluice import config_log, topics
from sluice.broker import Broker, BrokerConfig
from sluice.config_log import ConfigLog
from tests.brokers import BROKERS


class Thing(Struct, frozen=True):
    """An object."""

    text: str


THINGS = Kind("things", Thing)


@pytest.fixture(params=BROKERS)
async def kafka(
    request: pytest.FixtureRequest, tmp_path: Path, topic_prefix: str
) -> AsyncIterator[KafkaConfig]:
    async with AsyncExitStack() as stack:
        if request.param == "kafka":
            address = request.getfixturevalue("kafka_bootstrap")
        else:
            broker = Broker(BrokerConfig(folder=tmp_path / "broker"))
            address = await broker.start()
            stack.push_async_callback(broker.close)
        found = KafkaConfig(bootstrap_servers=address, topics=Topics(topic_prefix))
        wanted = [
            t for t in table(found.topics, 1, 1, Retention()) if t.name == found.topics.config
        ]
        await topics.ensure(found, wanted, None)
        yield found


@asynccontextmanager
async def following(kafka: KafkaConfig) -> AsyncIterator[ConfigLog]:
    """A process that has read the log and follows it."""
    found = ConfigLog(kafka, SystemClock(), (THINGS,))
    await found.start()
    tasks = Tasks()
    tasks.start(found.run(), name="config")
    try:
        yield found
    finally:
        await tasks.abort()
        await found.stop()


def texts(log: ConfigLog) -> dict[str, str]:
    return {name: thing.text for name, thing in log.objects.table(THINGS)}


async def until_equal(*logs: ConfigLog) -> None:
    """Wait until all have read as far as the one that has read most."""
    end = max(log.read_up_to for log in logs)
    async with asyncio.timeout(20):
        for log in logs:
            await log.reached(end)


async def test_a_writer_sees_its_own_write_and_others_soon_after(kafka: KafkaConfig) -> None:
    """`put` returns when it is in force here; who follows has it, too, and who starts reads it all."""
    async with following(kafka) as one, following(kafka) as two:
        made = await one.put(THINGS, "a/b", Thing("1"), expected=0)
        assert texts(one) == {"a/b": "1"}
        await until_equal(one, two)
        await two.put(THINGS, "a/b", Thing("2"), expected=made.version)
        await two.put(THINGS, "c", Thing("3"))
        await two.delete(THINGS, "c")
        with pytest.raises(NotFound):
            await two.delete(THINGS, "c")
        await until_equal(one, two)
        async with following(kafka) as three:
            assert texts(one) == texts(two) == texts(three) == {"a/b": "2"}
            assert three.read_up_to == one.read_up_to


async def test_of_two_that_write_at_once_one_is_told(kafka: KafkaConfig) -> None:
    """Both replace the same version: one succeeds, the other gets a Conflict, all see the first."""
    async with following(kafka) as one, following(kafka) as two:
        made = await one.put(THINGS, "a", Thing("old"), expected=0)
        await until_equal(one, two)
        for name, expected in (("a", made.version), ("new", 0)):
            done = await asyncio.gather(
                one.put(THINGS, name, Thing("one"), expected=expected),
                two.put(THINGS, name, Thing("two"), expected=expected),
                return_exceptions=True,
            )
            lost = [each for each in done if isinstance(each, Conflict)]
            won = [each for each in done if not isinstance(each, BaseException)]
            assert (len(won), len(lost)) == (1, 1)
            await until_equal(one, two)
            async with following(kafka) as three:
                assert texts(one)[name] == texts(two)[name] == texts(three)[name]
                assert [e.value for e in won] == [three.objects.table(THINGS).get(name)]
                assert three.objects.overtaken == set()
        with pytest.raises(Conflict):
            await one.put(THINGS, "a", Thing("late"), expected=made.version)
        with pytest.raises(Conflict):
            await one.put(THINGS, "a", Thing("again"), expected=0)


async def test_whoever_replaces_any_version_succeeds(kafka: KafkaConfig) -> None:
    """Without an expected version all writes go through, one after the other."""
    async with following(kafka) as one, following(kafka) as two:
        await asyncio.gather(
            *(log.put(THINGS, "a", Thing(f"{n}")) for n in range(3) for log in (one, two))
        )
        await until_equal(one, two)

        assert texts(one) == texts(two)


async def test_what_a_dead_writer_left_is_mended(kafka: KafkaConfig) -> None:
    """A refused record that ends the log is overwritten by the object, before compaction keeps it."""
    async with following(kafka) as one:
        made = await one.put(THINGS, "a", Thing("first"), expected=0)
    producer = AIOKafkaProducer(**kafka.producer_options("tests"))
    await producer.start()
    key, value, headers = record(THINGS, "a", Thing("second"), made.version, 0)
    await producer.send_and_wait(kafka.topics.config, value, key=key, headers=headers)
    await producer.stop()
    async with following(kafka) as two:
        assert two.objects.overtaken == {("things", "a")}
        await two.mend()
        assert two.objects.overtaken == set()
        assert texts(two) == {"a": "first"}
        assert two.objects.table(THINGS).entry("a").version > made.version


async def test_a_log_that_begins_anew_is_read_anew(kafka: KafkaConfig) -> None:
    """Whose position is beyond the log, as the topic was made anew, forgets what was in the old one."""
    async with following(kafka) as one:
        await one.put(THINGS, "a", Thing("1"))
    late = ConfigLog(kafka, SystemClock(), (THINGS,))
    await late.start()
    late.objects.take(b"things/of-the-old-log", b'{"text": "2"}', {})
    assert late._consumer is not None
    late._consumer.seek(TopicPartition(kafka.topics.config, 0), 1000)
    tasks = Tasks()
    tasks.start(late.run(), name="config")
    async with asyncio.timeout(20):
        while texts(late) != {"a": "1"}:  # noqa: ASYNC110 - a follower tells nobody
            await asyncio.sleep(0.02)
    await late.put(THINGS, "c", Thing("3"))
    assert texts(late) == {"a": "1", "c": "3"}
    await tasks.abort()
    await late.stop()


async def test_without_its_topic_it_says_so(kafka: KafkaConfig) -> None:
    """A topic that was not made is named, instead of waited for."""
    from msgspec.structs import replace

    other = replace(kafka, topics=Topics(f"{kafka.topics.prefix}other."))
    with pytest.raises(MissingPartition, match="config does not exist"):
        await ConfigLog(other, SystemClock(), (THINGS,)).start()


async def test_a_write_that_the_log_does_not_take(
    tmp_path: Path, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the broker away a write fails with what to do, and what was read stays."""
    monkeypatch.setattr(config_log, "WRITE_TIMEOUT", 0.5)
    broker = Broker(BrokerConfig(folder=tmp_path / "broker"))
    address = await broker.start()
    kafka = KafkaConfig(bootstrap_servers=address, topics=Topics(topic_prefix))
    await topics.ensure(kafka, table(kafka.topics, 1, 1, Retention()), None)
    async with following(kafka) as one:
        await one.put(THINGS, "a", Thing("1"))
        await broker.close()
        monkeypatch.setattr(config_log, "CLOSE_TIMEOUT", 0.5)
        with pytest.raises(LogUnavailable):
            await one.put(THINGS, "a", Thing("2"))

        assert texts(one) == {"a": "1"}
