"""What cannot be processed."""

from typing import Any

import pytest

from schemas.metrics import Metrics
from streams.dead_letters import DeadLetters
from tests.streams.fakes import record


class FakeLog:
    def __init__(self) -> None:
        self.written: list[tuple[bytes | None, bytes | None, dict[str, bytes]]] = []

    async def write(self, topic: str, value: bytes | None, **kwargs: Any) -> None:
        self.written.append((kwargs["key"], value, dict(kwargs["headers"])))


async def test_the_original_is_kept_with_where_it_came_from() -> None:
    """Bytes, key and headers as they were; Spring's headers beside them."""
    log = FakeLog()
    message = record(7, "a")
    await DeadLetters(log, "llm.dead-letters", Metrics()).bury(
        message, "Malformed", "it is no request"
    )  # type: ignore[arg-type]

    ((key, value, headers),) = log.written
    assert (key, value) == (message.key, message.value)
    assert headers["ce_id"] == b"a"
    assert headers["kafka_dlt-exception-fqcn"] == b"Malformed"
    assert headers["kafka_dlt-exception-message"] == b"it is no request"
    assert headers["kafka_dlt-original-topic"] == b"llm.requests"
    assert int.from_bytes(headers["kafka_dlt-original-offset"], "big") == 7


@pytest.mark.parametrize("timestamp", [-0.001, None, 0.0, 4e9])
async def test_odd_records_are_kept_too(timestamp: float | None) -> None:
    """No timestamp, no key, no value, a reason of any length: nothing of a record can stop its burial."""
    log = FakeLog()
    message = record(7)
    message.key = message.value = None
    message.timestamp = timestamp  # type: ignore[assignment]
    message.headers = [("null", None), ("odd", b"\xff")]  # type: ignore[list-item]
    await DeadLetters(log, "t", Metrics()).bury(message, "Malformed", "\udc80" * 10_000)  # type: ignore[arg-type]

    ((key, _, headers),) = log.written
    assert key == b""
    assert len(headers["kafka_dlt-exception-message"]) == 4000
    assert "null" not in headers
