"""What the admin API answers of the log: requests, dead letters, replays. `sluice/operations/` has the
structs that it is made of, which an ingress does not know."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from schemas.requests import Position


class Line(Struct):
    """A dead letter in a list."""

    number: int
    at: str
    kind: Literal["request", "exchange", "unknown"]
    exception: str
    reason: str
    request_id: str
    topic: str | None
    partition: int | None
    offset: int | None
    bytes: int


class DeadLetters(Struct):
    """The last ones, the oldest first."""

    letters: list[Line]


class DeadLetter(Struct):
    """One, whole."""

    letter: Line
    key: str | None
    headers: list[tuple[str, str]]
    body: Any


class Redriven(Struct):
    """What became of one."""

    number: int
    redriven: bool
    request_id: str
    why: str


class Redrives(Struct):
    """What became of those that were meant."""

    dry_run: bool
    letters: list[Redriven]


class Standing(Struct):
    """All that the log says of one request."""

    request_id: str
    status: str
    client_request_id: str | None
    source: str | None
    user_path: str | None
    batch_id: str | None
    custom_id: str | None
    made: str | None
    deadline: str | None
    reply_topic: str | None
    reply_partition: int | None
    places: list[Position]
    ahead: int | None
    worker: dict[str, Any] | None
    cancelled: str | None
    answering: dict[str, Any] | None
    letter: int | None
    exchange: dict[str, Any] | None


class Standings(Struct):
    """Requests of that name."""

    requests: list[Standing]


class Ended(Struct):
    """How a request ended that was cancelled; null if it had not when the wait was over."""

    request_id: str
    outcome: str | None


class Cancelled(Struct):
    """Requests of that name."""

    requests: list[Ended]


class Run(Struct, omit_defaults=True):
    """One run of recorded requests."""

    id: str
    status: Literal["reading", "running", "completed", "failed", "cancelled"]
    model: str
    created_at: str
    requests: int | None = None
    done: int = 0
    comparison: dict[str, Any] | None = None
    error: str | None = None


class Replays(Struct):
    """The runs of this process, the newest first."""

    replays: list[Run]
