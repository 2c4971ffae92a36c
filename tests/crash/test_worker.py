"""kill -9 of a worker at every step between two effects, under load."""

import asyncio

import pytest

from tests.crash.load import (
    accounted_for_once,
    ask_many,
    forget_calls,
    no_half_answer,
    produce_many,
    settled,
)
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


async def kill_at(stack: Stack, point: str, load: int) -> None:
    """A worker dies at `point` among `load` requests over HTTP and twenty direct ones."""
    await forget_calls(stack)
    dying = await stack.start(
        "streams", SLUICE_FAULT_POINT=f"{point}:{POINTS[point]}", KAFKA_GROUP_INSTANCE_ID="w1"
    )
    await produce_many(stack, [f"{point}-{load}-direct-{index}" for index in range(20)])
    names = [f"{point}-{load}-{index}" for index in range(load)]
    asking = asyncio.get_running_loop().create_task(ask_many(stack, names))
    assert await dying.ended() == -9
    successor = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    seen = await asking
    count = await settled(stack)

    no_half_answer(seen)
    accounted_for_once(count)
    assert [each for each in seen if each.ended == "broken"] == [], "the ingress lives"
    assert [each for each in seen if each.ended != "whole" and not each.streamed] == []
    assert {name: calls for name, calls in count.calls.items() if calls > 2} == {}
    successor.terminate()
    assert await successor.ended() == 0


@pytest.mark.parametrize("point", POINTS)
async def test_kill_at(stack: Stack, point: str) -> None:
    """Nothing accepted is lost, no half answer looks whole, and only what was running is called twice."""
    await kill_at(stack, point, LOAD)


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
async def test_kill_at_among_a_thousand(stack: Stack, point: str) -> None:
    """The same with more in flight than a worker takes at once."""
    await kill_at(stack, point, LONG_LOAD)
