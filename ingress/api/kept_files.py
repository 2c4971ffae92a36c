"""What the gateway keeps itself and only an ingress hands out: bytes of files, results of batches.

They may be large, and so do not go through the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from ingress.auth import who
from ingress.caller import user_path
from ingress.errors import error_answer, identity_lines
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.wire import Answer, SlowReader
from schemas.batch_folder import BatchFolder
from schemas.batches import Batch
from schemas.errors import Cancelled, Conflict, GatewayError, NotFound, StoreUnavailable
from schemas.files import KEEPER, Files, StoredFile

_PIECE = 256 << 10  # bytes
_encode = msgspec.json.Encoder().encode
_BINARY = b"content-type: application/octet-stream\r\n"
_JSON = b"content-type: application/json\r\n"


class _Response(Struct):
    status_code: int | None = None
    body: Raw = Raw(b"null")


class _Result(Struct):
    custom_id: str | None = None
    response: _Response | None = None
    error: Raw = Raw(b"null")


_result = msgspec.json.Decoder(_Result).decode


class _Caller(Struct, frozen=True):
    client: str | None
    path: str


async def content(request: IncomingRequest, name: str) -> Answer | None:
    """The bytes of a file of the gateway's own."""

    def found(gateway: Gateway, caller: _Caller) -> tuple[bytes, Iterator[bytes]]:
        files = _files(gateway)
        file = files.find(name, caller.client, caller.path, gateway.clock.time())
        if file is None:
            raise NotFound(f"No such File object: {name[:100]}")
        quoted = file.filename.encode("ascii", "replace").decode()
        plain = "".join(each for each in quoted if each.isprintable() and each not in '"\\')
        lines = b'content-disposition: attachment; filename="%b"\r\n' % plain.encode()
        return _BINARY + lines, _pieces(files.content(file))

    return await _answered(request, "files", found)


async def results(request: IncomingRequest, name: str) -> Answer | None:
    """The results of a batch that has ended, as one list."""

    def found(gateway: Gateway, caller: _Caller) -> tuple[bytes, Iterator[bytes]]:
        batches = BatchFolder(_folder(gateway) / "batches", gateway.config.files_retention)
        batch = batches.find(name, caller.client, caller.path)
        if batch is None:
            raise NotFound(f"No batch found with id '{name[:100]}'.")
        if not batch.ended:
            raise Conflict("The batch has no results yet: ask again when it has ended.")
        files, now = _files(gateway), gateway.clock.time()
        parts = [
            file
            for each in (batch.output_file_id, batch.error_file_id)
            if each is not None
            and (file := files.find(each, batch.client, batch.user_path, now)) is not None
        ]
        return _JSON, _list(batch, files, parts)

    return await _answered(request, "batches", found)


Work = Callable[[Gateway, _Caller], tuple[bytes, Iterator[bytes]]]


async def _answered(request: IncomingRequest, route: str, work: Work) -> Answer | None:
    """Whatever `work` finds, piece by piece; it and its pieces may block."""
    gateway: Gateway = request.app.ctx.gateway
    began = gateway.clock.monotonic()
    answer = None
    try:
        gateway.identify(request)
        principal = who(gateway, request)
        caller = _Caller(principal.name, principal.path(user_path(request.headers)))
        with gateway.admission.enter(0).held(gateway.clock):
            status = await _sent(gateway, request, caller, work)
    except GatewayError as error:
        answer = error_answer(request, error)
        status = error.status
    except SlowReader:
        request.transport.abort()
        status = Cancelled.status
    gateway.observe(route, status, began)
    return answer


async def _sent(gateway: Gateway, request: IncomingRequest, caller: _Caller, work: Work) -> int:
    """The first piece is there before anything is said, so that what is wrong can be."""
    try:
        lines, pieces = await asyncio.to_thread(work, gateway, caller)
        first = await asyncio.to_thread(next, pieces, b"")
    except OSError as error:
        raise StoreUnavailable("SPOOL_DIR cannot be read.") from error
    answer = Answer(200, lines + identity_lines(request))
    request.stream.respond(answer)
    request.responded = True
    await answer.begin(request.stream, gateway.config.write_timeout, first)
    try:
        async with aclosing(_in_threads(pieces)) as following:
            async for piece in following:
                await answer.write(piece)
    except OSError:
        answer.abandon()  # half a file must not look whole
        return answer.status
    await answer.end()
    return answer.status


async def _in_threads(pieces: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


def _folder(gateway: Gateway) -> Path:
    if (folder := gateway.config.spool_dir) is None:
        raise NotFound("This gateway keeps no files: it has no SPOOL_DIR.")
    return folder


def _files(gateway: Gateway) -> Files:
    return Files(_folder(gateway) / "files", gateway.config.files_retention)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(_PIECE):
            yield data


def _list(batch: Batch, files: Files, parts: list[StoredFile]) -> Iterator[bytes]:
    head = {"object": "list", "batch_id": batch.id, "provider": KEEPER}
    held = [_encode(head)[:-1], b',"data":[']
    size = number = 0
    for part in parts:
        with files.content(part).open("rb") as file:
            for line in file:
                row = _encode({"index": number, **_row(batch, _result(line))})
                held.append(b"," + row if number else row)
                number += 1
                size += len(row)
                if size >= _PIECE:
                    yield b"".join(held)
                    held, size = [], 0
    held.append(b"]}")
    yield b"".join(held)


def _row(batch: Batch, found: _Result) -> dict[str, object]:
    response = found.response
    return {
        "custom_id": found.custom_id,
        "url": batch.endpoint,
        "status_code": response.status_code if response else None,
        "model": batch.model,
        "provider": KEEPER,
        "response": response.body if response else None,
        "error": found.error,
    }
