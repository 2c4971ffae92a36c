"""The fixtures and the service scripts keep their promises."""

import asyncio
import socket
import urllib.request
from collections.abc import Callable

import pytest
import redis
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import MongoClient

from deploy.services import ports
from deploy.services.processes import Record
from deploy.services.redis import Redis
from deploy.services.terminal import ServiceError
from tests.network import NetworkBlocked
from tests.services import OwnService


async def test_kafka_returns_what_was_sent(kafka_bootstrap: str, topic_prefix: str):
    """A record goes in and comes out; auto-creation is off, so the topic is made first."""
    await _create_topic(kafka_bootstrap, topic_prefix + "echo")
    await _round_trip(topic_prefix + "echo", bootstrap_servers=kafka_bootstrap)


async def test_kafka_asks_for_a_password(kafka_sasl: dict[str, str], kafka_bootstrap: str):
    """The second listener lets the given user in, and nobody else."""
    options = {
        "bootstrap_servers": kafka_sasl["KAFKA_BOOTSTRAP_SERVERS"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": kafka_sasl["KAFKA_SASL_USERNAME"],
    }
    async with AIOKafkaProducer(
        **options, sasl_plain_password=kafka_sasl["KAFKA_SASL_PASSWORD"]
    ) as producer:
        assert producer.client.cluster.brokers()


def test_redis_and_mongodb_keep_a_value(redis_url: str, mongodb_url: str, session_prefix: str):
    """Both answer their official client."""
    with redis.Redis.from_url(redis_url) as client:
        client.set(session_prefix + "key", "value", ex=60)
        assert client.get(session_prefix + "key") == b"value"
    with MongoClient(mongodb_url) as mongo:
        collection = mongo.get_default_database()[session_prefix + "test"]
        collection.insert_one({"_id": 1})
        assert collection.count_documents({}) == 1
        collection.drop()


def test_own_service_survives_kill(own_service: Callable[[str], OwnService]):
    """A test's own service keeps its port and its data over kill -9."""
    service = own_service("redis")
    url = service.endpoints["REDIS_URL"]
    with redis.Redis.from_url(url) as client:
        client.set("a", 1)
        client.bgrewriteaof()
    before = service.pid
    service.stop()
    assert service.pid == 0
    service.start()
    assert service.pid != before
    assert service.endpoints["REDIS_URL"] == url
    service.kill()
    service.start()
    with redis.Redis.from_url(url) as client:
        assert client.get("a") == b"1"


def test_strangers_process_is_not_ours():
    """A pid that was given out again has another start time: not alive, never stopped."""
    assert not Record(pid=1, started="not its start time").alive
    assert not Record().alive


def test_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch):
    """The next free port is taken for a default, never for one that was asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr(ports, "LIMIT", 65536)
        with ports.chosen(Redis.ports, {"redis": port}) as free:
            assert free["redis"] > port
        monkeypatch.setenv("REDIS_PORT", str(port))
        with (
            pytest.raises(ServiceError, match=f"REDIS_PORT={port}"),
            ports.chosen(Redis.ports, {}),
        ):
            pass


def test_port_is_chosen_once():
    """Of two that start at the same time, each gets its own port, though neither listens yet."""
    last_time = {"redis": 21000}
    with (
        ports.chosen(Redis.ports, last_time) as first,
        ports.chosen(Redis.ports, last_time) as second,
    ):
        assert first != second
    with ports.chosen(Redis.ports, first) as third:
        assert third == first


def test_free_ports_are_distinct(free_port: Callable[[], int]):
    """Fifty calls give fifty ports below the range of outgoing connections."""
    given = {free_port() for _ in range(50)}
    assert len(given) == 50
    assert max(given) < 32768


def test_network_is_closed():
    """Names and addresses outside loopback are refused before a packet leaves."""
    with pytest.raises(NetworkBlocked):
        socket.create_connection(("192.0.2.1", 80), 1)
    with pytest.raises(NetworkBlocked):
        urllib.request.urlopen("http://example.invalid/")


async def test_network_is_closed_in_the_loop():
    """uvloop, which connects in C, is guarded, too."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, uvloop.Loop)
    with pytest.raises(NetworkBlocked):
        await loop.create_connection(asyncio.Protocol, "192.0.2.1", 80)
    with pytest.raises(NetworkBlocked):
        await loop.getaddrinfo("example.invalid", 80)


async def _create_topic(address: str, name: str) -> None:
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1)])
    await admin.close()


async def _round_trip(topic: str, bootstrap_servers: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        await producer.send_and_wait(topic, b"value")
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        async with asyncio.timeout(10):
            record = await consumer.getone()
    assert record.value == b"value"
