"""The control topic, as a worker reads it."""

from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.clock import SystemClock
from schemas.control import Cancellation, Handled, Heartbeat, Role, encode
from schemas.kafka import KafkaConfig
from schemas.requests import Position
from schemas.topics import Topics
from streams.control import ControlReader

HERE = Position("llm.requests", 2, 9)
ROLES: tuple[Role, ...] = ("streams", "ingress")


class Others:
    """What is heard of other workers."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []

    def heard(self, boot_id: str) -> None:
        self.said.append(("heard", boot_id))

    def handled(self, positions: Iterable[Position]) -> None:
        self.said.append(("handled", positions))


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
        beats = [Heartbeat(role, "b", "h", 1, clock.time()) for role in ROLES]
        for said in (*beats, Handled((HERE,))):
            value, headers = encode(said)
            await producer.send_and_wait(kafka.topics.control, value, headers=headers)
    finally:
        await producer.stop()
    cancelled: list[str] = []
    others = Others()
    reader = ControlReader(kafka, clock, lambda name, *, left: cancelled.append(name), others)
    await reader.open()
    await reader.close()

    assert cancelled == ["recent"]
    assert others.said == [("heard", "b"), ("handled", (HERE,))]
