"""Insisting on a store, and what may interrupt it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
import structlog

from schemas.metrics import Metrics
from schemas.tasks import Tasks
from sinks.backoff import MOST, Backoff, stopped_within
from sinks.base import Backpressure, Refused
from sinks.document import Document
from sinks.interruption import uncancelled, unless_stopped
from sinks.store import EXPIRE_INTERVAL, REMIND_INTERVAL, Store
from tests.sinks.cluster import DEADLINE, MemorySink, eventually
from tests.sinks.samples import HandClock, documents


class ExpiringSink(MemorySink):
    """Has `slices` slices to delete."""

    slices = 0
    calls = 0

    async def expire(self) -> bool:
        self._check()
        self.calls += 1
        self.slices -= 1
        return self.slices > 0


def store_of(sink: MemorySink, clock: HandClock, stop: asyncio.Event | None = None) -> Store:
    return Store("sqlite", sink, clock, Metrics(), stop or asyncio.Event())


async def test_an_outage_is_told_when_it_begins_from_time_to_time_and_when_it_ends() -> None:
    """However many attempts there are, the log has one line a while."""
    clock, sink = HandClock(), MemorySink()
    sink.away = True
    with structlog.testing.capture_logs() as lines:
        tasks = Tasks()
        writing = tasks.start(store_of(sink, clock).write(documents(1), lambda: True), name="write")
        await eventually(lambda: sink.attempts >= 4, "some attempts")
        assert [line["event"] for line in lines] == ["store_unavailable"]
        clock.now += REMIND_INTERVAL
        await eventually(lambda: len(lines) == 2, "a reminder")
        sink.away = False
        async with asyncio.timeout(DEADLINE):
            assert await writing
    assert [line["event"] for line in lines] == ["store_unavailable"] * 2 + ["store_recovered"]
    assert lines[0]["reason"] == "told to be away"


async def test_what_is_no_longer_wanted_is_given_up() -> None:
    """When the partitions have gone, so has the interest in their records."""
    sink = MemorySink()
    sink.away = True

    assert await store_of(sink, HandClock()).write(documents(1), lambda: False) is False


async def test_old_documents_go_once_a_minute_or_while_there_are_more() -> None:
    """Slices follow each other until nothing is left; then the store has a minute's rest."""
    clock, sink = HandClock(), ExpiringSink()
    store = store_of(sink, clock)
    sink.slices = 3
    for _ in range(10):
        await store.expire()
    assert sink.calls == 3
    clock.now += EXPIRE_INTERVAL
    await store.expire()
    assert sink.calls == 4
    sink.away = True
    clock.now += EXPIRE_INTERVAL
    await store.expire()
    assert sink.calls == 4
    await store_of(MemorySink(), clock).expire()  # a store without retention


async def test_opening_ends_with_the_process() -> None:
    """A store that does not answer while it is opened does not keep the process from stopping."""

    class Silent(MemorySink):
        async def open(self) -> None:
            await asyncio.Event().wait()

    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    async with asyncio.timeout(DEADLINE):
        assert await store_of(Silent(), HandClock(), stop).open() is False


async def test_errors_of_a_sink_pass_through() -> None:
    """Refused reaches the runner as it is; so does a bug."""

    class Broken(MemorySink):
        async def write(self, batch: Sequence[Document]) -> None:
            raise LookupError("a bug")

    sink = MemorySink()
    sink.refused = {documents(1)[0].request_id}
    with pytest.raises(Refused):
        await store_of(sink, HandClock()).write(documents(1), lambda: True)
    with pytest.raises(LookupError):
        await store_of(Broken(), HandClock()).write(documents(1), lambda: True)


def test_pauses_grow_to_a_bound() -> None:
    """Each pause is about twice the one before, up to some seconds, and never shorter than asked."""
    delays = Backoff()
    pauses = [delays.next() for _ in range(100)]

    assert pauses[0] <= 0.1
    assert all(later > earlier * 0.99 for earlier, later in pairwise(pauses[:6]))
    assert all(MOST / 2 <= pause <= MOST for pause in pauses[10:])
    assert delays.next(at_least=60.0) == 60.0


async def test_waiting_ends_with_the_stop() -> None:
    """A pause is over as soon as the process is to end."""
    stop = asyncio.Event()
    assert await stopped_within(stop, 0.01) is False
    stop.set()
    async with asyncio.timeout(DEADLINE):
        assert await stopped_within(stop, 3600.0) is True


async def test_uncancelled_work_ends_before_its_caller() -> None:
    """Whoever is cancelled while it waits goes on waiting, and then is cancelled."""
    gate, done, tasks = asyncio.Event(), [], Tasks()

    async def work() -> None:
        await gate.wait()
        done.append(True)

    caller = tasks.start(uncancelled(work()), name="caller")
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0.05)
    assert not caller.done()
    gate.set()
    assert await tasks.drain(DEADLINE) == 0
    assert caller.cancelled()
    assert done == [True]


async def test_unless_stopped_returns_what_happened() -> None:
    """Done, failed as expected, or stopped."""

    async def fails() -> None:
        raise Backpressure(1.0, "no")

    stop = asyncio.Event()
    assert await unless_stopped(stop, asyncio.sleep(0))
    with pytest.raises(Backpressure):
        await unless_stopped(stop, fails(), Backpressure)
    stop.set()
    assert not await unless_stopped(stop, asyncio.sleep(3600))
