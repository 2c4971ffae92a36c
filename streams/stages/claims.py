"""Claim checks: bodies that are too large for the log, of requests and of answers.

What a provider gets as it came is sent from the file, piece by piece. What must be understood is read
into memory, as much at once as a worker may hold. An answer that is handed on as it is, and is said to
be larger than a record, goes into a file.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from secrets import token_hex

from msgspec.structs import replace

from providers.resources import multipart
from schemas import bodies
from schemas.claims import RECORD_BYTES, Claim, Stored
from schemas.envelopes import EVENT_STREAM, JSON
from schemas.errors import BodyLost, GatewayError, UpstreamError
from schemas.replies import Chunk, Completed, Failed, Started
from schemas.requests import RELAYED, Request
from schemas.spool import Spool, Writing
from streams.room import Room
from streams.stages import Call, Handler, Replies

# Of an answer in records: as base64 it fits with its request into an exchange of MAX_EXCHANGE_BYTES.
MAX_INLINE = 32 << 20


class Claims:
    """A Handler for them; everything else goes to the one that it stands before."""

    def __init__(self, handler: Handler, spool: Spool | None, limit: int) -> None:
        """`limit`: bytes of bodies in memory at once."""
        self._handler = handler
        self._spool = spool
        self._room = Room(limit)

    def __call__(self, call: Call) -> Replies:
        claim = call.request.claim
        if claim is not None:
            return self._fetched(call, claim)
        return self._answered(call) if call.request.operation in RELAYED else self._handler(call)

    async def _fetched(self, call: Call, claim: Claim) -> Replies:
        try:
            if self._spool is None:
                raise BodyLost("The body of this request is in a folder: set SPOOL_DIR here, too.")
            stored = await self._spool.verified(claim)
        except GatewayError as error:
            yield Failed(error, error.status)
            return
        if _is_handed_on(call.request):
            call.request = await asyncio.to_thread(_with_file, call.request, stored)
            async with aclosing(self._answered(call)) as replies:
                async for reply in replies:
                    yield reply
            return
        async with self._room.held(stored.size):
            try:
                await _load(call, stored)
            except GatewayError as error:
                yield Failed(error, error.status)
                return
            async with aclosing(self._handler(call)) as replies:
                async for reply in replies:
                    yield reply

    async def _answered(self, call: Call) -> Replies:
        """The same replies, but that a large body is in a file."""
        started: Started | None = None  # held back while its body goes to the file
        file: Writing | None = None
        size = 0
        try:
            async with aclosing(self._handler(call)) as replies:
                async for reply in replies:
                    if isinstance(reply, Started) and self._spool is not None and _is_large(reply):
                        started = reply
                        file = await self._spool.create(f"{token_hex(16)}.answer")
                    elif file is not None and isinstance(reply, Chunk):
                        await file.write(reply.data)
                    elif file is not None and started is not None and isinstance(reply, Completed):
                        await file.write(reply.data)
                        yield replace(started, claim=await file.commit())
                        yield replace(reply, data=b"")
                    elif isinstance(reply, Chunk) and (size := size + len(reply.data)) > MAX_INLINE:
                        yield _too_large(call, size)
                        return
                    else:
                        yield reply
        except GatewayError as error:  # the file cannot be written
            yield Failed(error, error.status)
        finally:
            if file is not None:
                file.abandon()


def _is_large(started: Started) -> bool:
    return (
        started.size is not None
        and started.size > RECORD_BYTES
        and not started.content_type.startswith(EVENT_STREAM)
    )


def _too_large(call: Call, size: int) -> Failed:
    error = UpstreamError(
        f"The provider's answer has more than {size >> 20} MiB, which the log does not carry:"
        " set SPOOL_DIR. One whose length the provider does not tell cannot be larger."
    )
    return Failed(error, error.status, event=call.in_band(error))


def _is_handed_on(request: Request) -> bool:
    """Whether its provider gets the body as it came."""
    return request.operation == "relay" or (
        request.operation == "files" and not request.content_type.startswith(JSON)
    )


def _with_file(request: Request, stored: Stored) -> Request:
    """May block."""
    if request.operation == "files":
        with stored.path.open("rb") as file:
            stored = replace(stored, parts=multipart.index(file, request.content_type))
    return replace(request, file=stored)


async def _load(call: Call, stored: Stored) -> None:
    """Make the request whole: its body is read and looked into. BodyLost, InvalidRequest."""
    try:
        content = await asyncio.to_thread(stored.path.read_bytes)
    except OSError as error:
        raise BodyLost(f"The body of this request cannot be read: {error.strerror}.") from error
    call.request = replace(call.request, body=content)
    call.envelope = bodies.envelope(call.request)
    call.streamed = call.envelope.stream
