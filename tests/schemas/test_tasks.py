"""Tasks that nobody forgets."""

import asyncio

from structlog.testing import capture_logs

from schemas.tasks import Tasks


async def test_a_drain_waits_for_all() -> None:
    """Shutdown knows what still runs."""
    tasks, gate = Tasks(), asyncio.Event()
    tasks.start(gate.wait(), name="one")

    assert await tasks.drain(0.01) == 1
    gate.set()
    assert await tasks.drain(None) == 0


async def test_an_abort_cancels_and_waits() -> None:
    """After it nothing runs."""
    tasks, cleaned = Tasks(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    tasks.start(work(), name="one")
    await asyncio.sleep(0)
    await tasks.abort()

    assert cleaned == [True]
    assert len(tasks) == 0


async def test_a_failure_that_nobody_awaits_is_logged() -> None:
    """With the name of its task."""
    tasks = Tasks()

    async def fail() -> None:
        raise ValueError("broken")

    with capture_logs() as logs:
        tasks.start(fail(), name="request 7")
        await tasks.drain(None)
        await asyncio.sleep(0)

    assert logs[0]["task"] == "request 7"
