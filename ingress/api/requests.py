"""`/v1/requests/<id>`: what became of a request, for those who did not wait, or could not.

Any ingress process answers, whichever took the request: see `ingress/past.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from ingress.admission import Ticket
from ingress.auth import who
from ingress.caller import user_path
from ingress.detached import Status
from ingress.errors import error_answer, identity_lines
from ingress.events import Numbered
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.resume import progress, resume, whole
from ingress.wire import Answer
from schemas.clock import from_rfc3339
from schemas.errors import GatewayError, InvalidRequest
from schemas.kept import Kept
from schemas.requests import Request

LAST_EVENT_ID = "last-event-id"
_JSON = b"content-type: application/json\r\ncache-control: no-store\r\n"
_encode = msgspec.json.Encoder().encode

Work = Callable[[Gateway, IncomingRequest, Request | Kept, Ticket], Awaitable[int]]


async def earlier_request(request: IncomingRequest, name: str) -> Answer | None:
    """GET: how far it is, or its answer. DELETE: cancel it."""
    return await _answered(request, name, _cancel if request.method == "DELETE" else _show)


async def events(request: IncomingRequest, name: str) -> Answer | None:
    """GET: the events of its stream that the caller has not seen, each with its number."""
    return await _answered(request, name, _resume)


async def _answered(request: IncomingRequest, name: str, work: Work) -> Answer | None:
    gateway: Gateway = request.app.ctx.gateway
    began = gateway.clock.monotonic()
    answer = None
    try:
        gateway.identify(request)
        principal = who(gateway, request)
        client, path = principal.name, principal.path(user_path(request.headers))
        gateway.check()
        with gateway.admission.enter(0).held(gateway.clock) as ticket:
            found = await gateway.past.find(name, client, path)
            # From here on we speak of that request, and as its caller understands it.
            request.gateway_id = found.request_id
            request.dialect = found.dialect  # type: ignore[assignment]  # a kept one's is text
            status = await work(gateway, request, found, ticket)
    except GatewayError as error:
        answer = error_answer(request, error)
        status = error.status
    gateway.observe("requests", status, began)
    return answer


async def _show(
    gateway: Gateway, request: IncomingRequest, found: Request | Kept, ticket: Ticket
) -> int:
    state = await progress(gateway, request, found, ticket)
    if state.ended:
        return await whole(gateway, request, state)
    if state.slot.error is not None:
        raise state.slot.error
    return _say(request, found, state.status)


async def _cancel(
    gateway: Gateway, request: IncomingRequest, found: Request | Kept, ticket: Ticket
) -> int:
    state = await progress(gateway, request, found, ticket)
    if state.ended:
        return _say(request, found, state.status)
    await gateway.signals.cancel_now(found.request_id)
    return _say(request, found, "cancelling")


async def _resume(
    gateway: Gateway, request: IncomingRequest, found: Request | Kept, ticket: Ticket
) -> int:
    return await resume(gateway, request, found, Numbered(_seen(request)), ticket)


def _say(request: IncomingRequest, found: Request | Kept, status: str) -> int:
    made = found.created if isinstance(found, Request) else from_rfc3339(found.created_at)
    content = _encode(Status(found.request_id, status, int(made)))
    answer = Answer(200, _JSON + identity_lines(request), content)
    request.stream.respond(answer)
    request.responded = True
    return answer.status


def _seen(request: IncomingRequest) -> int:
    """How many events the caller has: a reader that connects again by itself says it in the header."""
    name, given = LAST_EVENT_ID, request.headers.get(LAST_EVENT_ID)
    if not given:
        name, given = "starting_after", request.args.get("starting_after")
    if not given:
        return 0
    if not (given.isascii() and given.isdecimal() and len(given) < 16):
        raise InvalidRequest(f"`{name}` must be the number of events seen.", param=name)
    return int(given)
