"""What cannot be processed: the original bytes, with Spring's headers and the reason."""

from __future__ import annotations

import traceback

import structlog

from schemas import headers as h
from schemas.headers import Headers
from schemas.metrics import Metrics
from streams.delivery import Message
from streams.log import Log

log = structlog.get_logger()

MAX_REASON = 4000  # bytes; of a traceback its end, which names the error


class DeadLetters:
    """Writes to `llm.dead-letters`."""

    def __init__(self, producers: Log, topic: str, metrics: Metrics) -> None:
        self._log = producers
        self._topic = topic
        self._count = metrics.counter("sluice_dead_letters", "streams")

    async def bury(self, message: Message, kind: str, reason: str) -> None:
        """Returns when it is acknowledged. `kind` is the exception's class, as Spring names it."""
        self._count.inc()
        log.error(
            "dead_letter",
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            kind=kind,
            reason=reason[-300:],
        )
        headers: Headers = [
            *((name, value) for name, value in message.headers if value is not None),
            (h.DLT_EXCEPTION_FQCN, kind.encode()),
            (h.DLT_EXCEPTION_MESSAGE, reason.encode(errors="replace")[-MAX_REASON:]),
            (h.DLT_ORIGINAL_TOPIC, message.topic.encode()),
            (h.DLT_ORIGINAL_PARTITION, message.partition.to_bytes(4, "big")),
            (h.DLT_ORIGINAL_OFFSET, message.offset.to_bytes(8, "big")),
            (h.DLT_ORIGINAL_TIMESTAMP, _milliseconds(message.timestamp)),
        ]
        # aiokafka takes no record without key and value, and a tombstone may have neither.
        key = b"" if message.key is None and message.value is None else message.key
        await self._log.write(self._topic, message.value, key=key, headers=headers)


def _milliseconds(seconds: float | None) -> bytes:
    """Kafka's own -1 where a record has no time."""
    value = -1 if seconds is None else int(seconds * 1000)
    return value.to_bytes(8, "big", signed=True)


def reason_of(error: Exception) -> str:
    """What a letter says of a fault of ours."""
    return "".join(traceback.format_exception(error))
