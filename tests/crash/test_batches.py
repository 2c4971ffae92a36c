"""Batches run by workers that are killed, and a gateway that is killed as a whole."""

import pytest

from tests.crash.batches import STATIC, begun, count, done, killed_at, survive
from tests.crash.load import forget_calls, serving, upstream_calls
from tests.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")
BROKER = "embedded"

# Where a worker dies, in the order of the batch's life.
POINTS = (
    "streams.batch_planned:2",
    "streams.batch_submitted:2",
    "streams.recorded:60",
    "streams.result_kept:60",
)
LINES, LONG_LINES, MANY_LINES = 500, 2_000, 50_000


async def test_a_batch_survives_everything(stack: Stack) -> None:
    """Its workers die at every step of it, then all processes at once, the broker too; and one worker dies
    when only the last note is missing. Each line ends with one result and one document, and only what was
    running is called twice."""
    await forget_calls(stack)
    first = await stack.start("streams", **STATIC)
    name = await begun(stack, LINES)
    first.kill()
    await killed_at(stack, *POINTS)
    calls = await upstream_calls(stack)
    for process in stack.base.values():
        process.kill()
    for role in ("broker", "sim", "sinks", "ingress"):
        stack.base[role] = await stack.start(role)
    await killed_at(stack, "streams.batch_written")
    last = await stack.start("streams", **STATIC)
    await serving(stack)
    await count(stack, await done(stack, name, calls, 90), LINES)
    await last.stop()


@pytest.mark.long
@pytest.mark.parametrize("lines", [LONG_LINES, MANY_LINES])
async def test_a_large_batch(stack: Stack, lines: int) -> None:
    """The same with as many as a file of OpenAI's may have, under workers that die in the middle."""
    middle = [f"streams.result_kept:{lines // 8}", f"streams.recorded:{lines // 8}"]
    await survive(stack, lines, *POINTS, *middle, *middle, "streams.batch_written")
