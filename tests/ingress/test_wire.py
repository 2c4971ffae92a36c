"""Answers as bytes."""

from types import SimpleNamespace
from typing import Any

import pytest
from sanic.exceptions import RequestCancelled
from sanic.http.constants import Stage

from ingress.wire import SLICE, Answer, SlowReader, status_line


class Wire:
    """What Sanic's stream, protocol and transport are to an answer."""

    def __init__(self, version: str = "1.1") -> None:
        self.written = bytearray()
        self.writable = True
        self.closing = False
        self.keep_alive = True
        self.head_only = False
        self.request_body: object = None
        self.expecting_continue = False
        self.stage = Stage.HANDLER
        self.response_func: object = None
        self.request = SimpleNamespace(version=version)
        self.protocol: Any = SimpleNamespace(transport=self, _can_write=self, _time=0.0)

    def is_set(self) -> bool:
        return self.writable

    async def wait(self) -> None:
        import asyncio

        await asyncio.Event().wait()

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 100_000

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.closing = True


def answer(wire: Wire, content: bytes = b"") -> Answer:
    made = Answer(200, b"x-a: b\r\n", content)
    made.stream = wire  # type: ignore[assignment]
    return made


async def test_a_whole_answer() -> None:
    """Status, headers, length, connection, body, once."""
    wire = Wire()
    made = answer(wire, b"body")

    await made.send(end_stream=True)
    await made.send(end_stream=True)

    assert wire.written == (
        b"HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 4\r\nconnection: keep-alive\r\n\r\nbody"
    )
    assert wire.stage is Stage.IDLE


async def test_a_streamed_answer() -> None:
    """Chunks; an empty piece is none, for an empty chunk would be the end."""
    wire = Wire()
    made = answer(wire)

    await made.begin(wire, 1.0, b"")
    await made.write(b"")
    await made.write(b"abc")
    await made.end(b"d")

    head, _, chunks = bytes(wire.written).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert chunks == b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"


async def test_large_pieces_are_sliced() -> None:
    """So that a reader's progress can be seen."""
    wire = Wire()
    made = answer(wire)

    await made.begin(wire, 1.0, b"")
    start = len(wire.written)
    await made.write(b"x" * (SLICE + 1))
    await made.end()

    head = b"%x\r\n" % SLICE
    assert bytes(wire.written[start:]) == (
        head + b"x" * SLICE + b"\r\n" + b"1\r\nx\r\n" + b"0\r\n\r\n"
    )


async def test_a_reader_that_takes_nothing_is_slow() -> None:
    """After the write time-out, if the buffer has not shrunk."""
    wire = Wire()
    made = answer(wire)
    await made.begin(wire, 0.01, b"a")
    wire.writable = False

    with pytest.raises(SlowReader):
        await made.write(b"b")


async def test_a_closed_connection_is_a_cancellation() -> None:
    """As Sanic tells it."""
    wire = Wire()
    made = answer(wire)
    wire.closing = True

    with pytest.raises(RequestCancelled):
        await made.send()


async def test_an_abandoned_answer_does_not_end() -> None:
    """The connection is broken instead."""
    wire = Wire()
    made = answer(wire)
    await made.begin(wire, 1.0, b"a")

    made.abandon()

    assert wire.closing
    assert not bytes(wire.written).endswith(b"0\r\n\r\n")
    assert wire.stage is Stage.FAILED


def test_every_status_has_a_line() -> None:
    """Codes without a name, too."""
    assert status_line(404) == b"HTTP/1.1 404 Not Found\r\n"
    assert status_line(499).startswith(b"HTTP/1.1 499 ")
    assert status_line(529).endswith(b"\r\n")
