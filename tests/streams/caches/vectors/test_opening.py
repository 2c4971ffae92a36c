"""A connection that is made by its first use."""

from __future__ import annotations

import asyncio

import pytest

from streams.caches.vectors.opening import Opening


async def test_it_is_made_once() -> None:
    """However many come at the same time; anew after it was taken or could not be made."""
    made: list[int] = []

    async def make(dimension: int) -> str:
        await asyncio.sleep(0)
        made.append(dimension)
        if len(made) == 1:
            raise OSError
        return f"connection {len(made)}"

    opening = Opening(make)
    with pytest.raises(OSError):  # noqa: PT011 - nothing more is known of it
        await opening.get(3)
    assert await asyncio.gather(opening.get(3), opening.get(3)) == ["connection 2"] * 2
    assert opening.taken() == "connection 2"
    assert opening.taken() is None
    assert await opening.get(4) == "connection 3"
    assert made == [3, 3, 4]
