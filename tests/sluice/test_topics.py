"""`sluice topics` on the embedded broker and on real Kafka: the same suite."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.kafka import KafkaConfig
from schemas.topics import Retention, Topics, table
from sluice import topics
from sluice.broker import Broker, BrokerConfig
from tests import services

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["embedded", "kafka"])
async def kafka(
    request: pytest.FixtureRequest, tmp_path: Path, topic_prefix: str
) -> AsyncIterator[KafkaConfig]:
    if request.param == "kafka":
        address = request.getfixturevalue("kafka_bootstrap")
        yield KafkaConfig(bootstrap_servers=address, topics=Topics(topic_prefix))
        return
    broker = Broker(BrokerConfig(folder=tmp_path / "broker"))
    address = await broker.start()
    yield KafkaConfig(bootstrap_servers=address, topics=Topics(topic_prefix))
    await broker.close()


def wanted(kafka: KafkaConfig, partitions: int = 2, **keep: int) -> list[topics.Topic]:
    return table(kafka.topics, partitions, 3, Retention(**keep))


async def actions(kafka: KafkaConfig, rows: list[topics.Topic]) -> dict[str, str]:
    changes = await topics.ensure(kafka, rows, None)
    return {change.topic.removeprefix(kafka.topics.prefix): change.action for change in changes}


async def seen(kafka: KafkaConfig, name: str, key: str, value: str) -> None:
    """Wait until a topic's setting reads so: Kafka acknowledges it before every broker has it."""
    deadline = time.monotonic() + 30
    while True:
        async with topics.admin_client(kafka) as admin:
            resource = ConfigResource(ConfigResourceType.TOPIC, name)
            (response,) = await admin.describe_configs([resource])
        found = {row[0]: row[1] for row in response.resources[0][4]}
        if found.get(key) == value:
            return
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def test_creating_is_idempotent(kafka: KafkaConfig) -> None:
    """The first time makes all, the second changes nothing, a new retention only what it concerns."""
    names = [
        "requests",
        "requests.batch",
        "replies",
        "exchanges",
        "idempotency",
        "control",
        "config",
        "dead-letters",
    ]
    assert await actions(kafka, wanted(kafka)) == dict.fromkeys(names, "created")
    for topic in wanted(kafka):
        await seen(kafka, topic.name, "retention.ms", topic.config["retention.ms"])
    assert await actions(kafka, wanted(kafka)) == dict.fromkeys(names, "unchanged")
    changed = await actions(kafka, wanted(kafka, replies_ms=7_200_000))
    assert changed == dict.fromkeys(names, "unchanged") | {"replies": "updated"}
    await seen(kafka, kafka.topics.replies, "retention.ms", "7200000")
    described = {topic.name: topic for topic in await topics.describe(kafka, wanted(kafka))}
    replies = described[kafka.topics.replies]
    assert replies.retention_ms == 7_200_000
    assert replies.max_message_bytes == 16 << 20
    assert replies.partitions == 3


async def test_two_that_create_at_once(kafka: KafkaConfig) -> None:
    """Several roles may make the topics at the same time."""
    await asyncio.gather(*(topics.ensure(kafka, wanted(kafka), None) for _ in range(3)))
    described = await topics.describe(kafka, wanted(kafka))
    assert [topic.partitions for topic in described] == [2, 2, 3, 2, 2, 1, 1, 1]


async def test_an_operators_own_settings_stay(kafka: KafkaConfig) -> None:
    """Changing the retention keeps what else was set on a topic."""
    await topics.ensure(kafka, wanted(kafka), None)
    name = kafka.topics.requests
    async with topics.admin_client(kafka) as admin:
        ours = wanted(kafka)[0].config
        configs = {**ours, "segment.bytes": "1048576"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=configs)])
    await seen(kafka, name, "segment.bytes", "1048576")
    assert (await actions(kafka, wanted(kafka, requests_ms=3_600_000)))["requests"] == "updated"
    await seen(kafka, name, "retention.ms", "3600000")
    await seen(kafka, name, "segment.bytes", "1048576")


async def test_other_partition_counts_are_refused(kafka: KafkaConfig) -> None:
    """Existing topics with other counts: nothing is changed, and it says which and what to do."""
    await topics.ensure(kafka, wanted(kafka), None)
    with pytest.raises(topics.TopicsError) as caught:
        await topics.ensure(kafka, wanted(kafka, partitions=4), None)
    assert f"{kafka.topics.requests} has 2 partitions instead of 4" in str(caught.value)
    assert "SLUICE_PARTITIONS" in str(caught.value)


async def test_describing_what_is_not_there(kafka: KafkaConfig) -> None:
    """Topics that do not exist are described with no partitions, and asking does not create them."""
    for _ in range(2):
        described = await topics.describe(kafka, wanted(kafka))
        assert [topic.partitions for topic in described] == [0] * 8


async def test_end_offsets(kafka: KafkaConfig) -> None:
    """Records are counted by partition."""
    await topics.ensure(kafka, wanted(kafka), None)
    producer = AIOKafkaProducer(**kafka.producer_options("tests"))
    await producer.start()
    for _ in range(3):
        await producer.send_and_wait(kafka.topics.requests, b"{}", partition=1)
    await producer.stop()
    requests = (await topics.describe(kafka, wanted(kafka)))[0]
    assert requests.end_offsets == (0, 3)
    assert requests.records == 3


async def test_waiting_for_a_cluster_that_comes(tmp_path: Path) -> None:
    """A role waits while Kafka is away and goes on when it is there; a stop ends the waiting."""
    port = services.free_port()
    kafka = KafkaConfig(bootstrap_servers=f"127.0.0.1:{port}", topics=Topics("w."))
    stop = asyncio.Event()

    async def once() -> list[topics.Change]:
        return await topics.ensure(kafka, wanted(kafka), None)

    assert await topics.try_ensure(once, "x") is False
    waiting = asyncio.get_running_loop().create_task(topics.wait_and_ensure(once, stop, "x"))
    broker = Broker(BrokerConfig(folder=tmp_path, port=port))
    await broker.start()
    assert await waiting is True
    await broker.close()
    waiting = asyncio.get_running_loop().create_task(topics.wait_and_ensure(once, stop, "x"))
    stop.set()
    assert await waiting is False


def sluice(folder: Path, env: dict[str, str], *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sluice", *command],
        cwd=folder, env={"PYTHONPATH": str(ROOT), **env},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("security", ["kafka_sasl", "kafka_ssl"])
def test_the_command_with_security(
    tmp_path: Path, request: pytest.FixtureRequest, topic_prefix: str, security: str
) -> None:
    """`create` and `describe` reach a cluster that asks for a password, and one with TLS."""
    env = {**request.getfixturevalue(security), "SLUICE_TOPIC_PREFIX": topic_prefix}
    missing = sluice(tmp_path, env, "topics", "describe")
    assert missing.returncode == 1
    assert "sluice topics create" in missing.stderr
    created = sluice(tmp_path, env, "topics", "create")
    assert created.returncode == 0, created.stderr
    assert f"{topic_prefix}requests" in created.stdout
    again = json.loads(sluice(tmp_path, env, "topics", "create", "--json").stdout)
    assert [change["partitions"] for change in again] == [8, 8, 16, 8, 8, 1, 1, 1]
    described = sluice(tmp_path, env, "topics", "describe").stdout
    assert f"{topic_prefix}replies" in described
    rows = json.loads(sluice(tmp_path, env, "topics", "describe", "--json").stdout)
    assert [row["partitions"] for row in rows] == [8, 8, 16, 8, 8, 1, 1, 1]


def test_the_command_with_other_counts(
    tmp_path: Path, kafka_bootstrap: str, topic_prefix: str
) -> None:
    """Different partition counts end `create` with exit code 1 and the remedy."""
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "SLUICE_TOPIC_PREFIX": topic_prefix}
    assert sluice(tmp_path, {**env, "SLUICE_PARTITIONS": "2"}, "topics", "create").returncode == 0
    done = sluice(tmp_path, {**env, "SLUICE_PARTITIONS": "3"}, "topics", "create")
    assert done.returncode == 1
    assert "has 2 partitions instead of 3" in done.stderr
