"""Workers that join, leave and die while requests run."""

import pytest

from tests.crash.load import (
    accounted_for_once,
    asking_many,
    called,
    cancel,
    come_and_go,
    forget_calls,
    no_half_answer,
    produce_many,
    settled,
    take_over,
    upstream_calls,
)
from tests.stack import Stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_workers_that_join_and_leave_repeat_no_call(stack: Stack) -> None:
    """Three of them under load; every answer is whole, and accepted = outcomes = documents."""
    await come_and_go(stack, 60)


async def test_what_ran_in_a_worker_that_dies_after_a_handover(stack: Stack) -> None:
    """Its new owner has waited for it, and runs it when its heartbeats are missing."""
    await take_over(stack)


async def test_a_worker_dies_when_it_has_answered_what_it_gave_away(stack: Stack) -> None:
    """At `streams.handed`: the outcome is recorded and told, the new owner was not. When the old one's
    heartbeats are missing that looks for the outcome, and calls nobody."""
    await forget_calls(stack)
    dying = await stack.start("streams", SLUICE_FAULT_POINT="streams.handed")
    await produce_many(stack, ["handed"], "sim-16000")
    await called(stack, 1)
    second = await stack.start("streams")
    third = await stack.start("streams")  # one of the two has its partition
    assert await dying.ended() == -9
    count = await settled(stack)

    accounted_for_once(count)
    assert count.calls == {"/kafka/handed": 1}
    await second.stop()
    await third.stop()


async def test_a_worker_dies_as_partitions_are_taken_from_it(stack: Stack) -> None:
    """At `streams.revoked`: its last commit says nothing of what runs, so that this is run again, and
    nothing else."""
    await forget_calls(stack)
    dying = await stack.start(
        "streams", SLUICE_FAULT_POINT="streams.revoked:2"
    )  # the first is its joining
    asking = asking_many(stack, [f"revoked-{index}" for index in range(40)], "sim-300")
    direct = [f"revoked-direct-{index}" for index in range(10)]
    await produce_many(stack, direct, "sim-3600000")  # however long it takes the second one to join
    await called(stack, 50)
    second = await stack.start("streams")
    assert await dying.ended() == -9
    seen = await asking

    async def called_again() -> bool:
        calls = await upstream_calls(stack)
        return all(calls[f"/kafka/{name}"] == 2 for name in direct)

    await until(called_again, what="they run again")
    for name in direct:
        await cancel(stack, f"/kafka/{name}")
    count = await settled(stack)

    no_half_answer(seen)
    accounted_for_once(count)
    assert {name: calls for name, calls in count.calls.items() if calls > 2} == {}
    assert {f"/kafka/{name}" for name in direct} <= count.repeated
    await second.stop()


@pytest.mark.long
async def test_many_join_and_leave(stack: Stack) -> None:
    """The same with several hundred in flight."""
    await come_and_go(stack, 400)
