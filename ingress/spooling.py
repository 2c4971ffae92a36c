"""Bodies that are too large for a record: streamed into a file, and handed on as a claim check.

What one upload holds in memory is a few pieces, whatever its length.
"""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import Callable
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from msgspec import Struct
from msgspec.structs import replace

from ingress.admission import Ticket
from ingress.body import declared_length, finish, pieces, read_body
from ingress.config import IngressConfig
from ingress.guards import IncomingRequest
from schemas.bodies import Envelope, envelope
from schemas.claims import RECORD_BYTES, Claim
from schemas.clock import Clock
from schemas.errors import BodyTimeout
from schemas.faultpoints import reach
from schemas.kept import Asked, asked
from schemas.metrics import Metrics
from schemas.requests import Request
from schemas.spool import PIECE, Spool, Writing

T = TypeVar("T")

log = structlog.get_logger()

SWEEP = 3600.0  # seconds between two looks for what was left behind
_HELD = 4 * PIECE  # bytes that an upload counts for while it goes to its file


class Body(Struct, frozen=True):
    """What came: the bytes, or where they stand."""

    content: bytes
    claim: Claim | None = None


class Spooling:
    """Reads the bodies of requests; with a spool also those that no record can carry."""

    def __init__(self, config: IngressConfig, metrics: Metrics, clock: Clock) -> None:
        """Makes the folder. OSError."""
        self.spool = Spool(config.spool_dir) if config.spool_dir else None
        self._timeout = config.body_timeout
        self._retention = config.spool_retention
        self._clock = clock
        self._own: set[str] = set()  # files that no record refers to yet
        self._files = metrics.counter("sluice_spooled_requests")
        self._swept = metrics.counter("sluice_spool_swept_files")
        self.limit = config.body_limit if self.spool else min(config.body_limit, RECORD_BYTES)

    def room(self, request: IncomingRequest) -> int:
        """The bytes that a request will hold, as far as its head tells. BodyTooLarge."""
        length = declared_length(request.stream, self.limit)
        return length if length <= RECORD_BYTES else _HELD

    async def read(self, request: IncomingRequest, ticket: Ticket) -> Body:
        """The body. BodyTooLarge, BodyTimeout; Overloaded if there is no room for it."""
        stream = request.stream
        chunked = stream.request_body == "chunked"
        if self.spool is None or not (
            chunked or (stream.request_body is True and stream.request_bytes > RECORD_BYTES)
        ):
            return Body(await read_body(stream, self.limit, self._timeout, ticket))
        assert request.gateway_id is not None
        upload = _Upload(self.spool, request.gateway_id, ticket, chunked=chunked)
        self._own.add(request.gateway_id)
        try:
            body = await self._received(request, upload)
        finally:
            upload.close()
        if body.claim is not None:
            self._files.inc()
            reach("ingress.spooled")
        return body

    async def _received(self, request: IncomingRequest, upload: _Upload) -> Body:
        """A long body has as much time again for each further length of a record."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._timeout) as due:
                async with aclosing(pieces(request.stream, self.limit)) as parts:
                    async for piece in parts:
                        await upload.take(piece)
                        lengths = 1 + upload.size // RECORD_BYTES
                        due.reschedule(began + self._timeout * lengths)
                finish(request.stream)
                return await upload.end()
        except TimeoutError:
            raise BodyTimeout from None

    def published(self, request_id: str) -> None:
        """From now on the file is the worker's to remove."""
        self._own.discard(request_id)

    def give_up(self, request_id: str) -> None:
        """The request is over. If no record refers to its file nobody will ever ask for it."""
        if self._own and request_id in self._own:
            self._own.discard(request_id)
            if self.spool is not None:
                self.spool.remove(request_id)

    async def envelope(self, record: Request, claim: Claim) -> Envelope:
        """What a body that stands in its file asks of whom. InvalidRequest."""
        assert self.spool is not None
        path = self.spool.folder / claim.dataref
        return await asyncio.to_thread(_mapped, path, partial(_envelope, record))

    async def asked(self, claim: Claim) -> Asked:
        """What the JSON of a request for a Response says of its keeping."""
        assert self.spool is not None
        return await asyncio.to_thread(_mapped, self.spool.folder / claim.dataref, _asked)

    async def run(self) -> None:
        """Sweep now and then, until cancelled; only with a spool."""
        assert self.spool is not None
        while True:
            now = self._clock.time()
            if swept := await asyncio.to_thread(self.spool.sweep, now, self._retention):
                self._swept.inc(swept)
                log.info("spool_swept", files=swept)
            await asyncio.sleep(SWEEP)


class _Upload:
    """One body on its way: in memory while a record could carry it, then in a file."""

    def __init__(self, spool: Spool, name: str, ticket: Ticket, *, chunked: bool) -> None:
        self._spool = spool
        self._name = name
        self._ticket = ticket
        self._chunked = chunked  # its length is not known, and nothing reserved for it
        self._held: list[bytes] = []
        self._file: Writing | None = None
        self.size = 0

    async def take(self, piece: bytes) -> None:
        self.size += len(piece)
        if self._file is not None:
            await self._file.write(piece)
            return
        self._held.append(piece)
        if self._chunked:
            self._ticket.grow(len(piece))
            if self.size <= RECORD_BYTES:
                return
        self._file = await self._spool.create(self._name)
        for held in self._held:
            await self._file.write(held)
        self._held.clear()
        if self._chunked:
            self._ticket.free_body()
            self._ticket.grow(_HELD)

    async def end(self) -> Body:
        if self._file is None:
            return Body(b"".join(self._held))
        return Body(b"", await self._file.commit())

    def close(self) -> None:
        """What was not committed is removed."""
        if self._file is not None:
            self._file.abandon()


def _mapped(path: Path, look: Callable[[mmap.mmap], T]) -> T:
    """What is seen in a file: it is mapped, not read, so that its pages are the kernel's to drop."""
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        return look(content)
    finally:
        with suppress(BufferError):  # an error still holds a part of it: both go together
            content.close()


def _envelope(record: Request, content: mmap.mmap) -> Envelope:
    return envelope(replace(record, body=content, claim=None))


def _asked(content: mmap.mmap) -> Asked:
    return asked(content)  # type: ignore[arg-type]  # any buffer will do
