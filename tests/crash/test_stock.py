"""Why the transport is ours."""

import asyncio

import pytest

from tests.crash.load import produce_many, settled
from tests.stack import Stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def kill_and_restart(stack: Stack, module: str, name: str) -> None:
    """Twenty slow requests among eighty fast ones; the worker dies while only the slow ones run."""
    first = await stack.start("streams", module=module, KAFKA_GROUP_INSTANCE_ID="w1")
    for index in range(20):
        await produce_many(stack, [f"{name}-slow-{index}"], "sim-5000")
        await produce_many(stack, [f"{name}-fast-{index}-{each}" for each in range(4)], "sim-echo")
    fast = {f"/kafka/{name}-fast-{index}-{each}" for index in range(20) for each in range(4)}
    await until(lambda: fast <= set(stack.documents()), what="the fast ones are done")
    await asyncio.sleep(1.5)  # longer than the commit interval
    first.kill()
    await stack.start("streams", module=module, KAFKA_GROUP_INSTANCE_ID="w1")


async def test_stock_faust_loses_requests_and_ours_does_not(stack: Stack) -> None:
    """After kill -9 the stock consumer has committed past running requests: they are never answered.

    The same run with ours loses none.
    """
    await kill_and_restart(stack, "sluice", "ours")
    await settled(stack)
    for process in stack.processes:
        if process not in stack.base.values() and process.returncode is None:
            process.kill()

    await kill_and_restart(stack, "tests.crash.stock_worker", "stock")
    with pytest.raises(AssertionError, match="no outcome: \\['/kafka/stock-slow"):
        await settled(stack, seconds=20)
