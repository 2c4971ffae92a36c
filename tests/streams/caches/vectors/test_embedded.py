"""The embedded store: what is its own beside the contract."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streams.caches.vectors.base import All, VectorError
from streams.caches.vectors.embedded import Embedded
from tests.streams.caches.vectors.samples import at, entry


async def test_it_is_bounded_by_count_and_by_bytes() -> None:
    """The oldest go, some at a time; what came last is there."""
    by_count, by_bytes = Embedded(None, 64, 1 << 20), Embedded(None, 10_000, 64_000)
    for number in range(300):
        for store in (by_count, by_bytes):
            await store.add(entry(f"{number}", number / 300, f"n{number % 3}", answer=b"x" * 1_000))
            assert len(store) <= 64

    for store in (by_count, by_bytes):
        assert len(store) > 50
        assert [each.id for each in await store.search("n2", at(1.0), 1, 0)] == ["299"]


async def test_the_file_does_not_grow_without_end(tmp_path: Path) -> None:
    """Written anew once most of it is about what is gone, and it says the same."""
    store = Embedded(tmp_path / "file", 100, 1 << 30)
    for number in range(400):
        await store.add(entry(f"{number % 20}", number / 400, answer=b"x" * 50_000))
    await store.close()

    assert (tmp_path / "file").stat().st_size < 10 << 20
    again = Embedded(tmp_path / "file", 100, 1 << 30)
    assert len(await again.search("n", at(1.0), 100, 0)) == 20
    await again.remove(All())
    await again.close()


async def test_a_second_process_is_told(tmp_path: Path) -> None:
    """And gets in when the first one is gone."""
    one, other = Embedded(tmp_path / "file", 9, 999), Embedded(tmp_path / "file", 9, 999)
    await one.add(entry("a", 0.5))
    with pytest.raises(VectorError, match="another process"):
        await other.search("n", at(1.0), 1, 0)

    await one.close()
    assert len(await other.search("n", at(1.0), 1, 0)) == 1
    await other.close()


async def test_an_impatient_first_one_does_not_spoil_the_opening(tmp_path: Path) -> None:
    """Reading the file goes on when the deadline of whoever caused it ends."""
    store = Embedded(tmp_path / "file", 9, 999)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await store.search("n", at(1.0), 1, 0)

    await store.add(entry("a", 0.5))
    assert len(await store.search("n", at(1.0), 1, 0)) == 1
    await store.close()
