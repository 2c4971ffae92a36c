"""The caps on what all connections together hold: large requests being read, responses not taken."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol


class ResponseMemory:
    """Bytes of responses that clients have not taken. Who gets none sends from the file instead."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, size: int) -> bool:
        """Whether `size` bytes may be held; never waits."""
        if self.used + size > self.limit:
            return False
        self.used += size
        return True

    def give_back(self, size: int) -> None:
        self.used -= size


class Requester(Protocol):
    """A connection with a large request under way."""

    progress: float  # loop time of the last bytes

    def granted(self) -> None:
        """The memory that was waited for is there."""
        ...

    def abort(self, reason: str) -> None: ...


class RequestMemory:
    """Memory for large requests, taken whole before the first byte is read, granted in order.

    A holder has all it needs, so it cannot wait for another. One that stops sending while others
    wait is disconnected after `stalled` seconds. A request larger than the limit is read alone.
    """

    def __init__(self, limit: int, stalled: float) -> None:
        self.limit = limit
        self.stalled = stalled
        self.used = 0
        self._held: dict[Requester, int] = {}
        self._waiting: deque[tuple[Requester, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, requester: Requester, size: int) -> bool:
        """True if granted at once; else `requester.granted` is called later, unless it gives up."""
        if not self._waiting and self._fits(size):
            self._hold(requester, size)
            return True
        self._waiting.append((requester, size))
        if self._timer is None:
            self._watch()
        return False

    def give_back(self, requester: Requester) -> None:
        """Return what is held, or stop waiting; harmless if neither."""
        size = self._held.pop(requester, 0)
        self.used -= size
        if not size and self._waiting:
            self._waiting = deque(entry for entry in self._waiting if entry[0] is not requester)
        while self._waiting and self._fits(self._waiting[0][1]):
            waiter, size = self._waiting.popleft()
            self._hold(waiter, size)
            waiter.granted()

    def _fits(self, size: int) -> bool:
        return not self.used or self.used + size <= self.limit

    def _hold(self, requester: Requester, size: int) -> None:
        self._held[requester] = size
        self.used += size

    def _watch(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.stalled, self._evict)

    def _evict(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for requester in tuple(self._held):
            if self._waiting and now - requester.progress >= self.stalled:
                requester.abort("request_stalled")
        if self._waiting:
            self._watch()
