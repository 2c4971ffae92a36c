"""A connection that is made by its first use, once, and again after it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Opening(Generic[T]):
    """Whoever comes while it opens waits for the same. One event loop."""

    def __init__(self, make: Callable[[int], Awaitable[T]]) -> None:
        """`make` gets the length of the vectors that will be kept."""
        self._make = make
        self._made: T | None = None
        self._lock = asyncio.Lock()

    async def get(self, dimension: int) -> T:
        if self._made is None:
            async with self._lock:
                if self._made is None:
                    self._made = await self._make(dimension)
        return self._made

    def taken(self) -> T | None:
        """What was made, to be closed; it is made anew if it is asked for again."""
        made, self._made = self._made, None
        return made
