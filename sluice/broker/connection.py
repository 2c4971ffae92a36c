"""One client's connection: frames in, responses out, strictly in order, both within bounds."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from typing import cast

import structlog
from typing_extensions import override

from schemas.tasks import Tasks
from sluice.broker.config import BrokerConfig
from sluice.broker.disk import Disk, disk_trouble
from sluice.broker.dispatch import Dispatch
from sluice.broker.fetch import DIRECT, Answer, Chunk
from sluice.broker.longpoll import LongPoll
from sluice.broker.memory import RequestMemory, ResponseMemory
from sluice.broker.segment import Slice
from sluice.broker.wire import I32, Malformed

log = structlog.get_logger()

SMALL = 64 << 10  # a request up to this size is read without asking for memory
_SHORTEST = 10  # bytes of a request's header
_TURN = 64  # requests served before other connections have their turn
_PIECE = 128 << 10  # bytes of a file sent at once


@dataclass(slots=True)
class Shared:
    """What every connection needs of the broker."""

    config: BrokerConfig
    loop: asyncio.AbstractEventLoop
    disk: Disk
    tasks: Tasks
    dispatch: Dispatch
    request_memory: RequestMemory
    response_memory: ResponseMemory
    connections: set[Connection] = field(default_factory=set)
    nobody: asyncio.Event = field(default_factory=asyncio.Event)  # set while nobody is connected

    def __post_init__(self) -> None:
        self.nobody.set()

    def discard(self, answer: Answer, *, held: bool = True) -> None:
        """An answer is over or not wanted: release its files, with `held` its memory, too."""
        for chunk in answer.chunks:
            if isinstance(chunk, Slice):
                chunk.release()
        if held:
            self.response_memory.give_back(answer.held)


class Connection(asyncio.Protocol):
    """While one request waits, or its response is not taken, the next ones stay in the buffer."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.buffer = bytearray()
        self.busy = False  # a request waits for its answer
        self.paused = False  # the client does not take what was sent
        self.waiting = False  # for memory to read a request
        self.reserved = 0  # bytes of the request that memory was taken for
        self.held = 0  # bytes charged to the response memory
        self.progress = 0.0
        self.poll: LongPoll | None = None
        self.drained: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=SMALL, low=SMALL // 4)
        if len(self.shared.connections) >= self.shared.config.max_connections:
            self.abort("connections_exhausted")
        self.shared.connections.add(self)
        self.shared.nobody.clear()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.shared.connections.discard(self)
        if not self.shared.connections:
            self.shared.nobody.set()
        self.busy = True
        self.buffer = bytearray()
        self.shared.request_memory.give_back(self)
        self._release()
        if self.poll:
            self.poll.cancel()
        if self.drained and not self.drained.done():
            self.drained.set_exception(ConnectionResetError())

    def abort(self, reason: str, **context: object) -> None:
        """Close at once, and log why."""
        self.busy = True
        self.transport.abort()
        log.warning(reason, **context)

    # -- in

    @override
    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.progress = self.shared.loop.time()
        self._pump()

    def granted(self) -> None:
        self.waiting = False
        self.progress = self.shared.loop.time()
        self._pump()

    def _pump(self) -> None:
        """Serve what is in the buffer as far as possible, then read on or not."""
        try:
            for _ in range(_TURN):
                if self.busy or self.paused or self.waiting or not self._serve_one():
                    break
            else:
                self.shared.loop.call_soon(self._pump)
        except (Malformed, struct.error, UnicodeDecodeError) as exc:
            self.abort("request_malformed", error=str(exc))
        except Exception as exc:  # noqa: BLE001  # the edge: one request must not harm the others
            self.abort("request_failed", exc_info=exc)
        self._gate()

    def _serve_one(self) -> bool:
        """Serve the request at the head of the buffer; False if it is not all there."""
        if len(self.buffer) < 4:
            return False
        size = I32.unpack_from(self.buffer)[0]
        if not _SHORTEST <= size <= self.shared.config.max_request_bytes:
            raise Malformed(f"a request of {size} bytes")
        if len(self.buffer) - 4 < size:
            if size > SMALL and not self.reserved:
                self.reserved = size
                self.waiting = not self.shared.request_memory.take(self, size)
            return False
        frame = self._cut(size)
        try:
            self._serve(frame)
        finally:
            if self.reserved:
                self.reserved = 0
                self.shared.request_memory.give_back(self)
        return True

    def _cut(self, size: int) -> memoryview:
        """Take a request out of the buffer; a large one is not copied."""
        if size <= SMALL:
            frame = bytes(memoryview(self.buffer)[4 : 4 + size])
            del self.buffer[: 4 + size]
            return memoryview(frame)
        whole, self.buffer = self.buffer, self.buffer[4 + size :]
        return memoryview(whole)[4 : 4 + size]

    def _gate(self) -> None:
        """Read on unless memory is waited for or enough unserved bytes are here."""
        if self.transport.is_closing():
            return
        full = (self.busy or self.paused) and len(self.buffer) > SMALL
        reading = self.transport.is_reading()
        if reading and (full or self.waiting):
            self.transport.pause_reading()
        elif not reading and not (full or self.waiting):
            self.transport.resume_reading()

    def _serve(self, frame: memoryview) -> None:
        served = self.shared.dispatch.serve(frame, self._polled)
        if isinstance(served, bytearray):
            self._send([served], 0)
        elif isinstance(served, Answer):
            self._answer(served)
        elif isinstance(served, LongPoll):
            self.poll = served
            self.busy = True
        elif served is not None:
            self.busy = True
            served.add_done_callback(self._finish)

    # -- out

    def _polled(self, answer: Answer | None) -> None:
        self.poll = None
        if self.transport.is_closing():
            if answer:
                self.shared.discard(answer)
            return
        if answer is None:
            self.abort("connection_closed")
            return
        self.busy = False
        self._answer(answer)
        self._pump()

    def _finish(self, future: asyncio.Future[bytearray]) -> None:
        if self.transport.is_closing() or future.cancelled():
            return
        if future.exception():
            self.abort("connection_closed")
            return
        self.busy = False
        self._send([future.result()], 0)
        self._pump()

    def _answer(self, answer: Answer) -> None:
        if any(isinstance(chunk, Slice) for chunk in answer.chunks):
            self.busy = True
            self.held += answer.held
            self.shared.tasks.start(self._stream(answer), name="broker-send-file")
        else:
            self._send(cast(list[bytes | bytearray], answer.chunks), answer.held)

    def _send(self, chunks: list[bytes | bytearray], held: int) -> None:
        size = sum(map(len, chunks))
        self._put_size(chunks[0], size)
        self.held += held
        if size < DIRECT:
            self.transport.write(b"".join(chunks))
        else:
            self.transport.writelines(chunks)
        if not self.paused:
            self._release()

    @staticmethod
    def _put_size(first: Chunk, size: int) -> None:
        I32.pack_into(cast(bytearray, first), 0, size - 4)

    async def _stream(self, answer: Answer) -> None:
        """Send an answer that stands partly in files, a piece at a time as the client takes it."""
        chunks = answer.chunks
        size = sum(c.length if isinstance(c, Slice) else len(c) for c in chunks)
        self._put_size(chunks[0], size)
        try:
            for chunk in chunks:
                if isinstance(chunk, Slice):
                    await self._send_slice(chunk)
                else:
                    await self._ready()
                    self.transport.write(chunk)
        except ConnectionResetError:
            return
        except OSError as exc:
            disk_trouble("cold_read_failed", error=str(exc))
            self.abort("connection_closed")
            return
        finally:
            self.shared.discard(answer, held=False)
        if not self.paused:
            self._release()
        self.busy = False
        self._pump()

    async def _send_slice(self, piece: Slice) -> None:
        at = 0
        while at < piece.length:
            await self._ready()
            size = min(_PIECE, piece.length - at)
            self.transport.write(await self.shared.disk.read(piece.read, at, size))
            at += size

    async def _ready(self) -> None:
        """Until the client has taken what was sent; ConnectionResetError when it has gone."""
        if self.transport.is_closing():
            raise ConnectionResetError
        if self.paused:
            self.drained = self.shared.loop.create_future()
            await self.drained

    @override
    def pause_writing(self) -> None:
        self.paused = True

    @override
    def resume_writing(self) -> None:
        self.paused = False
        if self.drained and not self.drained.done():
            self.drained.set_result(None)
        if not self.busy:
            self._release()
            self._pump()

    def _release(self) -> None:
        """What was sent has left; its memory is free again."""
        if self.held:
            self.shared.response_memory.give_back(self.held)
            self.held = 0
