"""What all routes below /admin/api/v1 have in common: who may, JSON in and out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from ingress.auth import must_be, who
from ingress.body import declared_length
from ingress.errors import identity_lines, problem
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.keys import Principal
from ingress.wire import Answer
from schemas.errors import (
    BodyTimeout,
    BodyTooLarge,
    GatewayError,
    InvalidRequest,
    NotFound,
)
from schemas.keys import Role
from schemas.objects import ObjectLog

T = TypeVar("T", bound=Struct)
MAX_BODY = 1 << 20
BODY_TIMEOUT = 10.0  # seconds
_UNKEPT = b"cache-control: no-store\r\n"
_JSON = b"content-type: application/json\r\n" + _UNKEPT
_encode = msgspec.json.Encoder().encode


class Said(Struct, frozen=True):
    """What a handler answers."""

    content: object = None  # None: no body
    status: int = 200
    version: int | None = None  # of the object; its ETag
    location: str | None = None  # where what was begun is found
    media: bytes | None = None  # of content that is bytes; else it is JSON


class Asking(Struct, frozen=True):
    """A request to the admin API, of somebody who may make it."""

    gateway: Gateway
    request: IncomingRequest
    principal: Principal

    @property
    def objects(self) -> ObjectLog:
        """NotFound if this process governs nothing."""
        if self.gateway.objects is None:
            raise NotFound("Nothing is governed here.")
        return self.gateway.objects

    @property
    def expected(self) -> int | None:
        """The version that the caller means to change: `If-Match`; InvalidRequest if it is none of ours."""
        given = self.request.headers.get("if-match")
        if given is None or given.strip() == "*":
            return None
        text = given.strip().strip('"')
        if not (text.isascii() and text.isdecimal() and len(text) < 20):
            raise InvalidRequest("`If-Match` must be the ETag of the object.", param="if-match")
        return int(text)

    async def body(self, kind: type[T]) -> T:
        """The body as a struct; InvalidRequest says what is wrong with it."""
        try:
            return msgspec.json.decode(await self._read() or b"{}", type=kind)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"{error}.") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"The body is no JSON: {error}.") from error

    async def _read(self) -> bytes:
        stream = self.request.stream
        declared_length(stream, MAX_BODY)
        pieces: list[bytes] = []
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                while stream.request_body and (piece := await stream.read()):
                    pieces.append(piece)
                    if sum(map(len, pieces)) > MAX_BODY:
                        raise BodyTooLarge()
        except TimeoutError:
            raise BodyTimeout from None
        return b"".join(pieces)


Work = Callable[..., Awaitable[Said]]


async def answered(
    request: IncomingRequest, work: Work, *names: str, role: Role = "admin"
) -> Answer:
    """Check who asks, do the work, and tell of it or of what went wrong."""
    gateway: Gateway = request.app.ctx.gateway
    try:
        gateway.identify(request)
        await _without_body(request.stream)
        principal = who(gateway, request)
        must_be(principal, role)
        said = await work(Asking(gateway, request, principal), *names)
    except GatewayError as error:
        return problem(request, error)
    lines = _JSON if said.media is None else b"content-type: %b\r\n%b" % (said.media, _UNKEPT)
    lines += identity_lines(request)
    if said.version is not None:
        lines += b'etag: "%d"\r\n' % said.version
    if said.location is not None:
        lines += b"location: %b\r\n" % said.location.encode()
    return Answer(said.status, lines, _body(said))


async def _without_body(stream: Any) -> None:
    """Of a request whose body is empty it is read: Sanic logs as an error that nobody did."""
    if stream.request_body is True and not stream.request_bytes_left:
        await stream.read()


def _body(said: Said) -> bytes:
    if said.media is not None and isinstance(said.content, bytes):
        return said.content
    return b"" if said.content is None else _encode(said.content)
