"""Requests that are answered before they are done: by 202 and where to look, or as a queued Response."""

from __future__ import annotations

import asyncio

import msgspec
from msgspec import Struct

from ingress.background import queued
from ingress.deliver import finished
from ingress.errors import identity_lines
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.lasting import Lasting
from ingress.replies import Slot
from ingress.wire import Answer, SlowReader
from schemas.errors import BodyTooLarge, Cancelled, GatewayError, InvalidRequest, LogUnavailable
from schemas.identity import record_key
from schemas.kept import asked
from schemas.requests import Request, to_headers

_JSON = b"content-type: application/json\r\n"
_encode = msgspec.json.Encoder().encode


class Status(Struct, frozen=True):
    """How far a request is, as its caller is told."""

    id: str
    status: str
    created_at: int  # epoch seconds
    object: str = "request"


async def in_background(gateway: Gateway, record: Request) -> bool:
    """Whether it asks for a Response for which nobody waits; InvalidRequest or BodyTooLarge if it may
    not."""
    claim = record.claim
    if record.dialect != "openai_responses" or record.operation != "chat":
        return False
    if claim is None and b'"background"' not in record.body:
        return False
    wanted = asked(record.body) if claim is None else await gateway.spooling.asked(claim)
    if not wanted.background:
        return False
    if wanted.store is False:
        raise InvalidRequest("A response in the background must be stored: `store`.", param="store")
    if claim is not None:
        raise BodyTooLarge("A response in the background must fit into a record of the log.")
    return True


async def detach(
    gateway: Gateway, request: IncomingRequest, record: Request, lasting: Lasting
) -> int:
    """Publish a request and answer as soon as the log has it; from then on nothing here cancels it."""
    slot = gateway.replies.open(record_key(record.request_id), _nobody_reads)
    slot.eager = True
    try:
        await gateway.log.publish(slot, record.body, to_headers(record))
        gateway.spooling.published(record.request_id)
        while not slot.accepted and not slot.ended:
            if slot.error is not None:
                raise slot.error
            await slot.wait()
        if lasting.wait and await _ends_within(gateway, slot, lasting.wait):
            return (await finished(slot, request, gateway.delivery)).status
    except GatewayError as error:
        if isinstance(error, LogUnavailable) and slot.error is error:
            gateway.log.failed(error)  # it was sent, and not acknowledged in time
        if not isinstance(error, BodyTooLarge):
            gateway.signals.cancel(record.request_id, "unacknowledged")
        raise
    except SlowReader:
        request.transport.abort()
        return Cancelled.status
    finally:
        gateway.replies.close(slot)
    answer = _told(gateway, request, record, lasting)
    request.stream.respond(answer)
    request.responded = True
    return answer.status


def _nobody_reads() -> None:
    """An answer that is too long to be waited for is fetched."""


async def _ends_within(gateway: Gateway, slot: Slot, seconds: float) -> bool:
    until = gateway.clock.monotonic() + min(seconds, gateway.config.request_timeout)
    while not slot.ended and slot.error is None:
        if (left := until - gateway.clock.monotonic()) <= 0:
            break
        try:
            async with asyncio.timeout(left):
                await slot.wait()
        except TimeoutError:
            break
    return slot.ended


def _told(gateway: Gateway, request: IncomingRequest, record: Request, lasting: Lasting) -> Answer:
    lines = _JSON + identity_lines(request)
    if lasting.background:
        return Answer(200, lines, queued(record))
    applied = "respond-async"
    if lasting.wait:
        applied += f", wait={lasting.wait:.0f}"
    place = f"{gateway.config.base_path}/v1/requests/{record.request_id}"
    lines += f"location: {place}\r\npreference-applied: {applied}\r\n".encode()
    return Answer(202, lines, _encode(Status(record.request_id, "queued", int(record.created))))
