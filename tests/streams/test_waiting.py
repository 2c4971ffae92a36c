"""Requests that wait for another's call."""

import pytest

from schemas.topics import Topics
from streams import waiting
from streams.config import StreamsConfig
from streams.delivery import Delivery, parse
from streams.dispatcher import Dispatcher
from streams.waiting import Waiting
from tests.streams.fakes import record


class Bench:
    """Three that run, and what became of their places."""

    def __init__(self, limit: int) -> None:
        self.lanes = Dispatcher(StreamsConfig(), Topics())
        self.rooms = 0
        self.found = Waiting(limit, self.lanes, self.room)
        self.deliveries = [parse(record(offset, name)) for offset, name in enumerate("abc")]
        for delivery in self.deliveries:
            self.lanes.began(delivery)

    def room(self) -> None:
        self.rooms += 1

    @property
    def running(self) -> int:
        return self.lanes.interactive.running

    def size(self) -> int:
        found: Delivery = self.deliveries[0]
        return found.size


def test_they_give_their_place_away_and_take_it_back() -> None:
    """Each counts once, and each beginning makes room."""
    bench = Bench(10_000)
    one, two = (bench.found.of(each) for each in bench.deliveries[:2])
    one(True)
    one(True)
    two(True)
    assert (bench.found.count, bench.rooms, bench.running) == (2, 2, 1)
    one(False)
    one(False)
    assert (bench.found.count, bench.running) == (1, 2)
    two(False)
    assert (bench.found.count, bench.running) == (0, 3)


def test_they_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By bytes and by count: beyond, a request keeps its place while it waits."""
    monkeypatch.setattr(waiting, "LONGEST", 2)
    bench = Bench(10_000)
    for each in bench.deliveries:
        bench.found.of(each)(True)
    assert (bench.found.count, bench.running) == (2, 1)
    bench = Bench(Bench(0).size() * 3 // 2)
    for each in bench.deliveries:
        bench.found.of(each)(True)
    assert (bench.found.count, bench.running) == (2, 1)
