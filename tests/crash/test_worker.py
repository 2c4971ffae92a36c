"""kill -9 of a worker at every step between two effects, under load."""

import pytest

from tests.crash.load import kill_at
from tests.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Where a worker dies, and at which passing: early in the load, with many others under way.
POINTS = {
    "streams.delivered": 20,
    "streams.started": 20,
    "streams.called": 15,
    "streams.first_reply": 5,
    "streams.mid_stream": 30,
    "streams.answered": 10,
    "streams.recorded": 10,
    "streams.replied": 10,
    "streams.finished": 2,
    "streams.committed": 2,
}
LOAD, LONG_LOAD = 200, 1000


@pytest.mark.parametrize("point", POINTS)
async def test_kill_at(stack: Stack, point: str) -> None:
    """Nothing accepted is lost, no half answer looks whole, and only what was running is called twice."""
    await kill_at(stack, f"{point}:{POINTS[point]}", LOAD)


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
async def test_kill_at_among_a_thousand(stack: Stack, point: str) -> None:
    """The same with more in flight than a worker takes at once."""
    await kill_at(stack, f"{point}:{POINTS[point]}", LONG_LOAD)
