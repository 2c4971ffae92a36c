"""From HTTP to the log and back: a request becomes a record, and its replies become the answer."""

from __future__ import annotations

from asyncio import CancelledError

from msgspec import Struct
from msgspec.structs import replace

from ingress.admission import Ticket
from ingress.caching import directives
from ingress.caller import (
    Caller,
    caller_of,
    content_type,
    drop_params,
    passed_headers,
    relayed_headers,
)
from ingress.deliver import first_record, is_stream, plain, stream
from ingress.detached import detach, in_background
from ingress.errors import error_answer
from ingress.events import Numbered
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.idempotency import idempotency_key, take_place
from ingress.lasting import Lasting, how_long
from ingress.replies import Slot
from ingress.spooling import Body
from ingress.tracing import answered, request_span
from ingress.wire import Answer, SlowReader
from schemas.bodies import envelope
from schemas.envelopes import JSON
from schemas.errors import (
    BodyTooLarge,
    Cancelled,
    Expired,
    GatewayError,
    Interrupted,
    LogUnavailable,
)
from schemas.identity import meeting_key, record_key
from schemas.replies import Head
from schemas.requests import Operation, Relay, Request, to_headers
from schemas.tracing import ABOUT

ORDINARY = Lasting()
FINISHED = Lasting("finish")


class Asked(Struct, frozen=True):
    """What a route makes of a request beside its body."""

    route: str  # label of the metrics
    operation: Operation = "chat"
    model: str | None = None  # named by the path
    stream: bool | None = None  # said by the path
    relay: Relay | None = None
    # Of the caller's headers, those that the provider must see, by their prefixes in lower case.
    passed: tuple[str, ...] = ()


async def take(request: IncomingRequest, asked: Asked) -> Answer | None:
    """Answer a request by the log; everything that can go wrong is an answer, too."""
    gateway: Gateway = request.app.ctx.gateway
    began = gateway.clock.monotonic()
    if gateway.tracer is not None:
        request.span = request_span(gateway.tracer, request, asked.route)
    try:
        gateway.identify(request)
        status = await _take_in(gateway, request, asked)
        answer = None
    except GatewayError as error:
        if gateway.draining:
            request.stream.keep_alive = False
        await gateway.rejections.note(request, error, asked.operation)
        answer = error_answer(request, error)
        status = error.status
    except CancelledError:
        gateway.observe(asked.route, Cancelled.status, began)
        answered(request, Cancelled.status)
        raise
    gateway.observe(asked.route, status, began)
    answered(request, status)
    return answer


async def ask(request: IncomingRequest, asked: Asked) -> tuple[Head, bytes]:
    """What the log answers to a request without a body, whole, for a handler that makes more of it.
    GatewayError."""
    gateway: Gateway = request.app.ctx.gateway
    caller = caller_of(gateway, request)
    gateway.check()
    with gateway.admission.enter(0).held(gateway.clock):
        record = _record(gateway, request, asked, caller, Body(b""))
        slot = gateway.replies.open(record_key(record.request_id), request.transport.abort)
        try:
            await gateway.log.publish(slot, b"", to_headers(record))
            head = await first_record(slot)
            while not slot.ended:
                if slot.error is not None:
                    raise slot.error
                await slot.wait()
            return head, slot.take()
        finally:
            gateway.replies.close(slot)
            _give_up(gateway, slot, record.request_id, ORDINARY)


async def refuse(request: IncomingRequest, route: str, error: GatewayError) -> Answer:
    """The answer to a request of which its path alone says that it cannot be taken."""
    gateway: Gateway = request.app.ctx.gateway
    began = gateway.clock.monotonic()
    try:
        gateway.identify(request)
        caller_of(gateway, request)
    except GatewayError as earlier:
        error = earlier
    await gateway.rejections.note(request, error)
    gateway.observe(route, error.status, began)
    return error_answer(request, error)


async def _take_in(gateway: Gateway, request: IncomingRequest, asked: Asked) -> int:
    caller = caller_of(gateway, request)
    key = idempotency_key(request)
    if key is not None:
        take_place(request, key, caller, gateway.config, gateway.clock.time())
    gateway.check()
    began = gateway.clock.monotonic()
    ticket = gateway.admission.enter(gateway.spooling.room(request))
    try:
        body = await gateway.spooling.read(request, ticket)
        # A last piece of 64 KiB or more leaves reading paused, and a disconnect unseen.
        if (transport := request.transport) is not None and not transport.is_closing():
            transport.resume_reading()
        record = _record(gateway, request, asked, caller, body, key)
        del body
        streamed = await _checked(gateway, request, record, caller)
        lasting = await _lasting(gateway, request, record)
        if lasting.keep:
            record = replace(record, keep=True)
        request.draft = None  # from here on it is the log's
        if lasting.wait is not None or (lasting.background and not streamed):
            return await detach(gateway, request, record, lasting)
        return await _exchange(gateway, request, record, ticket, lasting)
    finally:
        gateway.spooling.give_up(request.gateway_id or "")
        ticket.leave(gateway.clock.monotonic() - began)


async def _checked(
    gateway: Gateway, request: IncomingRequest, record: Request, caller: Caller
) -> bool:
    """Whether a stream is wanted; InvalidRequest, ModelAccessDenied."""
    draft = request.draft
    if draft is not None:
        draft.content = record.body
    if record.claim is None:
        found = envelope(record)
    else:
        found = await gateway.spooling.envelope(record, record.claim)
    if draft is not None:
        draft.model, draft.stream = found.model or None, found.stream
    _check_model(gateway, caller, found.model)
    return found.stream


def _check_model(gateway: Gateway, caller: Caller, name: str) -> None:
    """ModelAccessDenied if the key may not ask for the model, by the name asked for or by its own."""
    if not caller.models or not name:
        return
    model = gateway.catalog.find(name, caller.user_path)
    caller.principal.check_model(name, *(() if model is None else (model.id,)))


def _record(
    gateway: Gateway,
    request: IncomingRequest,
    asked: Asked,
    caller: Caller,
    body: Body,
    key: str | None = None,
) -> Request:
    assert request.gateway_id is not None
    headers = request.headers
    wall = gateway.clock.time()
    ABOUT.set((request.gateway_id, caller.traceparent))
    return Request(
        request_id=request.gateway_id,
        body=body.content,
        claim=body.claim,
        operation=asked.operation,
        dialect=request.dialect,
        source=gateway.source,
        user_path=caller.user_path,
        client=caller.client,
        client_ip=caller.client_ip,
        client_request_id=caller.client_request_id,
        idempotency_key=key,
        without_bodies=not caller.log_bodies,
        created=wall,
        deadline=wall + gateway.config.request_timeout,
        reply_to=gateway.reply_to,
        traceparent=caller.traceparent,
        model=asked.model,
        stream=asked.stream,
        relay=asked.relay,
        # What the lines of a batch ask for only who reads its file can tell.
        models=caller.models if asked.operation == "batches" else (),
        content_type=content_type(headers) if asked.relay else JSON,
        http_headers=relayed_headers(headers)
        if asked.relay
        else passed_headers(headers, asked.passed),
        drop_params=drop_params(headers, gateway.config.drop_params),
        cache=directives(headers) if gateway.config.sharing is not None else None,
    )


async def _lasting(gateway: Gateway, request: IncomingRequest, record: Request) -> Lasting:
    """How long the request outlives its connection. What is handed on as it is has its own ways."""
    keyed = record.idempotency_key is not None
    if record.relay is not None:
        return FINISHED if keyed else ORDINARY
    policy = gateway.on_disconnect(record.client)
    if keyed and policy == "cancel":
        # Who comes again with the same key finds the answer, and not a call that was broken off.
        policy = "finish"
    found = how_long(request.headers, policy)
    if await in_background(gateway, record):
        return replace(found, on_disconnect="background", background=True, wait=None)
    return found


async def _exchange(
    gateway: Gateway, request: IncomingRequest, record: Request, ticket: Ticket, lasting: Lasting
) -> int:
    """Publish the request and deliver its answer; whoever stops waiting for one cancels it, unless it
    is to outlive its connection."""
    slot = gateway.replies.open(record_key(record.request_id), request.transport.abort)
    if lasting.event_ids:
        slot.events = Numbered(0)
    try:
        meet = _meeting(gateway, record, lasting)
        await gateway.log.publish(slot, record.body, to_headers(record), meet)
        gateway.spooling.published(record.request_id)
        record = replace(record, body=b"")  # the log has it
        head = await first_record(slot)
        ticket.free_body()
        if is_stream(head) and not request.stream.head_only:
            answer = await stream(slot, request, gateway.delivery, gateway.clock)
        else:
            answer = await plain(slot, request, gateway.delivery)
        if (code := _ended_in_band(slot)) is not None:
            gateway.metrics.counter("sluice_stream_errors", code).inc()
        return answer.status
    except LogUnavailable as error:
        if slot.error is error:
            gateway.log.failed(error)  # it was sent, and not acknowledged in time
        raise
    except SlowReader:
        request.transport.abort()
        return Cancelled.status
    finally:
        gateway.replies.close(slot)
        _give_up(gateway, slot, record.request_id, lasting)


def _meeting(gateway: Gateway, record: Request, lasting: Lasting) -> bytes | None:
    """Equal requests meet in one partition; those that may be looked up are where their id says."""
    sharing = gateway.config.sharing
    alone = lasting.keep or lasting.event_ids or record.idempotency_key or record.claim is not None
    if sharing is None or alone:
        return None
    return meeting_key(record, envelope(record).model, sharing)


def _ended_in_band(slot: Slot) -> str | None:
    """The code of the error that followed the beginning of an answer."""
    if slot.error is not None:
        return slot.error.code
    return "failed" if slot.failed and slot.head is not None and slot.head.status < 400 else None


def _give_up(gateway: Gateway, slot: Slot, request_id: str, lasting: Lasting) -> None:
    """Tell the workers if they may still work on a request that nobody waits for any more."""
    if slot.ended or isinstance(slot.error, Expired | BodyTooLarge):
        return
    known = slot.accepted or slot.head is not None
    if known and (lasting.outlives or (lasting.keep and isinstance(slot.error, Interrupted))):
        return  # it goes on; of what we have interrupted the rest can be fetched
    gateway.signals.cancel(request_id, "disconnected" if known else "unacknowledged")
