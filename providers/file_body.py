"""A body that stands in a file, for requests that are handed on without being held in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from schemas.claims import Stored

_PIECE = 1 << 20  # bytes


class Span(Struct, frozen=True):
    """A part of the file."""

    start: int
    end: int  # the first byte behind it


class FileBody(Struct, frozen=True):
    """The spans of a file, one after the other."""

    path: Path
    spans: tuple[Span, ...]

    def __len__(self) -> int:
        return sum(span.end - span.start for span in self.spans)

    async def read(self) -> AsyncGenerator[bytes, None]:
        """The bytes in pieces. OSError, also if the file has become shorter."""
        file = await asyncio.to_thread(self.path.open, "rb")
        try:
            for span in self.spans:
                at = span.start
                while at < span.end:
                    data = await asyncio.to_thread(_read, file, at, min(_PIECE, span.end - at))
                    at += len(data)
                    yield data
        finally:
            file.close()


def whole(stored: Stored) -> FileBody:
    """All of it."""
    return FileBody(stored.path, (Span(0, stored.size),))


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    if not (data := file.read(size)):
        raise OSError("the file has become shorter")
    return data
