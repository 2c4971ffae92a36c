"""Requests that wait for another's call."""

import pytest

from streams import waiting
from streams.waiting import Waiting


def test_they_give_their_place_away_and_take_it_back() -> None:
    """Each counts once, and each beginning makes room."""
    rooms = []
    found = Waiting(100, lambda: rooms.append(1))
    one, two = found.of("a", 10), found.of("b", 10)
    one(True)
    one(True)
    two(True)
    assert (found.count, len(rooms)) == (2, 2)
    one(False)
    one(False)
    assert found.count == 1
    two(False)
    assert found.count == 0


def test_they_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By bytes and by count: beyond, a request keeps its place while it waits."""
    monkeypatch.setattr(waiting, "LONGEST", 2)
    found = Waiting(100, lambda: None)
    for name in "abc":
        found.of(name, 10)(True)
    assert found.count == 2
    found = Waiting(15, lambda: None)
    for name in "abc":
        found.of(name, 10)(True)
    assert found.count == 2
