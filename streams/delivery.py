"""A record of `llm.requests` or `llm.requests.batch` in this worker's hands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from schemas import bodies, headers as h, requests
from schemas.bodies import Envelope
from schemas.errors import InvalidRequest
from schemas.exchange import Exchange
from schemas.idempotency import key_of
from schemas.requests import Malformed, Position, Request

StopReason = Literal["cancelled", "expired", "shutdown"]


class Message(Protocol):
    """What we use of a Faust message."""

    topic: str
    partition: int
    offset: int
    timestamp: float | None  # epoch seconds; -0.001 where the producer gave none
    headers: Sequence[tuple[str, bytes]]
    key: bytes | None
    value: bytes | None


def _nobody(waits: bool) -> None:
    return


def position_of(message: Message) -> Position:
    """Where it stands in the log."""
    return Position(message.topic, message.partition, message.offset)


class Delivery:
    """One request from its delivery to its last effect. Also what the ledger asks of it."""

    __slots__ = (
        "attempt",
        "begun",
        "buried",
        "decided",
        "envelope",
        "floor",
        "handed",
        "has_place",
        "key",
        "message",
        "moved",
        "moving",
        "outcome",
        "position",
        "positions",
        "request",
        "running",
        "started",
        "stop_reason",
        "stoppable",
        "task",
        "tenant",
        "waits",
    )

    def __init__(self, message: Message, request: Request, envelope: Envelope) -> None:
        self.message = message
        self.request = request
        self.envelope = envelope
        self.attempt = 1  # of the delivery; more after crashes
        self.started = False
        self.running = False  # now, in this process
        self.handed = False  # its partition was revoked while it ran: the next owner waits for us
        self.buried = False  # its record is in the dead letters, too
        self.begun = False  # bytes of the answer may have reached the client
        self.decided = False  # the outcome is fixed, nothing stops it any more
        self.floor: int | None = None
        self.position = position_of(message)
        self.positions = [self.position]  # of all its records
        self.moving = False
        self.outcome: Exchange | None = None  # when it is in the log
        self.key = key_of(request, message.partition)
        self.has_place = False  # it runs, and counts as running
        self.tenant = request.client or request.user_path
        self.moved = h.REQUEST_ID in dict(message.headers)
        self.stop_reason: StopReason | None = None
        self.stoppable = (
            False  # the provider is being called: a cancellation has somebody to take it
        )
        self.task: asyncio.Task[Any] | None = None
        # To be told when it only waits for another's call, and when that is over.
        self.waits: Callable[[bool], None] = _nobody

    @property
    def size(self) -> int:
        return len(self.request.body)

    def stop(self, reason: StopReason) -> None:
        """End the call early; the first reason counts, and none after the answer is whole.

        Between the steps of its life a request is not cancelled: it looks at the reason before it
        calls, and what is being written to the log is written.
        """
        if self.decided or self.stop_reason is not None:
            return
        self.stop_reason = reason
        if self.stoppable and self.task is not None:
            self.task.cancel()


class Runs(Protocol):
    """Who brings a request to its outcome."""

    async def run(self, delivery: Delivery, *, redelivered: bool) -> None: ...


class Partitions(Protocol):
    """What is asked of the consumer."""

    def attach(self, delivery: Delivery, position: Position) -> None: ...
    def redelivered(self, position: Position) -> bool: ...
    def finish(self, position: Position) -> None: ...
    def owner(self, position: Position) -> str | None: ...
    def take_over(self, position: Position) -> None: ...
    def pause(self, topic: str) -> None: ...
    def resume(self, topic: str) -> None: ...


def parse(message: Message, now: float = 0.0) -> Delivery:
    """The request in a record; Malformed if it is none. `now` (epoch seconds) is the time of a record
    that has none."""
    position = position_of(message)
    headers = h.first(message.headers)
    made = message.timestamp if message.timestamp is not None and message.timestamp > 0 else now
    request = requests.from_record(headers, message.value, position, made)
    try:
        envelope = bodies.envelope(request)
    except InvalidRequest as error:
        raise Malformed(error.message, request.reply_to) from error
    return Delivery(message, request, envelope)
