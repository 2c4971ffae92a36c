"""Records that no store will take, as they go to `llm.dead-letters`: the original bytes and the reason."""

from __future__ import annotations

import structlog
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import MessageSizeTooLargeError, RecordTooLargeError
from msgspec import Struct

from schemas import headers as h
from schemas.headers import Headers

log = structlog.get_logger()

MAX_REASON_CHARS = 2000


class DeadLetter(Struct, frozen=True):
    """A record and why it is dead; `fqcn` is the full name of the exception's class."""

    record: ConsumerRecord
    fqcn: str
    reason: str

    @property
    def headers(self) -> Headers:
        """The record's own headers and Spring's: integers big-endian, as its recoverer writes them."""
        origin = self.record
        reason = self.reason[:MAX_REASON_CHARS].encode(errors="replace")
        return [
            *origin.headers,
            (h.DLT_EXCEPTION_FQCN, self.fqcn.encode()),
            (h.DLT_EXCEPTION_MESSAGE, reason),
            (h.DLT_ORIGINAL_TOPIC, origin.topic.encode()),
            (h.DLT_ORIGINAL_PARTITION, origin.partition.to_bytes(4, "big")),
            (h.DLT_ORIGINAL_OFFSET, origin.offset.to_bytes(8, "big")),
            (h.DLT_ORIGINAL_TIMESTAMP, origin.timestamp.to_bytes(8, "big", signed=True)),
        ]


async def publish(producer: AIOKafkaProducer, topic: str, letter: DeadLetter) -> None:
    """Return when the log has acknowledged it; KafkaError if it does not."""
    origin = letter.record
    log.warning(
        "dead_letter",
        topic=origin.topic,
        partition=origin.partition,
        offset=origin.offset,
        reason=letter.reason[:MAX_REASON_CHARS],
    )
    key = origin.key
    if key is None and origin.value is None:
        key = b""  # aiokafka takes no record without both
    try:
        await producer.send_and_wait(topic, origin.value, key=key, headers=letter.headers)
    except (MessageSizeTooLargeError, RecordTooLargeError):
        # The headers made it too long. Where it stands is in them, and there it can still be read.
        await producer.send_and_wait(topic, None, key=origin.key or b"", headers=letter.headers)
