"""The one place that starts asyncio tasks: named, strongly referenced, waited for on shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import structlog

log = structlog.get_logger()


class Tasks:
    """A set of running tasks.

    asyncio keeps only weak references; a task that is not held may vanish in the middle of a paid
    call. An exception that nobody awaits is logged here, once.
    """

    __slots__ = ("_running",)

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return iter(tuple(self._running))

    def start(self, coro: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run `coro` soon; the task is named `name` and held until it ends."""
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", task=task.get_name(), exc_info=error)

    async def drain(self, timeout: float | None) -> int:
        """Wait up to `timeout` seconds (None: for ever) for all to end; returns how many have not."""
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=timeout)
        return len(self._running)

    async def abort(self) -> None:
        """Cancel all and wait until they have ended."""
        for task in tuple(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(tuple(self._running))
