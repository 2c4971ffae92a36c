"""Answers to requests that began earlier, maybe in another process: whole, or from some event on."""

from __future__ import annotations

from msgspec import Struct

from ingress.admission import Ticket
from ingress.deliver import finished, first_record, is_stream, plain, stream
from ingress.events import Unseen
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.past import Told
from ingress.replies import GRACE, Slot
from ingress.wire import SlowReader
from schemas.bodies import envelope
from schemas.errors import Cancelled, InvalidRequest
from schemas.identity import record_key
from schemas.kept import Kept
from schemas.requests import Request
from schemas.topics import MAX_EXCHANGE_BYTES


class Progress(Struct, frozen=True):
    """How far a request is, and what there is of its answer."""

    slot: Slot
    told: Told

    @property
    def ended(self) -> bool:
        return self.slot.ended

    @property
    def status(self) -> str:
        """In the words of outcomes, and before: `queued`, `in_progress`."""
        slot = self.slot
        if not slot.ended:
            return "in_progress" if self.told.begun or slot.head is not None else "queued"
        if not slot.failed:
            return "completed"
        cancelled = slot.head is not None and slot.head.status == Cancelled.status
        return "cancelled" if cancelled else "failed"


async def progress(
    gateway: Gateway,
    request: IncomingRequest,
    found: Request | Kept,
    ticket: Ticket,
    events: Unseen | None = None,
) -> Progress:
    """All that there is of an answer now; Gone, LogUnavailable, Overloaded."""

    def open_slot() -> Slot:
        slot = Slot(record_key(found.request_id), MAX_EXCHANGE_BYTES, request.transport.abort)
        slot.events = events
        slot.accept()
        slot.deadline = slot.due = _deadline(gateway, found)
        return slot

    slot, told = await gateway.past.tell(found, open_slot, ticket.grow)
    return Progress(slot, told)


def _deadline(gateway: Gateway, found: Request | Kept) -> float:
    """On our monotonic clock, with the grace in which a worker's own word on it may still come."""
    left = gateway.config.request_timeout
    if isinstance(found, Request) and found.deadline is not None:
        left = max(0.0, found.deadline - gateway.clock.time())
    return gateway.clock.monotonic() + left + GRACE


async def whole(gateway: Gateway, request: IncomingRequest, found: Progress) -> int:
    """Deliver an answer that has ended."""
    try:
        return (await finished(found.slot, request, gateway.delivery)).status
    except SlowReader:
        request.transport.abort()
        return Cancelled.status


async def resume(
    gateway: Gateway,
    request: IncomingRequest,
    found: Request | Kept,
    events: Unseen,
    ticket: Ticket,
) -> int:
    """Deliver the events that the caller has not seen, and go on live until the stream ends.

    Whoever reads so may leave and come again: that cancels nothing.
    """
    if isinstance(found, Request) and found.relay is None and not envelope(found).stream:
        raise InvalidRequest("This request was not streamed: its answer has no events.")
    state = await progress(gateway, request, found, ticket, events)
    slot = state.slot
    slot.limit = slot.size + gateway.config.reply_buffer
    ticket.free_body()
    try:
        if state.told.partition is None:
            return await _deliver(gateway, request, slot)
        with gateway.follower.following(slot, state.told.partition, state.told.end):
            return await _deliver(gateway, request, slot)
    except SlowReader:
        request.transport.abort()
        return Cancelled.status


async def _deliver(gateway: Gateway, request: IncomingRequest, slot: Slot) -> int:
    head = await first_record(slot)
    if is_stream(head) and not request.stream.head_only:
        return (await stream(slot, request, gateway.delivery, gateway.clock)).status
    if not is_stream(head) and head.status < 400:
        raise InvalidRequest("This request was not streamed: its answer has no events.")
    return (await plain(slot, request, gateway.delivery)).status
