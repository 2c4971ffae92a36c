"""Stored exchanges as lines of JSON: read in pages, so that any number of them fits into memory."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from schemas.analytics import Pages, Wanted

PAGE = 500  # documents that are in memory at once
_TAIL = 1 << 16  # bytes that are read at once to find the last line


class _Place(Struct, rename={"request_id": "_id"}):
    request_id: str
    created_at: str


_place = msgspec.json.Decoder(_Place).decode


def place(document: bytes) -> tuple[str, str]:
    """By which they are ordered; msgspec.DecodeError if it is none."""
    found = _place(document)
    return found.created_at, found.request_id


async def pages(store: Pages, wanted: Wanted) -> AsyncIterator[list[Raw]]:
    """All that is wanted, the oldest first, from behind `wanted.after` on. StoreUnavailable."""
    wanted = replace(wanted, limit=PAGE)
    while found := await store.after(wanted):
        yield found
        wanted = replace(wanted, after=place(found[-1]))


async def export(
    store: Pages, wanted: Wanted, file: BinaryIO, written: Callable[[int], None]
) -> int:
    """Write them, each a line; how many. `written` is told of each page's."""
    count = 0
    async for found in pages(store, wanted):
        file.writelines(bytes(each).replace(b"\n", b" ") + b"\n" for each in found)
        file.flush()
        count += len(found)
        written(len(found))
    return count


def mended(path: Path) -> tuple[str, str] | None:
    """Where a file that was broken off goes on: behind its last whole line. What follows that is cut off.

    None of an empty file. ValueError if its last line is no document.
    """
    with path.open("r+b") as file:
        end = _last_line_end(file)
        file.truncate(end)
        if not end:
            return None
        start = _line_end_before(file, end - 1)
        file.seek(start)
        try:
            return place(file.read(end - start))
        except msgspec.DecodeError as error:
            raise ValueError(f"the last line of {path} is no exported exchange: {error}") from error


def _last_line_end(file: BinaryIO) -> int:
    return _line_end_before(file, file.seek(0, os.SEEK_END))


def _line_end_before(file: BinaryIO, end: int) -> int:
    """Where the last line that ends before `end` ends."""
    while end:
        start = max(0, end - _TAIL)
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0
