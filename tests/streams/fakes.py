"""Records and a clock that is moved by hand."""

import json
from typing import Any

from msgspec import Struct


class Clock:
    """Stands still until moved."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class Record(Struct):
    """A Kafka record as Faust hands it over."""

    offset: int
    value: bytes | None
    headers: list[tuple[str, bytes]] = []
    key: bytes | None = b"k"
    partition: int = 0
    topic: str = "llm.requests"
    timestamp: float = 1_000_000.0


def record(
    offset: int,
    name: str | None = None,
    stream: bool = False,
    topic: str = "llm.requests",
    **headers: Any,
) -> Record:
    """A chat request; `headers` are Kafka headers by name."""
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    found = [] if name is None else [("ce_id", name.encode())]
    found += [(key, str(value).encode()) for key, value in headers.items()]
    return Record(offset, json.dumps(body).encode(), found, topic=topic)
