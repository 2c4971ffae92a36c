"""Exchanges as lines of JSON in a file: the sink to copy when adding one. No retention, no indexes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from schemas.clock import Clock
from sinks.base import Backpressure
from sinks.config import SinkConfig
from sinks.document import Document, to_json


class _Line(msgspec.Struct, rename={"request_id": "_id"}):
    request_id: str


class JsonLinesSink:
    """One process writes the file; it knows the ids in it, so it suits files that fit in memory."""

    def __init__(self, config: SinkConfig, _clock: Clock) -> None:
        self._path = Path(config.jsonl_path)
        self._ids: set[str] | None = None

    async def open(self) -> None:
        await asyncio.to_thread(self._write, ())

    async def write(self, batch: Sequence[Document]) -> None:
        await asyncio.to_thread(self._write, batch)

    async def close(self) -> None:
        self._ids = None

    def _write(self, batch: Sequence[Document]) -> None:
        try:
            if self._ids is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._ids = _mended(self._path)
            new = {found.request_id: found for found in reversed(batch)}  # of equal ids the first
            with self._path.open("ab") as file:
                file.writelines(_line(new[i]) for i in reversed(new) if i not in self._ids)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self._ids = None  # a part may have been written: read the file again
            raise Backpressure(0.5, str(error)) from error
        self._ids.update(new)


def _line(found: Document) -> bytes:
    # Bodies stand in it as they were sent, where a line end is only white space.
    return to_json(found).replace(b"\n", b" ") + b"\n"


def _mended(path: Path) -> set[str]:
    """The ids in the file; a last line without an end is what a crash left, and is cut off."""
    path.touch()
    with path.open("r+b") as file:
        ids, end = set[str](), 0
        for line in file:
            if line.endswith(b"\n"):
                ids.add(msgspec.json.decode(line, type=_Line).request_id)
                end += len(line)
        file.truncate(end)
    return ids
