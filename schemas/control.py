"""Records of `llm.control`: cancellations and heartbeats. Every process reads all of it."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

CANCEL_TYPE = b"llm.control.cancel"
HEARTBEAT_TYPE = b"llm.control.heartbeat"
Role = Literal["ingress", "streams", "sinks"]


class Cancellation(Struct, frozen=True, tag="cancel"):
    """Stop working on a request: its client went away, or it was refused after it had been sent."""

    request_id: str
    reason: Literal["disconnected", "unacknowledged", "requested"]


class Heartbeat(Struct, frozen=True, tag="heartbeat"):
    """A process says each second that it lives and what it has to do."""

    role: Role
    boot_id: str  # new at each start
    host: str
    pid: int
    time: float  # epoch seconds
    stopping: bool = False
    slot: int | None = None  # of an ingress
    partitions: tuple[int, ...] = ()  # assigned to a worker or a sink
    running: int = 0  # requests
    queued: int = 0  # delivered, not started
    lag: int = 0  # records behind the end of the assigned partitions
    service_time: float = 0.0  # seconds a request, moving average


Control = Cancellation | Heartbeat
_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Control] = msgspec.json.Decoder(Control)


def encode(record: Control) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers."""
    ce_type = CANCEL_TYPE if isinstance(record, Cancellation) else HEARTBEAT_TYPE
    return _encode(record), [("ce_type", ce_type)]


def decode(value: bytes) -> Control:
    """msgspec.DecodeError if it is no control record."""
    try:
        return _decoder.decode(value)
    except UnicodeDecodeError as error:  # msgspec lets it through
        raise msgspec.DecodeError(str(error)) from error
