"""Open requests and the replies that come for them.

A `Slot` is one request that waits: a fold over its reply records which keeps order (attempt, seq,
count) and bounds what it holds. `Replies` finds the slot of a record by its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiokafka import ConsumerRecord

from ingress.events import Unseen
from schemas.envelopes import EVENT_STREAM
from schemas.errors import Expired, GatewayError, Interrupted, LogUnavailable
from schemas.metrics import Counter, Metrics
from schemas.replies import Head, ReplyRecord, from_record

GRACE = 2.0  # seconds after the deadline in which the worker's own word on it may still come


class Slot:
    """One request that waits for its answer.

    The reader feeds it, one handler consumes it. It is over when `ended` (the last record is here,
    and none is missing) or when `error` is set; what is in `pieces` then may still be written.
    """

    __slots__ = (
        "_abort",
        "_next",
        "_received",
        "_skip",
        "_waiter",
        "accepted",
        "attempt",
        "deadline",
        "due",
        "eager",
        "ended",
        "error",
        "events",
        "failed",
        "head",
        "key",
        "limit",
        "pieces",
        "ping_at",
        "size",
        "written",
    )

    def __init__(self, key: bytes, limit: int, abort: Callable[[], None]) -> None:
        self.key = key
        self.limit = limit  # bytes
        self._abort = abort  # breaks the connection of a reader that is too slow
        self._waiter: asyncio.Future[None] | None = None
        self._next = 0  # seq that must come now
        self._received = 0  # bytes of this attempt
        self._skip = 0  # bytes of a replay that were received before
        self.accepted = False  # the log has the request
        self.eager = False  # its handler wants to know that at once
        self.attempt = -1
        self.deadline = 0.0  # monotonic, the grace included
        self.due = 0.0  # monotonic: when the clock must look at this slot
        self.ping_at = 0.0  # monotonic, 0: no keep-alive is wanted
        self.head: Head | None = None
        self.pieces: list[bytes] = []
        self.size = 0
        self.ended = False
        self.failed = False  # ended by a `failed` record
        self.error: GatewayError | None = None
        self.written = False  # bytes of this attempt went out
        self.events: Unseen | None = None  # the reader has seen some, or wants their numbers

    @property
    def records(self) -> int:
        """How many have come of this attempt."""
        return self._next

    async def wait(self) -> None:
        """Return when something has happened to the slot; also without reason now and then."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def take(self) -> bytes:
        """What has come since the last time."""
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.pieces = []
        self.size = 0
        return data

    def accept(self) -> None:
        """The log has acknowledged the request."""
        self.accepted = True
        self._reschedule()
        if self.eager:
            self._wake()

    def fail(self, error: GatewayError) -> None:
        """There will be no more of this answer; a whole one stays whole."""
        if not self.ended and self.error is None:
            self.error = error
            self._wake()

    def feed(self, record: ReplyRecord) -> bool:
        """Take the next record; False if it was a duplicate or of an older attempt."""
        if self.ended or self.error is not None or record.attempt < self.attempt:
            return False
        if record.attempt > self.attempt:
            if self.attempt >= 0 and not self._go_on(record) and not self.restart():
                return True
            self.attempt = record.attempt
        if record.seq < self._next:
            return record.kind == "begun"
        if record.seq > self._next or (record.seq == 0 and record.head is None):
            self.fail(Interrupted("Part of the answer was lost inside the gateway: ask again."))
            return True
        self._append(record)
        return True

    def _go_on(self, record: ReplyRecord) -> bool:
        """Whether the next attempt tells the same answer again, so that it can go on where this stopped.

        A worker that died between the outcome and its last reply leaves this: its successor replays
        the recorded answer, byte for byte.
        """
        if not (record.replay and record.attempt == self.attempt + 1 and self.head is not None):
            return False
        self._next = 0
        self._skip = self._received
        return True

    def restart(self) -> bool:
        """Another attempt began. What nobody has seen is dropped; after bytes the answer must end here.

        Recovery of a stream that was already begun (continuing it from another attempt) belongs here.
        """
        if self.written or (self.events is not None and self.events.shown):
            self.fail(Interrupted())
            return False
        if self.events is not None:
            self.events.restart()
        self._next = self._received = 0
        self.head = None
        self.pieces = []
        self.size = 0
        return True

    def _append(self, record: ReplyRecord) -> None:
        self._next += 1
        if record.head is not None and self.head is None:
            self.head = record.head
        value = self._value(record)
        self._received += len(value)
        if self.events is not None:
            value = self._counted(self.events, value, record)
        if value:
            self.pieces.append(value)
            self.size += len(value)
        if record.count is not None:
            if record.count != self._next:
                self.fail(Interrupted("Part of the answer was lost inside the gateway: ask again."))
                return
            self.ended = True
            self.failed = record.kind == "failed"
        elif self.size > self.limit:
            self.fail(Interrupted("The answer was not read fast enough."))
            self.pieces = []
            self._abort()
            return
        self._wake()

    def _counted(self, events: Unseen, value: bytes, record: ReplyRecord) -> bytes:
        """The events of a stream that its reader has not seen; anything else as it is."""
        if self.head is None or not self.head.content_type.startswith(EVENT_STREAM):
            return value
        found = events.feed(value)
        return found if record.count is None else found + events.rest()

    def _value(self, record: ReplyRecord) -> bytes:
        """What is new in a record, as the client is to see it."""
        value = record.value
        if self._skip:
            known = min(self._skip, len(value))
            self._skip -= known
            return value[known:]
        return self._in_band(record) if record.kind == "failed" and not record.replay else value

    def _in_band(self, record: ReplyRecord) -> bytes:
        """A failure after the beginning of a stream as the event that it must be."""
        head = self.head
        value = record.value
        if record.seq == 0 or head is None or not head.content_type.startswith(EVENT_STREAM):
            return value
        if value.lstrip().startswith((b"data:", b"event:")):
            return value
        return b"data: " + value.replace(b"\n", b" ") + b"\n\n"

    def tick(self, now: float) -> None:
        """Called when `due` has passed."""
        if not self.accepted and self.head is None:
            self.fail(LogUnavailable(retry_after=2))
        elif now >= self.deadline:
            self.fail(Expired())
        self._reschedule()
        self._wake()

    def ping_in(self, now: float, interval: float) -> None:
        """Wake the handler when nothing came for `interval` seconds."""
        self.ping_at = now + interval
        self._reschedule()

    def _reschedule(self) -> None:
        self.due = min(self.deadline, self.ping_at) if self.ping_at else self.deadline

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def take(slot: Slot, record: ConsumerRecord[bytes, bytes]) -> bool:
    """Feed a slot with a record of its; False if nothing of it was new."""
    try:
        reply = from_record(record.headers, record.value)
    except (KeyError, ValueError):
        slot.fail(Interrupted("A piece of the answer was unreadable inside the gateway."))
        return True
    return slot.feed(reply)


class Replies:
    """All open slots of this process."""

    __slots__ = ("_late", "_limit", "_open")

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self._open: dict[bytes, Slot] = {}
        self._limit = limit
        self._late: Counter = metrics.counter("sluice_late_replies")

    def __len__(self) -> int:
        return len(self._open)

    def open(self, key: bytes, abort: Callable[[], None]) -> Slot:
        """A new slot; to be closed by whoever opened it."""
        slot = self._open[key] = Slot(key, self._limit, abort)
        return slot

    def close(self, slot: Slot) -> None:
        """Nobody waits for this slot any more."""
        self._open.pop(slot.key, None)

    def receive(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """Take a record of the reply partition."""
        slot = self._open.get(record.key) if record.key is not None else None
        if slot is None:
            self._late.inc()
            return
        if not take(slot, record):
            self._late.inc()

    def interrupt(self, error: GatewayError) -> None:
        """Fail everything that waits."""
        for slot in list(self._open.values()):
            slot.fail(error)

    def tick(self, now: float) -> None:
        """Deadlines and keep-alives of all slots: one pass a tick is cheaper than a timer a request."""
        for slot in [slot for slot in self._open.values() if now >= slot.due]:
            slot.tick(now)
