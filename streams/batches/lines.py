"""The lines of an input file: read piece by piece, understood, made into requests. Pure but for the reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from schemas import bodies
from schemas.batch_lines import BatchLine
from schemas.batches import MAX_CUSTOM_ID, Batch, LineError
from schemas.errors import InvalidRequest
from schemas.requests import INGRESS_SOURCE, Dialect, Operation, Request

SOURCE = f"{INGRESS_SOURCE}batches"  # as our own ingress's, the ids under it stand as they are
ENDPOINTS: dict[str, tuple[Operation, Dialect]] = {
    "/v1/chat/completions": ("chat", "openai_chat"),
    "/v1/completions": ("chat", "openai_completions"),
    "/v1/responses": ("chat", "openai_responses"),
    "/v1/embeddings": ("embeddings", "openai_chat"),
    "/v1/messages": ("chat", "anthropic"),
}
MAX_LINES = 64  # of a slice
SLICE = 256 << 10  # bytes of a slice, unless one line is longer
_READ = 256 << 10


class Line(Struct, frozen=True):
    """One line that is not empty, and where it stands."""

    number: int  # from 1
    begin: int  # bytes
    end: int
    raw: bytes  # empty if it is longer than a line may be


class _Asked(Struct):
    custom_id: str
    method: str
    url: str
    body: Raw


_asked = msgspec.json.Decoder(_Asked).decode


class Unusable(Exception):
    """Why a line cannot be asked."""

    def __init__(self, code: str, message: str, line: int, param: str | None = None) -> None:
        super().__init__(message)
        self.error = LineError(code, message, line, param)


class _Splitter:
    """Makes lines of the pieces of a file."""

    def __init__(self, most: int, begin: int, line: int) -> None:
        self._most = most
        self._rest = b""  # what has no end yet
        self._begin = begin  # where that begins
        self._skipped = 0  # bytes of it that are not held: it is too long
        self._line = line

    def feed(self, data: bytes) -> Iterator[Line]:
        """The lines that are whole by now."""
        pieces = (self._rest + data).split(b"\n")
        self._rest = pieces.pop()
        for piece in pieces:
            yield from self._made(piece)
        if len(self._rest) > self._most:
            self._skipped += len(self._rest)
            self._rest = b""

    def end(self) -> Iterator[Line]:
        """The last line, if it has no end."""
        yield from self._made(self._rest)

    def _made(self, piece: bytes) -> Iterator[Line]:
        self._line += 1
        begin, size = self._begin, self._skipped + len(piece)
        self._begin, self._skipped = begin + size + 1, 0
        if size > self._most:
            yield Line(self._line, begin, self._begin, b"")
        elif piece.strip():
            yield Line(self._line, begin, self._begin, piece)


async def slices(
    path: Path, most: int, begin: int = 0, line: int = 0
) -> AsyncGenerator[list[Line], None]:
    """The lines from `begin` bytes on, before which stand `line` lines, some at once. `most`: bytes of a
    line. OSError. The event loop is free between two slices."""
    splitter = _Splitter(most, begin, line)
    file = await asyncio.to_thread(path.open, "rb")
    try:
        await asyncio.to_thread(file.seek, begin)
        found: list[Line] = []
        size = 0
        while data := await asyncio.to_thread(file.read, _READ):
            for each in splitter.feed(data):
                found.append(each)
                size += len(each.raw)
                if len(found) >= MAX_LINES or size >= SLICE:
                    yield found
                    found, size = [], 0
                    await asyncio.sleep(0)
        found += splitter.end()
        if found:
            yield found
    finally:
        file.close()


def understood(line: Line, batch: Batch) -> tuple[BatchLine, Request]:
    """What a line asks for; Unusable. The request has no id, time or deadline yet."""
    if not line.raw:
        raise Unusable("line_too_long", "This line is longer than a request may be.", line.number)
    try:
        line.raw.decode()
        asked = _asked(line.raw)
    except msgspec.ValidationError as error:
        raise _missing(str(error), line.number) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(
            "invalid_json_line", "This line is not parseable as valid JSON.", line.number
        ) from error
    if not 1 <= len(asked.custom_id) <= MAX_CUSTOM_ID:
        raise Unusable(
            "invalid_custom_id",
            f"`custom_id` must have 1 to {MAX_CUSTOM_ID} characters.",
            line.number,
            "custom_id",
        )
    if asked.method != "POST":
        raise Unusable(
            "invalid_method", "The HTTP method of a request must be POST.", line.number, "method"
        )
    if asked.url != batch.endpoint:
        raise Unusable(
            "url_mismatch",
            f"The URL provided for this request does not match the batch endpoint, {batch.endpoint}.",
            line.number,
            "url",
        )
    operation, dialect = ENDPOINTS[batch.endpoint]
    found = BatchLine(batch.id, line.number, asked.custom_id)
    request = Request(
        request_id="",
        body=bytes(asked.body),
        operation=operation,
        dialect=dialect,
        source=SOURCE,
        user_path=batch.user_path,
        client=batch.client,
        client_ip=batch.client_ip,
        without_bodies=batch.without_bodies,
        line=found,
    )
    return found, request


def model_of(request: Request, number: int) -> str:
    """The model that a line asks for; Unusable if its body is none of the endpoint's."""
    try:
        envelope = bodies.envelope(request)
    except InvalidRequest as error:
        param = f"body.{error.param}" if error.param else "body"
        raise Unusable("invalid_request", error.message, number, param) from error
    if envelope.stream:
        raise Unusable(
            "invalid_request", "Streaming is not supported in a batch.", number, "body.stream"
        )
    return envelope.model


def _missing(reason: str, number: int) -> Unusable:
    """msgspec's sentence in the terms of a line."""
    name = reason.rsplit("`", 2)[-2] if "missing required field" in reason else None
    if name is not None:
        return Unusable(
            "missing_required_parameter", f"Missing required parameter: '{name}'.", number, name
        )
    if "- at `$." not in reason:
        return Unusable("invalid_json_line", "This line is not a JSON object.", number)
    text, _, path = reason.partition(" - at `$.")
    return Unusable("invalid_type", f"{text}.", number, path.strip("`"))


def request_id(batch: str, number: int, made: int) -> str:
    """The id of a line's request: UUIDv7 of `made` (milliseconds since the epoch), and of the line."""
    seed = blake2b(f"{batch}/{number}".encode(), digest_size=8).digest()
    bits = int.from_bytes(seed, "big")
    return f"{made >> 16 & 0xFFFFFFFF:08x}-{made & 0xFFFF:04x}-7000-{0x8000 | bits >> 50:04x}-{bits & 0xFFFFFFFFFFFF:012x}"
