"""Interactive requests and batch ones, read by one consumer."""

import pytest

from tests.crash.load import overtake
from tests.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_batch_records_do_not_delay_interactive_requests(stack: Stack) -> None:
    """Two thousand of them, unread, and a worker that joins."""
    await overtake(stack, 2000)


@pytest.mark.long
async def test_fifty_thousand_batch_records(stack: Stack) -> None:
    """The same with as many as a file of batches has."""
    await overtake(stack, 50_000)
