"""Below /admin/api/v1: `live`, a stream of what happens, and `exchanges/<partition>/<offset>`, one of the
exchanges that it tells of, whole, as it stands in the log."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import msgspec

from ingress.admin import Asking, Said, answered
from ingress.auth import must_be, who
from ingress.errors import identity_lines, problem
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.live import Watcher
from ingress.sse import LINES, PING
from ingress.wire import Answer, SlowReader
from schemas import headers as h
from schemas.errors import GatewayError, InvalidRequest, NotFound, Overloaded
from schemas.exchange import SHOWN_TYPES
from schemas.redaction import redacted

WATCHERS = 200
_DIGITS = 15
_STREAM = b"content-type: text/event-stream; charset=utf-8\r\n" + LINES


async def live(request: IncomingRequest) -> Answer | None:
    """Events until the watcher goes: `rows` (requests that began, exchanges that ended), `flow` (topics and
    processes, every two seconds), `lost` (pieces that this watcher was too slow for)."""
    gateway: Gateway = request.app.ctx.gateway
    try:
        gateway.identify(request)
        must_be(who(gateway, request), "analyst")
        if gateway.live.watchers >= WATCHERS:
            raise Overloaded(f"{WATCHERS} watch already: close a page.", retry_after=5)
    except GatewayError as error:
        return problem(request, error)
    answer = Answer(200, _STREAM + identity_lines(request))
    request.stream.respond(answer)
    request.responded = True
    timeout, patience = gateway.config.write_timeout, gateway.config.ping_interval
    with gateway.live.watching() as watcher:
        try:
            await answer.begin(request.stream, timeout, PING)
            while not gateway.draining:
                await answer.write(await _next(watcher, patience))
        except SlowReader:
            answer.abandon()
        else:
            await answer.end()
    return None


async def _next(watcher: Watcher, patience: float) -> bytes:
    try:
        async with asyncio.timeout(patience):
            return await watcher.next()
    except TimeoutError:
        return PING


async def exchange(request: IncomingRequest, partition: str, offset: str) -> Answer:
    """The exchange that stands there, as JSON with both bodies."""
    return await answered(request, _show, partition, offset, role="analyst")


async def _show(asking: Asking, partition: str, offset: str) -> Said:
    return Said(msgspec.Raw(await _read(asking.gateway, _number(partition), _number(offset))))


def _number(given: str) -> int:
    if not (given.isascii() and given.isdecimal() and len(given) <= _DIGITS):
        raise InvalidRequest(f"`{given[:30]}` is no number.")
    return int(given)


async def _read(gateway: Gateway, partition: int, offset: int) -> bytes:
    missing = NotFound("No exchange stands there in the log, or the log does not go back so far.")
    if partition >= gateway.config.partitions:
        raise missing
    async with gateway.archive.reading(gateway.exchanges, partition) as reading:
        extent = await reading.since(0)
        if not extent.first <= offset < extent.end:
            raise missing
        async with aclosing(reading.records(offset, offset + 1)) as pieces:
            async for records in pieces:
                for record in records:
                    kind = h.first(record.headers).get(h.CE_TYPE)
                    if record.offset == offset and kind in SHOWN_TYPES and record.value:
                        return redacted(bytes(record.value), gateway.config.redaction)
    raise missing
