"""The entries of one namespace."""

from __future__ import annotations

import numpy as np

from streams.caches.vectors.base import Entry
from streams.caches.vectors.shelf import SCANNED, Shelf


def filled(count: int, dimension: int = 100) -> tuple[Shelf, np.ndarray]:  # type: ignore[type-arg]
    numbers = np.random.default_rng(1)
    centres = numbers.normal(size=(count // 10, dimension))
    vectors = np.repeat(centres, 10, axis=0) + numbers.normal(0, 0.5, (count, dimension))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    shelf = Shelf(dimension)
    for at, vector in enumerate(vectors):
        shelf.put(Entry(str(at), "n", "g", f"t{at}", vector, b"a", 1e9 + at), at)
    return shelf, vectors


def test_among_many_the_nearest_are_found() -> None:
    """The first choice by signs misses hardly one; similarities are those of the vectors."""
    shelf, vectors = filled(4 * SCANNED // 10 * 10)
    hits = 0
    for at in range(0, len(vectors), 500):
        expected = np.argsort(-(vectors @ vectors[at]))[:10]
        found = shelf.nearest(vectors[at], 10, now=0)
        assert found[0].id == str(at)
        assert found[0].similarity > 0.9999
        assert abs(found[5].similarity - vectors[int(found[5].id)] @ vectors[at]) < 0.01
        hits += len({str(each) for each in expected} & {each.id for each in found})
    assert hits >= 0.97 * 10 * len(range(0, len(vectors), 500))


def test_what_is_dropped_leaves_the_others_findable() -> None:
    """The last ones move to where it was."""
    shelf, vectors = filled(50)
    places = [
        place for place in (shelf.find(str(at)) for at in range(0, 50, 2)) if place is not None
    ]

    dropped = shelf.drop(places)

    assert sorted(dropped) == sorted((str(at), 1) for at in range(0, 50, 2))
    assert shelf.used == 25
    for at in range(50):
        assert (shelf.find(str(at)) is None) == (at % 2 == 0)
        if at % 2:
            assert shelf.nearest(vectors[at], 1, now=0)[0].id == str(at)


def test_an_entry_takes_little_memory() -> None:
    """Less than 1 KB without its answer, with 384 dimensions and a text of a hundred letters."""
    shelf = Shelf(384)
    vector = np.ones(384, np.float32) / np.sqrt(np.float32(384))
    for at in range(2_000):
        shelf.put(Entry(f"{at:032}", "n", f"{at:032}", "x" * 100, vector, b"", 1e9, ("l",) * 2), at)

    assert shelf.memory() <= 2_000 * 1_000
