"""Bytes that may be in memory at once: who does not fit waits for its turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Room:
    """Room for `limit` bytes; first come, first served."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.used = 0

    @asynccontextmanager
    async def held(self, size: int) -> AsyncGenerator[None, None]:
        """Waits until there is room. What is larger than all of it gets in alone."""
        if self._waiting or not self._fits(size):
            await self._turn(size)
        else:
            self.used += size
        try:
            yield
        finally:
            self._give_back(size)

    async def _turn(self, size: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(size)  # its turn came at the same moment
            else:
                turn.cancel()
                self._admit()  # whoever waited behind it may be smaller
            raise

    def _fits(self, size: int) -> bool:
        return not self.used or self.used + size <= self._limit

    def _give_back(self, size: int) -> None:
        self.used -= size
        self._admit()

    def _admit(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.done():
                if not self._fits(size):
                    return
                self.used += size
                turn.set_result(None)
            self._waiting.popleft()
