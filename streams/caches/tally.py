"""What the caches of a worker did, over its restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog
from msgspec.structs import replace

from schemas.control import CacheReport, SemanticReport
from schemas.tasks import Tasks
from streams.caches.meaning.seat import written

log = structlog.get_logger()

EVERY = 30.0  # seconds
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(CacheReport).decode
# Of a semantic report, what goes on from what it was; the rest comes back by itself.
_ADDED = ("same", "different", "undecided", "calls", "input_tokens", "output_tokens", "cost")


class Tally:
    """In a file. What was counted within EVERY seconds before a crash is lost."""

    def __init__(self, path: Path, worker: str) -> None:
        self._path = path
        self.before = self._read(worker)
        self.counted: Callable[[], CacheReport] = lambda: self.before
        self.semantic: Callable[[], SemanticReport] | None = None
        self._tasks = Tasks()

    def _read(self, worker: str) -> CacheReport:
        try:
            return replace(_decode(self._path.read_bytes()), worker=worker)
        except FileNotFoundError:
            return CacheReport(worker)
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("cache_counts_unreadable", path=str(self._path), error=str(error))
            return CacheReport(worker)

    def report(self) -> CacheReport:
        """All of it, up to now."""
        found = self.counted()
        if self.semantic is None:
            return found
        now, before = self.semantic(), self.before.semantic
        if before is not None:
            added = {name: getattr(now, name) + getattr(before, name) for name in _ADDED}
            now = replace(now, **added)
        return replace(found, semantic=now)

    def start(self) -> None:
        self._tasks.start(self._save_forever(), name="cache counts")

    async def _save_forever(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await asyncio.to_thread(self._save)

    def _save(self) -> None:
        try:
            written(self._path, _encode(self.report()))
        except OSError as error:
            log.warning("cache_counts_unwritable", path=str(self._path), error=str(error))

    async def close(self) -> None:
        await self._tasks.abort()
        self._save()
