"""A small durable dictionary: an append-only file of JSON lines, rewritten when it has grown."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import structlog

from sluice.broker.disk import Disk, disk_trouble
from sluice.broker.files import replace_file
from sluice.broker.syncer import Syncer

log = structlog.get_logger()

Key = tuple[str | int, ...]
_SLACK = 4 << 20  # bytes that the file may be longer than four times its live lines
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[Key, msgspec.Raw])


class Journal:
    """Each line is `[key, value]`; the last one of a key holds, null removes it."""

    def __init__(self, path: Path, disk: Disk, syncer: Syncer) -> None:
        """Load `path` and rewrite it if the disk has room; raises OSError.

        Lines that are torn are skipped and logged.
        """
        self._path, self._disk, self._syncer = path, disk, syncer
        self._live: dict[Key, bytes] = {}
        self._live_bytes = 0
        self._bloated = asyncio.Event()
        self._rewriting = False
        self._since: list[bytes] = []  # lines written during a rewrite
        self._load()
        try:
            replace_file(path, b"".join(self._live.values()), sync=syncer.interval_ms >= 0)
        except OSError as exc:
            disk_trouble("journal_not_rewritten", error=str(exc))
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = path.read_bytes().rfind(b"\n") + 1
        os.ftruncate(self._fd, self._size)  # or half a line would swallow the next one

    def _load(self) -> None:
        if not self._path.exists():
            return
        torn = 0
        for line in self._path.read_bytes().splitlines(keepends=True):
            try:
                key, value = _decoder.decode(line)
            except msgspec.DecodeError:
                torn += 1
                continue
            self._keep(key, None if bytes(value) == b"null" else line.rstrip(b"\n") + b"\n")
        if torn:
            log.warning("journal_lines_torn", path=str(self._path), lines=torn)

    def _keep(self, key: Key, line: bytes | None) -> None:
        self._live_bytes -= len(self._live.pop(key, b""))
        if line is not None:
            self._live[key] = line
            self._live_bytes += len(line)

    def items(self) -> Iterator[tuple[Key, msgspec.Raw]]:
        """Keys and values (undecoded JSON)."""
        for line in self._live.values():
            yield _decoder.decode(line)

    def put(self, entries: dict[Key, Any]) -> None:
        """Write values (None removes); after OSError nothing has changed."""
        lines = {key: _encoder.encode((key, value)) + b"\n" for key, value in entries.items()}
        data = b"".join(lines.values())
        try:
            if os.pwrite(self._fd, data, self._size) != len(data):
                raise OSError("short write")
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)
        for key, line in lines.items():
            self._keep(key, None if entries[key] is None else line)
        if self._rewriting:
            self._since.append(data)
        self._syncer.changed(self)
        if self._size > 4 * self._live_bytes + _SLACK:
            self._bloated.set()

    async def run(self) -> None:
        """Rewrite the file, for ever, when it has grown."""
        while True:
            await self._bloated.wait()
            self._bloated.clear()
            await self.rewrite()

    async def rewrite(self) -> None:
        """Replace the file by its live lines, written in a thread; a failure leaves the old file."""
        self._rewriting, self._since = True, []
        data, draft = b"".join(self._live.values()), self._path.with_suffix(".draft")
        try:
            await self._disk.write(replace_file, draft, data, sync=self._syncer.interval_ms >= 0)
            fd = os.open(draft, os.O_RDWR | os.O_CLOEXEC)
            late = b"".join(self._since)
            if os.pwrite(fd, late, len(data)) != len(late):
                os.close(fd)
                raise OSError("short write")
            draft.replace(self._path)
        except OSError as exc:
            disk_trouble("journal_not_rewritten", error=str(exc))
            return
        finally:
            self._rewriting = False
        old, self._fd, self._size = self._fd, fd, len(data) + len(late)
        self._syncer.changed(self)
        self._disk.write_soon("journal_not_closed", lambda: os.close(old))  # after a sync of it

    def pin(self) -> int:
        return self._fd

    def unpin(self) -> None:
        """Nothing: a file that was replaced is closed by the thread that syncs, in order."""

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def close(self) -> None:
        os.close(self._fd)
