"""The watchdog: when a worker ends itself."""

import pytest

from streams import watchdog
from streams.config import StreamsConfig
from streams.watchdog import Stalled, watch
from tests.streams.fakes import Clock


class Consumer:
    """Shows one state after the other; the last look ends the test."""

    flow_active = True

    def __init__(self, clock: Clock, states: list[tuple[int, int, bool]]) -> None:
        self._clock = clock
        self._states = states
        self.deliveries = 0
        self._waiting = 0
        self.adopted = True

    def look(self) -> bool:
        if not self._states:
            raise LookupError("the end of the test")
        self.deliveries, self._waiting, reachable = self._states.pop(0)
        self._clock.now += 10
        return reachable

    def unadopted(self) -> bool:
        return not self.adopted

    def waiting(self) -> int:
        return self._waiting


async def observed(
    monkeypatch: pytest.MonkeyPatch, *states: tuple[int, int, bool], adopted: bool = True
) -> None:
    """Ten seconds between two looks, at (deliveries, waiting, reachable)."""
    clock = Clock()
    consumer = Consumer(clock, list(states))
    consumer.adopted = adopted
    reached: list[bool] = []

    async def sleep(seconds: float) -> None:
        reached[:] = [consumer.look()]

    monkeypatch.setattr(watchdog.asyncio, "sleep", sleep)
    await watch(consumer, lambda: reached[0], StreamsConfig(stall_timeout=25.0), clock)


async def test_a_consumer_that_stands_still_ends_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Records wait, the log is there, and nothing is delivered for `STREAMS_STALL_TIMEOUT`."""
    with pytest.raises(Stalled):
        await observed(monkeypatch, *[(5, 100, True)] * 5)


async def test_partitions_that_are_never_adopted_end_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even if no record is known to wait there."""
    with pytest.raises(Stalled):
        await observed(monkeypatch, *[(5, 0, True)] * 5, adopted=False)


@pytest.mark.parametrize(
    "states",
    [
        [(5, 0, True)] * 9,  # nothing waits, or only what is held back
        [(number, 100, True) for number in range(9)],  # records are delivered
        [(5, 100, False)] * 9,  # the log is away
        [(5, 100, True), (5, 100, True), (6, 100, True)] * 3,  # slowly, but delivered
    ],
)
async def test_a_worker_with_an_excuse_lives(
    monkeypatch: pytest.MonkeyPatch, states: list[tuple[int, int, bool]]
) -> None:
    """Idle, at its limit, at work, or without a log."""
    with pytest.raises(LookupError, match="the end of the test"):
        await observed(monkeypatch, *states)
