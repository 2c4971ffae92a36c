"""The consumer: what it delivers, and when it goes back."""

import asyncio
from typing import Any

from faust.types import TP
from msgspec import Struct

from streams.ledger import Commit, Ledger
from streams.transport import Consumer, _floors

HERE = TP("llm.requests", 0)


class Fetched(Struct):
    offset: int


class Thread:
    """Remembers seeks and commits."""

    def __init__(self) -> None:
        self.seeks: list[int] = []
        self.commits: list[dict[Any, Commit]] = []
        self.works = True
        self.answers = asyncio.Event()
        self.answers.set()

    async def seek_to(self, tp: TP, offset: int) -> None:
        self.seeks.append(offset)

    async def commit_with_metadata(self, commits: dict[Any, Commit]) -> bool:
        await self.answers.wait()
        if self.works:
            self.commits.append(commits)
        return self.works


class Scheduler:
    def iterate(self, records: dict[TP, list[Fetched]]) -> Any:
        return [(tp, record) for tp, found in records.items() for record in found]


def consumer(*batches: list[int], commit: int = 0) -> Any:
    """Ours without Faust around it."""
    made: Any = Consumer.__new__(Consumer)
    made.ledgers = {HERE: Ledger(Commit(commit), 0)}
    made._ready = {HERE}
    made._sought, made._committed = {}, {}
    made._thread = Thread()
    made._room, made._held_back = asyncio.Event(), set()
    made.flow_active, made.scheduler, made.deliveries, made.pin_limit = True, Scheduler(), 0, 5
    made.on_commit, made._committing = (lambda done: None), asyncio.Lock()
    made._revocations, made.boot_id = 0, "me"
    made.assignment = lambda: {HERE}
    made.end, made.on_pinned = (lambda partition: 9), (lambda tp, offset: None)
    made._active_partitions = {HERE}
    waiting = [[Fetched(offset) for offset in batch] for batch in batches]

    async def getmany(**_: Any) -> Any:
        return {HERE: waiting.pop(0)} if waiting else {}

    async def callback(message: Any) -> None:
        made.got.append(message)

    made.got, made._getmany, made.callback = [], getmany, callback
    made._to_message = lambda tp, record: record.offset
    return made


async def test_records_are_delivered_once() -> None:
    """What a seek fetches a second time is passed over."""
    made = consumer([0, 1, 2], [1, 2, 3])
    await made._drain_once()
    await made._drain_once()

    assert made.got == [0, 1, 2, 3]
    assert made._thread.seeks == []


async def test_passed_over_records_are_fetched_again() -> None:
    """A fetch that a rebalance made stale loses nothing: the consumer goes back to what is missing."""
    made = consumer([5, 6], [2, 3, 4, 5, 6], commit=2)
    await made._drain_once()
    assert (made.got, made._thread.seeks) == ([], [2])
    await made._drain_once()

    assert made.got == [2, 3, 4, 5, 6]


async def test_a_gap_that_is_in_the_log_is_believed() -> None:
    """After going back once, what is still missing is not there."""
    made = consumer([5, 6], [5, 6], commit=2)
    await made._drain_once()
    await made._drain_once()

    assert made.got == [5, 6]
    assert made._thread.seeks == [2]


async def test_nothing_is_delivered_of_a_partition_that_is_not_ready() -> None:
    """Between generations the ledger is not valid; the records come again."""
    made = consumer([0, 1])
    made._ready = set()
    await made._drain_once()

    assert made.got == []


async def test_a_commit_that_failed_is_repeated() -> None:
    """And one that changed nothing is not sent."""
    made = consumer([0, 1])
    await made._drain_once()
    made.ledgers[HERE].finish(1)
    made._thread.works = False
    assert not await made.commit()
    made._thread.works = True
    assert await made.commit()
    assert not await made.commit()

    (commits,) = made._thread.commits
    assert commits[HERE] == Commit(0, 9, False, frozenset({1}))


class Running(Struct):
    """A request under way."""

    started: bool = True
    running: bool = True
    floor: int | None = None


async def test_nothing_is_committed_behind_the_last_commit() -> None:
    """However long the broker takes for it: the timer's commit would not say what this worker goes on to
    run, and its next owner would call all of that again."""
    made = consumer([0, 1])
    await made._drain_once()
    made.ledgers[HERE].attach(0, Running())
    made.ledgers[HERE].attach(1, Running())
    made._thread.answers.clear()
    last = asyncio.create_task(made.commit_last())
    await asyncio.sleep(0)
    made.ledgers[HERE].finish(1)  # now the timer has something to commit
    timed = asyncio.create_task(made.commit())
    await asyncio.sleep(0)
    made._thread.answers.set()
    await asyncio.gather(last, timed)
    await made.commit()

    assert [commits[HERE].away for commits in made._thread.commits] == [{0: "me", 1: "me"}]


async def test_the_last_commit_comes_behind_the_one_under_way() -> None:
    """And says more than that one."""
    made = consumer([0, 1])
    await made._drain_once()
    made.ledgers[HERE].attach(0, Running())
    made.ledgers[HERE].finish(1)
    made._thread.answers.clear()
    timed = asyncio.create_task(made.commit())
    await asyncio.sleep(0)
    last = asyncio.create_task(made.commit_last())
    await asyncio.sleep(0)
    made._thread.answers.set()
    await asyncio.gather(last, timed)

    assert [commits[HERE].away for commits in made._thread.commits] == [{}, {0: "me"}]


async def test_a_pinned_offset_is_reported() -> None:
    """With more than the limit above it."""
    made = consumer(list(range(8)))
    pinned: list[int] = []
    made.on_pinned = lambda tp, offset: pinned.append(offset)
    await made._drain_once()
    for offset in range(1, 8):
        made.ledgers[HERE].finish(offset)
    await made.commit()

    assert pinned == [0]


def test_the_outcomes_of_both_lanes_are_read_once() -> None:
    """From the lower floor of the two topics: an outcome stands in the partition of its request's
    number, whichever lane that came by."""
    batch, other = TP("llm.requests.batch", 0), TP("llm.requests", 1)
    commits = {HERE: Commit(9, 40), batch: Commit(2, 30), other: Commit(0, 5)}
    assert _floors(commits) == {0: 30, 1: 5}
