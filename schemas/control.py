"""Records of `llm.control`: what all processes are told. Every process reads all of it."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from schemas.requests import Position

CANCEL_TYPE = b"llm.control.cancel"
HEARTBEAT_TYPE = b"llm.control.heartbeat"
PURGE_TYPE = b"llm.control.purge"
HANDLED_TYPE = b"llm.control.handled"
Role = Literal["ingress", "streams", "sinks"]


class Cancellation(Struct, frozen=True, tag="cancel"):
    """Stop working on a request: its client went away, or it was refused after it had been sent."""

    request_id: str
    reason: Literal["disconnected", "unacknowledged", "requested"]


class CacheReport(Struct, frozen=True, omit_defaults=True):
    """What the caches of one worker did since they were first used, restarts included."""

    worker: str  # the same after a restart
    results: dict[str, int] = {}  # requests by what the caches were to them, as in an exchange
    input_tokens: int = 0  # of the calls that were not made
    output_tokens: int = 0
    cost: float = 0.0  # USD, as far as prices are known
    seconds: float = 0.0
    semantic: SemanticReport | None = None


class SemanticReport(Struct, frozen=True, omit_defaults=True):
    """The account of the semantic cache. What it counts fades away over some 20,000 requests in each
    namespace; `compared` and what follows does not."""

    mode: str  # threshold or verified
    shadow: bool = False  # nothing is served: it is only measured
    max_error_rate: float | None = None
    requests: float = 0.0  # that reached it
    served: float = 0.0
    wrong: float = 0.0  # estimated
    variance: float = 0.0  # of that estimate
    judged: float = 0.0  # of the served ones
    same: int = 0  # comparisons
    different: int = 0
    undecided: int = 0
    calls: int = 0  # that were made for comparisons
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0  # USD


class Heartbeat(Struct, frozen=True, tag="heartbeat"):
    """A process says each second that it lives and what it has to do."""

    role: Role
    boot_id: str  # new at each start
    host: str
    pid: int
    time: float  # epoch seconds
    stopping: bool = False
    slot: int | None = None  # of an ingress
    partitions: tuple[int, ...] = ()  # assigned to a worker (of the interactive lane) or a sink
    running: int = 0  # requests; of a worker those of the interactive lane, as in all that follows
    queued: int = 0  # delivered, not started
    lag: int = 0  # records behind the end of the assigned partitions
    service_time: float = 0.0  # seconds a request, moving average
    batch_partitions: tuple[int, ...] = ()  # the same of a worker's batch lane
    batch_running: int = 0
    batch_queued: int = 0
    batch_lag: int = 0
    cache: CacheReport | None = None  # of a worker that gives answers again
    # Of a worker: `instance/model` that is not asked as usual, and why: open, half_open, resting.
    breakers: dict[str, str] = {}


class Purge(Struct, frozen=True, tag="purge", omit_defaults=True):
    """Forget kept answers: those of which all that is said here holds, and that are older than this."""

    time: float  # epoch seconds
    key: str | None = None
    tag: str | None = None
    model: str | None = None
    user_path: str | None = None  # and those below


class Handled(Struct, frozen=True, tag="handled"):
    """A worker has recorded and answered a request whose partition went to another meanwhile."""

    positions: tuple[Position, ...]  # of every record of it that the worker was given


Control = Cancellation | Heartbeat | Purge | Handled
TYPE_OF: dict[type[Control], bytes] = {
    Cancellation: CANCEL_TYPE,
    Heartbeat: HEARTBEAT_TYPE,
    Purge: PURGE_TYPE,
    Handled: HANDLED_TYPE,
}
_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Control] = msgspec.json.Decoder(Control)


def encode(record: Control) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers."""
    return _encode(record), [("ce_type", TYPE_OF[type(record)])]


def decode(value: bytes) -> Control:
    """msgspec.DecodeError if it is no control record."""
    try:
        return _decoder.decode(value)
    except UnicodeDecodeError as error:  # msgspec lets it through
        raise msgspec.DecodeError(str(error)) from error
