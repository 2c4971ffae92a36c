"""What was seen of candidates."""

from __future__ import annotations

from streams.caches.semantic import rows
from streams.caches.semantic.features import COUNT
from streams.caches.semantic.rows import Rows


def test_rows_come_back_as_they_were() -> None:
    """Features, label, weight and number."""
    seen = Rows()
    seen.add(tuple(range(COUNT)), 1, 2.0, 7.0)

    assert len(seen) == 1
    assert seen.features[0].tolist() == list(range(COUNT))
    assert (seen.labels[0], seen.weights[0], seen.requests[0]) == (1.0, 2.0, 7.0)


def test_the_oldest_are_forgotten() -> None:
    """There are never more than CAPACITY, and the newest are among them."""
    seen = Rows()
    for number in range(rows.CAPACITY + 5_000):
        seen.add((0.0,) * COUNT, -1, 0.0, float(number))

    assert len(seen) <= rows.CAPACITY
    assert seen.requests[-1] == rows.CAPACITY + 4_999
    assert (seen.requests[1:] > seen.requests[:-1]).all()
