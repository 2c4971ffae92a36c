"""What may be interrupted when a process stops, and what may not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from schemas.tasks import Tasks

Result = TypeVar("Result")
_tasks = Tasks()


async def unless_stopped(
    stop: asyncio.Event, work: Coroutine[Any, Any, None], *expected: type[Exception]
) -> bool:
    """Do the work, but cancel it as soon as `stop` is set; whether it was done.

    The exceptions `expected` are raised as they are; others are logged too, being bugs.
    """
    working = _tasks.start(_settled(work, expected), name="sinks-unless-stopped")
    stopping = _tasks.start(stop.wait(), name="sinks-stop")
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait((working,))
    if working.cancelled():
        return False
    _raised(working.result())
    return True


async def uncancelled(work: Coroutine[Any, Any, Result], *expected: type[Exception]) -> Result:
    """Do the work to its end, even if whoever waits for it is cancelled."""
    working = _tasks.start(_settled(work, expected), name="sinks-uncancelled")
    try:
        result: Result | Exception = await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait((working,))
        raise
    return _raised(result)


async def _settled(
    work: Coroutine[Any, Any, Result], expected: tuple[type[Exception], ...]
) -> Result | Exception:
    """An expected exception as a value: a task that fails would be logged."""
    try:
        return await work
    except expected as error:
        return error


def _raised(result: Result | Exception) -> Result:
    if isinstance(result, Exception):
        raise result
    return result
