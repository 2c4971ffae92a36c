"""SIGTERM of everything under load."""

import pytest

from tests.crash.load import (
    accounted_for_once,
    asking_many,
    called,
    no_half_answer,
    produce_many,
    settled,
)
from tests.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_all_roles_are_stopped_at_once(stack: Stack) -> None:
    """Ingress, worker and sink end with exit code 0; what was accepted is answered before the stop or
    done after the next start, is called once, and stands in the store once."""
    worker = await stack.start("streams")
    names = [f"all-{index}" for index in range(200)]
    asking = asking_many(stack, names, "sim-50")
    await produce_many(stack, [f"all-direct-{index}" for index in range(100)], "sim-50")
    await called(stack, 100)
    stopping = [stack.base["ingress"], worker, stack.base["sinks"]]
    for process in stopping:
        process.terminate()
    assert [await process.ended() for process in stopping] == [0, 0, 0]
    seen = await asking

    for role in ("sinks", "ingress"):
        stack.base[role] = await stack.start(role)
    again = await stack.start("streams")
    count = await settled(stack)

    no_half_answer(seen)
    accounted_for_once(count)
    assert count.repeated == set()
    await again.stop()
