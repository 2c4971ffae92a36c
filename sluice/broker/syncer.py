"""Fsync when it was asked for: at an interval, or before acknowledgements and for many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from sluice.broker.disk import Disk, disk_trouble
from sluice.broker.errors import StorageFailed


class Syncable(Protocol):
    """A file with changes: pinned while it waits, synced in a thread."""

    def pin(self) -> int: ...

    def unpin(self) -> None: ...

    def sync(self) -> None: ...


class Syncer:
    """Collects changed files. `interval_ms` as BrokerConfig.fsync_ms: -1 collects nothing."""

    def __init__(self, disk: Disk, interval_ms: int, fatal: Callable[[Exception], None]) -> None:
        self.interval_ms = interval_ms
        self._disk = disk
        self._fatal = fatal
        self._changed: set[Syncable] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._work = asyncio.Event()

    @property
    def before_ack(self) -> bool:
        return self.interval_ms == 0

    def changed(self, file: Syncable) -> None:
        """Note that `file` has bytes that are not on the disk."""
        if self.interval_ms >= 0 and file not in self._changed:
            file.pin()
            self._changed.add(file)

    def flushed(self) -> asyncio.Future[None]:
        """Done when everything noted before this call is on the disk; StorageFailed if it cannot."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._work.set()
        return future

    async def run(self) -> None:
        """Sync for ever; one round serves all who wait when it begins."""
        while True:
            if self.interval_ms > 0:
                await asyncio.sleep(self.interval_ms / 1000)
            else:
                await self._work.wait()
                self._work.clear()
            await self.flush()

    async def flush(self) -> None:
        """One round; an error is fatal: after a failed fsync the kernel forgets what it lost."""
        files, self._changed = self._changed, set()
        waiting, self._waiting = self._waiting, []
        error: Exception | None = None
        try:
            if files:
                await self._disk.write(_sync_all, files)
        except OSError as exc:
            disk_trouble("fsync_failed", error=str(exc))
            error = StorageFailed(str(exc))
            self._fatal(error)
        finally:
            for file in files:
                file.unpin()
        for future in waiting:
            if not future.done():
                future.set_exception(error) if error else future.set_result(None)


def _sync_all(files: set[Syncable]) -> None:
    for file in files:
        file.sync()
