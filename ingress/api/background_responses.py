"""Responses in the background, as far as they are: the log knows them before the store does."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from ingress.background import RUNNING, response_object
from ingress.events import Unseen
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.resume import Progress, progress, resume
from schemas.clock import rfc3339
from schemas.envelopes import JSON
from schemas.errors import Cancelled, Conflict, Gone, NotFound, StoreUnavailable
from schemas.kept import Kept, asked, name_of_response
from schemas.requests import Request

DIALECT = "openai_responses"
PATIENCE = 5.0  # seconds: a worker needs a moment to stop, and a sink to store
_POLL = 0.1  # seconds
_PREFIX = name_of_response("")


class Asker(Struct, frozen=True):
    """Who asks for a Response."""

    client: str | None
    user_path: str


async def look_up(
    gateway: Gateway, request: IncomingRequest, name: str, asker: Asker
) -> Kept | None:
    """The background Response of that name, with how far it is for its outcome; None if there is none."""
    request_id = name.removeprefix(_PREFIX)
    if request_id == name:
        return None
    try:
        found = await gateway.past.find(request_id, asker.client, asker.user_path)
        if isinstance(found, Kept):
            return found if found.background else None
        if found.dialect != DIALECT or not asked(found.body).background:
            return None
        with gateway.admission.enter(0).held(gateway.clock) as ticket:
            return _kept(found, await progress(gateway, request, found, ticket))
    except (Gone, NotFound):
        return None


def _kept(found: Request, state: Progress) -> Kept:
    head, answer = state.slot.head, state.slot.take() if state.ended else b""
    return Kept(
        request_id=found.request_id,
        response_id=name_of_response(found.request_id),
        client=found.client,
        user_path=found.user_path,
        created_at=rfc3339(found.created),
        operation=found.operation,
        dialect=found.dialect,
        outcome=_outcome(state, answer),
        status=200 if head is None else head.status,
        content_type=JSON if head is None else head.content_type,
        background=True,
        request=found.body,
        answer=answer,
    )


def _outcome(state: Progress, answer: bytes) -> str:
    # A stream ends with an event in which OpenAI's dialect has no code for a cancellation; its text is ours.
    if state.status == "failed" and Cancelled().message.encode() in answer[-4096:]:
        return "cancelled"
    return state.status


async def cancelled(gateway: Gateway, request: IncomingRequest, found: Kept, asker: Asker) -> bytes:
    """Cancel it; the Response as it is then. One that has ended stays as it ended."""
    name = name_of_response(found.request_id)
    if found.outcome in RUNNING:
        await gateway.signals.cancel_now(found.request_id)
    until = gateway.clock.monotonic() + PATIENCE
    while found.outcome in RUNNING and gateway.clock.monotonic() < until:
        await asyncio.sleep(_POLL)
        found = await look_up(gateway, request, name, asker) or found
    return response_object(found)


async def forget(gateway: Gateway, found: Kept) -> None:
    """Delete it for good, which can be done when it is stored."""
    if found.outcome in RUNNING:
        raise Conflict("This response is still being made: cancel it first.")
    until = gateway.clock.monotonic() + PATIENCE
    while not await gateway.answers.delete(found.request_id):
        if gateway.clock.monotonic() >= until:
            raise StoreUnavailable("The response is not stored yet: try again.")
        await asyncio.sleep(_POLL)


async def events_after(
    gateway: Gateway, request: IncomingRequest, found: Kept, number: int, asker: Asker
) -> int:
    """Deliver the events behind the one of that sequence number, which counts from 0, and go on live."""
    begun = await gateway.past.find(found.request_id, asker.client, asker.user_path)
    with gateway.admission.enter(0).held(gateway.clock) as ticket:
        return await resume(gateway, request, begun, Unseen(number + 1), ticket)
