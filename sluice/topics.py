"""Makes the topics, keeps their settings, and describes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from msgspec import Struct

from schemas.kafka import KafkaConfig
from schemas.topics import Topic

log = structlog.get_logger()

DEFAULT_REPLICATION = 3
CONNECT_TIMEOUT = 10.0  # seconds for one attempt to reach the cluster
MAX_BACKOFF = 10.0
CREATION_TIMEOUT = 30.0  # seconds until a new topic has a leader for every partition
_DYNAMIC_TOPIC_CONFIG = 1  # DescribeConfigs source of what was set on the topic itself


class TopicsError(Exception):
    """The topics are not as they must be; the message says what to do."""


class Change(Struct, frozen=True):
    """What was done to one topic."""

    topic: str
    action: str  # created | updated | unchanged
    partitions: int


class Description(Struct, frozen=True):
    """One topic as it stands on the cluster."""

    name: str
    partitions: int  # 0: it does not exist
    end_offsets: tuple[int, ...]
    records: int  # from the first to the last offset of all partitions
    retention_ms: int | None
    max_message_bytes: int | None
    summary: str


Ensure = Callable[[], Awaitable[list[Change]]]


@asynccontextmanager
async def admin_client(kafka: KafkaConfig) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client; KafkaError, OSError or TimeoutError if the cluster is away."""
    client = AIOKafkaAdminClient(**kafka.client_options("sluice-admin"))
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await client.start()
        yield client
    finally:
        await client.close()


async def ensure(
    kafka: KafkaConfig, wanted: Sequence[Topic], replication: int | None
) -> list[Change]:
    """Create what is missing, set retention and record size, check partitions; TopicsError if they differ."""
    async with admin_client(kafka) as admin:
        created = await _create_missing(admin, wanted, replication)
        await _wait_for_leaders(admin, [topic.name for topic in wanted])
        counts = await _partitions(admin, [topic.name for topic in wanted])
        _check(wanted, counts)
        changes = []
        for topic in wanted:
            updated = topic.name not in created and await _set_config(admin, topic)
            action = "created" if topic.name in created else "updated" if updated else "unchanged"
            changes.append(Change(topic.name, action, counts[topic.name]))
        return changes


async def try_ensure(ensure_once: Ensure, servers: str, retry: float | None = None) -> bool:
    """`ensure_once`; False and a line in the log if the cluster is away. TopicsError passes through."""
    try:
        changes = await ensure_once()
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("kafka_away", servers=servers, error=describe_error(error), retry_seconds=retry)
        return False
    done = [change for change in changes if change.action != "unchanged"]
    if done:
        log.info("topics_made", topics={change.topic: change.action for change in done})
    return True


async def wait_and_ensure(ensure_once: Ensure, stop: asyncio.Event, servers: str) -> bool:
    """The same until the cluster answers; False if `stop` came first."""
    backoff = 0.25
    while not stop.is_set():
        if await try_ensure(ensure_once, servers, backoff):
            return True
        try:
            async with asyncio.timeout(backoff):
                await stop.wait()
        except TimeoutError:
            backoff = min(backoff * 2, MAX_BACKOFF)
    return False


async def describe(kafka: KafkaConfig, wanted: Sequence[Topic]) -> list[Description]:
    """All topics of the table as they stand on the cluster."""
    names = [topic.name for topic in wanted]
    async with admin_client(kafka) as admin:
        counts = await _partitions(admin, names)
        configs = {name: await _config(admin, name) for name in names if counts.get(name)}
    if not counts:
        return [await _describe_one(None, topic, 0, configs) for topic in wanted]
    consumer = AIOKafkaConsumer(
        **kafka.client_options("sluice-topics"), group_id=None, enable_auto_commit=False
    )
    async with asyncio.timeout(CONNECT_TIMEOUT):
        await consumer.start()
    try:
        return [
            await _describe_one(consumer, topic, counts.get(topic.name, 0), configs)
            for topic in wanted
        ]
    finally:
        await consumer.stop()


async def _describe_one(
    consumer: AIOKafkaConsumer | None, topic: Topic, count: int, configs: dict[str, dict[str, Any]]
) -> Description:
    partitions = [TopicPartition(topic.name, number) for number in range(count)]
    ends: dict[TopicPartition, int] = {}
    begins: dict[TopicPartition, int] = {}
    if consumer is not None and partitions:
        ends = await consumer.end_offsets(partitions)
        begins = await consumer.beginning_offsets(partitions)
    config = {key: value for key, (value, _source) in configs.get(topic.name, {}).items()}
    return Description(
        name=topic.name,
        partitions=count,
        end_offsets=tuple(ends[partition] for partition in partitions),
        records=sum(ends[partition] - begins[partition] for partition in partitions),
        retention_ms=_int(config.get("retention.ms")),
        max_message_bytes=_int(config.get("max.message.bytes")),
        summary=topic.summary,
    )


def _int(text: str | None) -> int | None:
    return None if text is None else int(text)


def describe_error(error: BaseException) -> str:
    """One line. Some errors say nothing but their name, aiokafka's begin with it."""
    name, text = type(error).__name__, str(error)
    return text if text.startswith(name) else f"{name}: {text}".rstrip(": ")


async def _create_missing(
    admin: AIOKafkaAdminClient, wanted: Sequence[Topic], replication: int | None
) -> set[str]:
    existing = await _partitions(admin, [topic.name for topic in wanted])
    missing = [topic for topic in wanted if topic.name not in existing]
    if not missing:
        return set()
    if replication is None:
        cluster = await admin.describe_cluster()
        replication = min(DEFAULT_REPLICATION, len(cluster["brokers"]))
    response = await admin.create_topics(
        [
            NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config)
            for topic in missing
        ]
    )
    created = set()
    for name, code, *message in response.topic_errors:
        if code == 0:
            created.add(name)
        elif code != TopicAlreadyExistsError.errno:  # another process was quicker
            reason = (message[0] if message else None) or for_code(code).__name__
            raise TopicsError(f"topic {name} cannot be created: {reason}")
    return created


async def _partitions(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    """Partition counts of those that exist. Asks for all topics: asking for one may create it."""
    found = await admin.describe_topics()
    return {t["topic"]: len(t["partitions"]) for t in found if t["topic"] in names}


async def _wait_for_leaders(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    async with asyncio.timeout(CREATION_TIMEOUT):
        while True:
            found = {t["topic"]: t for t in await admin.describe_topics()}
            if all(
                name in found
                and found[name]["error_code"] == 0
                and all(p["leader"] >= 0 for p in found[name]["partitions"])
                for name in names
            ):
                return
            await asyncio.sleep(0.1)


def _check(wanted: Sequence[Topic], counts: dict[str, int]) -> None:
    problems = [
        f"{topic.name} has {counts[topic.name]} partitions instead of {topic.partitions}"
        for topic in wanted
        if counts[topic.name] != topic.partitions
    ]
    if problems:
        raise TopicsError(
            "; ".join(problems)
            + ". Both lanes of requests and the exchanges must have equal counts, and every role the "
            "same settings: set SLUICE_PARTITIONS and SLUICE_REPLY_PARTITIONS to what stands "
            "there, or drain the gateway, delete these topics and run `sluice topics create`, or "
            "choose another SLUICE_TOPIC_PREFIX."
        )


async def _config(admin: AIOKafkaAdminClient, name: str) -> dict[str, tuple[str, int]]:
    """Value and source of every entry of a topic's configuration."""
    responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    entries: dict[str, tuple[str, int]] = {}
    for response in responses:
        for code, message, _kind, _name, rows in response.resources:
            if code:
                raise TopicsError(
                    f"{name} cannot be described: {message or for_code(code).__name__}"
                )
            entries |= {row[0]: (row[1], row[3]) for row in rows}
    return entries


async def _set_config(admin: AIOKafkaAdminClient, topic: Topic) -> bool:
    """Set our entries where they differ. The request replaces all, so the operator's own go along."""
    current = await _config(admin, topic.name)
    if all(current.get(key, ("", 0))[0] == value for key, value in topic.config.items()):
        return False
    own = {
        key: value for key, (value, source) in current.items() if source == _DYNAMIC_TOPIC_CONFIG
    }
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=own | topic.config)
    for response in await admin.alter_configs([resource]):
        for code, message, *_ in response.resources:
            if code:
                raise TopicsError(
                    f"{topic.name} cannot be configured: {message or for_code(code).__name__}"
                )
    return True
