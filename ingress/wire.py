"""Answers as bytes on the connection: heads made of ready pieces, chunked framing, slow readers.

Sanic formats a head from a header multidict, and sanitises each value each time; here a head is a
few joined byte strings. The attributes of its stream and protocol used below are why the version is
pinned exactly.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from time import monotonic
from typing import Any

from sanic.exceptions import RequestCancelled
from sanic.http.constants import Stage
from sanic.response import HTTPResponse
from typing_extensions import override

SLICE = 256 << 10  # of one large piece: progress of the reader is seen between slices
LINGER = 2.0  # seconds in which a caller may finish sending a body that was refused
_STATUS: dict[int, bytes] = {
    s.value: b"HTTP/1.1 %d %s\r\n" % (s, s.phrase.encode()) for s in HTTPStatus
}
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)  # nor do they have a length
_KEEP = b"connection: keep-alive\r\n\r\n"
_CLOSE = b"connection: close\r\n\r\n"


class SlowReader(Exception):
    """The client took nothing for the whole write time-out."""


def status_line(status: int) -> bytes:
    """The first line of an answer, also of codes that have no name."""
    return _STATUS.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status


class Answer(HTTPResponse):
    """One answer to one request, whole or streamed.

    `lines` are its header lines, each with CR LF, without framing and connection. A whole one is
    handed to Sanic, which calls `send`; a streamed one goes through `begin`, `write` and `end`, or
    `abandon` where it must not look whole.
    """

    __slots__ = ("_chunked", "_done", "_protocol", "_timeout", "content", "lines")

    def __init__(self, status: int, lines: bytes, content: bytes = b"") -> None:
        # Not super().__init__(): it makes a header multidict that nothing here reads.
        self.status = status
        self.stream = None
        self.lines = lines
        self.content = content
        self._done = False

    @override
    async def send(self, data: Any = None, end_stream: bool | None = None) -> None:
        """Write a whole answer; called by Sanic for every answer, a no-op once it is written."""
        if self._done:
            return
        self._done = True
        self._attach(self.stream, None)
        stream: Any = self.stream
        head = b"%s%scontent-length: %d\r\n" % (
            status_line(self.status),
            self.lines,
            len(self.content),
        )
        if self.status in _BODILESS or (stream.head_only and not self.content):
            head = status_line(self.status) + self.lines
        head += self._connection(stream)
        stream.stage = Stage.RESPONSE
        await self._put(head if stream.head_only else head + self.content)
        self._finished(stream)

    async def send_slowly(self, stream: Any, timeout: float) -> None:
        """Write a large whole answer in slices, watching that the reader takes them; SlowReader."""
        self._attach(stream, timeout)
        self._done = True
        head = b"%s%scontent-length: %d\r\n%s" % (
            status_line(self.status),
            self.lines,
            len(self.content),
            self._connection(stream),
        )
        stream.stage = Stage.RESPONSE
        await self._put(head)
        await self._slices(self.content)
        await self._writable()
        self._finished(stream)

    async def send_pieces(
        self, stream: Any, timeout: float, size: int, pieces: AsyncGenerator[bytes, None]
    ) -> None:
        """Write a whole answer of `size` bytes as they come; SlowReader. What ends it too early breaks
        the connection."""
        self._attach(stream, timeout)
        self._done = True
        length = b"content-length: %d\r\n" % size
        head = status_line(self.status) + self.lines + length + self._connection(stream)
        stream.stage = Stage.RESPONSE
        await self._put(head)
        if not stream.head_only:
            try:
                async with aclosing(pieces):
                    async for data in pieces:
                        await self._slices(data)
            except OSError:
                self.abandon()
                return
            await self._writable()
        self._finished(stream)

    async def begin(self, stream: Any, timeout: float, data: bytes) -> None:
        """Write the head of an answer of unknown length and the first piece of its body."""
        self._attach(stream, timeout)
        self._done = True
        self._chunked = stream.request.version == "1.1"
        lines = self.lines
        if self._chunked:
            lines += b"transfer-encoding: chunked\r\n"
        else:
            stream.keep_alive = False  # HTTP/1.0: the end of the connection is the end of the body
        head = status_line(self.status) + lines + self._connection(stream)
        stream.stage = Stage.RESPONSE
        if len(data) > SLICE:
            await self._put(head)
            await self._slices(data)
        else:
            await self._put(head + self._framed(data))

    async def write(self, data: bytes) -> None:
        """Write a piece of the body; SlowReader if the client does not take the ones before."""
        if len(data) > SLICE:
            await self._slices(data)
        elif data:
            await self._put(self._framed(data))

    async def end(self, data: bytes = b"") -> None:
        """Write the last piece and the end of the body."""
        if len(data) > SLICE:
            await self._slices(data)
            data = b""
        tail = self._framed(data)
        if self._chunked:
            tail += b"0\r\n\r\n"
        if tail:
            await self._put(tail)
        self._finished(self.stream)

    def abandon(self) -> None:
        """Break the connection: what was written is not the whole answer and must not look like it."""
        stream: Any = self.stream
        stream.keep_alive = False
        stream.stage = Stage.FAILED
        stream.response_func = None
        if (transport := self._protocol.transport) is not None:
            transport.abort()

    def _attach(self, stream: Any, timeout: float | None) -> None:
        self._protocol = stream.protocol
        self._timeout = timeout
        self._chunked = False

    def _connection(self, stream: Any) -> bytes:
        if stream.request_body is not None:
            _refuse_rest(stream)
        return _KEEP if stream.keep_alive else _CLOSE

    def _finished(self, stream: Any) -> None:
        stream.response_func = None
        stream.stage = Stage.IDLE

    def _framed(self, data: bytes) -> bytes:
        if not data:
            return b""  # an empty chunk would end the body
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data

    async def _slices(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), SLICE):
            part = view[start : start + SLICE]
            if self._chunked:
                await self._put(b"%x\r\n" % len(part))
            await self._put(part)
            if self._chunked:
                await self._put(b"\r\n")

    async def _put(self, data: bytes | memoryview) -> None:
        protocol = self._protocol
        if not protocol._can_write.is_set():
            await self._writable()
        transport = protocol.transport
        if transport is None or transport.is_closing():
            raise RequestCancelled
        transport.write(data)
        protocol._time = monotonic()

    async def _writable(self) -> None:
        """Wait until the client has taken most of what was written."""
        protocol = self._protocol
        while not protocol._can_write.is_set():
            left = protocol.transport.get_write_buffer_size() if protocol.transport else 0
            try:
                async with asyncio.timeout(self._timeout):
                    await protocol._can_write.wait()
            except TimeoutError:
                now = protocol.transport.get_write_buffer_size() if protocol.transport else 0
                if now >= left:
                    raise SlowReader from None


def _refuse_rest(stream: Any) -> None:
    """Close after this answer: its request has a body that nobody reads.

    Sanic reads on so that the caller can finish and see the answer; the timer bounds for how long.
    """
    stream.keep_alive = False
    stream.expecting_continue = False
    transport = stream.protocol.transport
    if transport is not None:
        stream.protocol.loop.call_later(LINGER, transport.abort)
