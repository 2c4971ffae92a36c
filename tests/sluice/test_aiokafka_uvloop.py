"""A write to a closed connection, on the loop that the roles run on."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from sluice import aiokafka_uvloop


async def test_a_closed_transport_is_a_connection_error(kafka_bootstrap: str) -> None:
    """aiokafka gets the error that it survives, whatever the loop raises."""
    aiokafka_uvloop.install()
    aiokafka_uvloop.install()
    host, _, port = kafka_bootstrap.partition(":")
    connection = await create_conn(host, int(port))
    writer = connection._writer
    writer.transport.abort()
    await asyncio.sleep(0)
    connection._writer = writer  # the reader's task may not have noticed yet

    with pytest.raises(KafkaConnectionError):
        await connection.send(MetadataRequest([]))
    assert AIOKafkaConnection.send.__wrapped__.__name__ == "send"


async def test_clients_work_as_before(kafka_bootstrap: str, topic_prefix: str) -> None:
    """The cure is not in the way of a healthy connection."""
    aiokafka_uvloop.install()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    assert producer.client.cluster.brokers()
    await producer.stop()
