"""Workers that join, leave and die while requests run."""

import pytest

from tests.crash.load import come_and_go, take_over
from tests.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_workers_that_join_and_leave_repeat_no_call(stack: Stack) -> None:
    """Three of them under load; every answer is whole, and accepted = outcomes = documents."""
    await come_and_go(stack, 60)


async def test_what_ran_in_a_worker_that_dies_after_a_handover(stack: Stack) -> None:
    """Its new owner has waited for it, and runs it when its heartbeats are missing."""
    await take_over(stack)


@pytest.mark.long
async def test_many_join_and_leave(stack: Stack) -> None:
    """The same with several hundred in flight."""
    await come_and_go(stack, 400)
