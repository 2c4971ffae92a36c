"""What fails or takes too long is a miss."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from typing_extensions import override

from streams.caches.embedders.base import EmbedderError
from streams.caches.meaning.config import SemanticConfig
from streams.caches.vectors.base import Entry, Neighbour, Selection, Vector, VectorStore
from streams.caches.vectors.embedded import Embedded
from streams.caches.vectors.qdrant import Qdrant
from tests.services import free_port
from tests.streams.caches.meaning.test_learning import Dictionary
from tests.streams.caches.meaning.world import World
from tests.streams.caches.semantic.samples import unit

PATIENT = SemanticConfig(threshold=0.8, timeout=30.0)
HASTY = SemanticConfig(threshold=0.8, timeout=0.05)
TEXTS = [f"question {word}" for word in ("amber", "basil", "cedar", "delta", "ember", "fjord")]


class Silent(VectorStore):
    """Takes what it is given, and never answers."""

    def __init__(self) -> None:
        self.searches = 0

    @override
    async def search(
        self, namespace: str, vector: Vector, count: int, now: float
    ) -> Sequence[Neighbour]:
        self.searches += 1
        await asyncio.Event().wait()
        raise AssertionError

    @override
    async def add(self, entry: Entry) -> None:
        return

    @override
    async def remove(self, selection: Selection) -> None:
        return

    @override
    async def close(self) -> None:
        return


class Broken(Dictionary):
    """Its provider is away."""

    embedded = 0

    @override
    async def embed(self, text: str) -> Vector | None:
        self.embedded += 1
        raise EmbedderError("away")


def dictionary() -> Dictionary:
    found = Dictionary()
    found.vectors = dict(zip(TEXTS, map(unit, np.eye(len(TEXTS))), strict=True))
    found.vectors["hello"] = found.vectors[TEXTS[0]]
    return found


async def test_a_store_that_is_away() -> None:
    """Every request gets its own answer. While the store fails, it is hardly asked."""
    url = f"http://127.0.0.1:{free_port()}"
    world = World(dictionary(), store=Qdrant(url), config=PATIENT)
    for text in TEXTS:
        assert await world.ask(text) == (f"About: {text}", "MISS")
    assert "sluice_cache_failures_total" in world.metrics.exposition().decode()
    await world.close()


async def test_a_store_that_hangs() -> None:
    """Its deadline passes, and after three of them nobody waits any more."""
    store = Silent()
    world = World(dictionary(), store=store, config=HASTY)
    for text in TEXTS:
        assert await world.ask(text) == (f"About: {text}", "MISS")
    assert store.searches <= 3 + 1  # and the one at the start
    await world.close()


async def test_an_embedder_that_fails() -> None:
    """The same."""
    embedder = Broken()
    world = World(embedder, config=PATIENT)
    for text in TEXTS:
        assert await world.ask(text) == (f"About: {text}", "MISS")
    assert embedder.embedded == 3 + 1
    await world.close()


async def test_a_damaged_answer(tmp_path: Path) -> None:
    """Is a miss, and the fresh answer takes its place."""
    world = World(dictionary(), store=Embedded(tmp_path / "vectors", 100, 1 << 20), config=PATIENT)
    await world.ask(TEXTS[0])
    (shelf,) = world.store._shelves.values()  # type: ignore[attr-defined]
    shelf._answers[0] = shelf._answers[0][:-3]
    assert (await world.ask(TEXTS[0], "type=semantic"))[1] == "MISS"
    await world.close()
