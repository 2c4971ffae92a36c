"""What is read, and what is held back."""

import asyncio

from faust.types import TP

from streams.flow import POLL, POLL_HELD_BACK
from streams.ledger import Commit, Ledger
from tests.streams.test_transport import HERE, consumer


async def test_a_topic_that_is_held_back_stays_so_after_an_assignment() -> None:
    """Faust resumes every partition that it assigns; those of a full lane wait for `go_on`, and the
    watchdog does not count what lies there."""
    made = consumer()
    batch = TP("llm.requests.batch", 0)
    made.ledgers[batch] = Ledger(Commit(0), 0)
    made._ready, made.assignment = {HERE, batch}, lambda: {HERE, batch}
    made._active_partitions, made._paused_partitions = {HERE, batch}, set()
    made._thread.highwater = lambda tp: 7 if tp == HERE else 1000
    made._buffered_partitions = set()
    made.hold_back(batch.topic)
    assert made._get_active_partitions() == {HERE}
    made.pause_partitions({HERE, batch})
    made.resume_partitions({HERE, batch})
    assert made._get_active_partitions() == {HERE}
    assert (made.lag(batch.topic), made.waiting()) == (1000, 7)

    made.go_on(batch.topic)
    assert made._get_active_partitions() == {HERE, batch}
    assert made.waiting() == 1007


async def test_a_paused_consumer_is_woken_at_once() -> None:
    """Resuming does not wait for a poll interval."""
    made = consumer([0])
    made._paused_partitions, made._buffered_partitions = set(), set()
    made.pause_partitions({HERE})
    waiting = asyncio.get_running_loop().create_task(made._drain_once())
    await asyncio.sleep(0)
    assert not waiting.done()
    made.resume_partitions({HERE})
    await waiting
    await made._drain_once()

    assert made.got == [0]


async def test_a_look_is_short_while_a_topic_is_held_back() -> None:
    """A look that is under way does not see that a topic goes on again."""
    made = consumer()
    made._active_partitions, made._paused_partitions = {HERE}, set()
    asked: list[float] = []

    async def getmany(active_partitions: set[TP], timeout: float) -> dict[TP, object]:
        asked.append(timeout)
        return {}

    made._getmany = getmany
    await made._drain_once()
    made.hold_back("llm.requests.batch")
    await made._drain_once()
    made.go_on("llm.requests.batch")
    await made._drain_once()
    assert asked == [POLL, POLL_HELD_BACK, POLL]
