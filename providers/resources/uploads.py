"""What an upload of a file holds: its fields, and the file's bytes piece by piece."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from providers.resources import multipart
from schemas.claims import Part
from schemas.errors import InvalidRequest
from schemas.requests import Request

_FILENAME = re.compile(rb';[ \t]*filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_HEAD = 8192  # bytes in which the head of a part ends
_PIECE = 1 << 20
_MIN_EXPIRY, _MAX_EXPIRY = 3600, 2_592_000  # seconds, as OpenAI has them


class Upload(Struct, frozen=True):
    """A file and what is said of it."""

    filename: str
    purpose: str
    expires_after: int | None  # seconds
    pieces: Iterator[bytes]  # may block; OSError


def read(request: Request) -> Upload:
    """InvalidRequest if there is no file in the body. The whole body is in memory or in a file."""
    stored = request.file
    parts = multipart.index(request.body, request.content_type) if stored is None else stored.parts
    fields = {part.name: part.value.decode(errors="replace") for part in reversed(parts)}
    file = next((part for part in parts if part.name == "file"), None)
    if file is None:
        raise InvalidRequest("`file` is required, as a part of multipart/form-data.", param="file")
    head = (
        request.body[file.start : min(file.end, file.start + _HEAD)]
        if stored is None
        else _read(stored.path, file.start, min(file.end, file.start + _HEAD))
    )
    above, mark, _ = head.partition(b"\r\n\r\n")
    name = _FILENAME.search(above)
    if name is None or not mark:
        raise InvalidRequest("`file` must be a file, with its name.", param="file")
    content = Part("file", file.start + len(above) + len(mark), file.end - 2, b"")
    pieces = (
        iter((request.body[content.start : content.end],))
        if stored is None
        else _pieces(stored.path, content.start, content.end)
    )
    return Upload(
        name[1].replace(b'\\"', b'"').decode(errors="replace")[:255],
        fields.get("purpose", ""),
        _expiry(fields),
        pieces,
    )


def _expiry(fields: dict[str, str]) -> int | None:
    given = fields.get("expires_after[seconds]")
    if given is None:
        return None
    if not given.isdecimal() or not _MIN_EXPIRY <= int(given) <= _MAX_EXPIRY:
        raise InvalidRequest(
            f"`expires_after[seconds]` must be {_MIN_EXPIRY} to {_MAX_EXPIRY}.",
            param="expires_after",
        )
    return int(given)


def _read(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)


def _pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left:
            data = file.read(min(_PIECE, left))
            if not data:
                raise OSError("the file has become shorter")
            left -= len(data)
            yield data
