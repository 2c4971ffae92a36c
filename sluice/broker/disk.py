"""The threads that touch the disk for the event loop: cold reads apart from writes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

import structlog

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")


def disk_trouble(event: str, **context: object) -> None:
    """Log that the disk failed. Never raises: the log itself may go to the disk that is full."""
    with suppress(OSError):
        log.error(event, **context)


class Disk:
    """Three pools: cold reads (several at once), writes (in order), compaction (long)."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        self._reads = ThreadPoolExecutor(4, "broker-read")
        self._writes = ThreadPoolExecutor(1, "broker-write")
        self._compaction = ThreadPoolExecutor(1, "broker-compact")

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _run(self._reads, work, *args, **kwargs)

    async def write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run after the writes that were asked for before."""
        return await _run(self._writes, work, *args, **kwargs)

    async def compact(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _run(self._compaction, work, *args, **kwargs)

    def write_soon(self, event: str, work: Callable[[], None]) -> None:
        """Write what can be made anew if it is lost; a failure is logged as `event`."""

        def attempt() -> None:
            try:
                work()
            except OSError as exc:
                disk_trouble(event, error=str(exc))

        self._writes.submit(attempt)

    def close(self) -> None:
        """Wait for what was asked for (a compaction gives up), end the threads."""
        self.closing.set()
        for pool in (self._reads, self._writes, self._compaction):
            pool.shutdown()


async def _run(
    pool: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(pool, lambda: work(*args, **kwargs))
