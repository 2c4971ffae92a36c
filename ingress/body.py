"""The request's body, under a size limit and an absolute deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from ingress.admission import Ticket
from schemas.errors import BodyTimeout, BodyTooLarge


def declared_length(stream: Any, limit: int) -> int:
    """The body's length as far as the head tells it (0 if chunked); BodyTooLarge before a byte is read."""
    length: int = stream.request_bytes if stream.request_body is True else 0
    if length > limit:
        raise BodyTooLarge()
    return length


async def read_body(stream: Any, limit: int, timeout: float, ticket: Ticket) -> bytes:
    """The whole body. BodyTooLarge as soon as it exceeds `limit`, BodyTimeout if it takes longer.

    Sanic's own time-outs start again with each byte, so a trickle would hold a connection for ever.
    """
    if stream.request_body is None:
        return b""
    if stream.request_body is True and len(stream.recv_buffer) >= stream.request_bytes_left:
        data: bytes = await stream.read() or b""  # all of it is here; this does not suspend
    else:
        try:
            async with asyncio.timeout(timeout):
                data = await _joined(stream, limit, ticket)
        except TimeoutError:
            raise BodyTimeout from None
    finish(stream)
    return data


def finish(stream: Any) -> None:
    """The body was read to its end: Sanic would notice at its next read."""
    if stream.request_body is True:
        stream.request_body = None


async def _joined(stream: Any, limit: int, ticket: Ticket) -> bytes:
    chunked = stream.request_body == "chunked"
    held: list[bytes] = []
    async for piece in pieces(stream, limit):
        if chunked:
            ticket.grow(len(piece))
        held.append(piece)
    return b"".join(held)


async def pieces(stream: Any, limit: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes. BodyTooLarge as soon as it exceeds `limit`."""
    chunked = stream.request_body == "chunked"
    size = 0
    while stream.request_body is not None:
        if not (piece := await stream.read()):
            continue
        size += len(piece)
        if size > limit:
            raise BodyTooLarge()
        yield piece
        if not chunked and stream.request_bytes_left == 0:
            break
