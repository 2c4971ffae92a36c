"""The control topic, as a worker reads it."""

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.clock import SystemClock
from schemas.control import Cancellation, Heartbeat, encode
from schemas.kafka import KafkaConfig
from schemas.topics import Topics
from streams.control import ControlReader


async def test_cancellations_of_the_last_ten_minutes_are_known_at_the_start(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    """A worker that starts late does not run what was cancelled before it; junk disturbs nothing."""
    kafka = KafkaConfig(bootstrap_servers=kafka_bootstrap, topics=Topics(topic_prefix))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(kafka.topics.control, 1, 1)])
    await admin.close()
    clock = SystemClock()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    try:
        for seconds, name in ((3600, "old"), (60, "recent")):
            value, headers = encode(Cancellation(name, "requested"))
            at = int((clock.time() - seconds) * 1000)
            await producer.send_and_wait(
                kafka.topics.control, value, headers=headers, timestamp_ms=at
            )
        for junk in (b"", b'{"cancel"', b'{"type":"cancel"}', b"\xff"):
            await producer.send_and_wait(kafka.topics.control, junk)
        value, headers = encode(Heartbeat("streams", "b", "h", 1, clock.time()))
        await producer.send_and_wait(kafka.topics.control, value, headers=headers)
    finally:
        await producer.stop()
    cancelled: list[str] = []
    reader = ControlReader(kafka, clock, cancelled.append)
    await reader.open()
    await reader.close()

    assert cancelled == ["recent"]
