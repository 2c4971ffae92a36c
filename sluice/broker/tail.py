"""The newest batches of all partitions, kept in memory for consumers that keep up."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

_OVERHEAD = 256  # bytes that a small batch costs beside its own
_MAX_RUN = 4096  # batches in one answer: what is left comes with the next


class Tails:
    """The memory that all partitions' tails share: beyond `limit` bytes the oldest go first."""

    __slots__ = ("limit", "order", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.order: deque[tuple[Tail, int, int]] = deque()  # tail, its generation, bytes

    def note(self, tail: Tail, size: int) -> None:
        self.order.append((tail, tail.generation, size))
        self.used += size
        if self.used > self.limit:
            self._evict()

    def _evict(self) -> None:
        """Make room in one go: a batch at a time would move each tail's list at every append."""
        goal = self.limit - self.limit // 4
        drops: dict[Tail, int] = {}
        while self.order and self.used > goal:
            tail, generation, size = self.order.popleft()
            if generation == tail.generation:
                self.used -= size
                drops[tail] = drops.get(tail, 0) + 1
        for tail, count in drops.items():
            tail.drop(count)


class Tail:
    """One partition's newest batches, without a gap up to its end."""

    __slots__ = ("batches", "bytes", "generation", "offsets", "shared")

    def __init__(self, shared: Tails) -> None:
        self.shared = shared
        self.offsets: list[int] = []
        self.batches: list[bytearray] = []
        self.generation = 0
        self.bytes = 0

    def append(self, base: int, batch: bytearray) -> None:
        self.offsets.append(base)
        self.batches.append(batch)
        size = len(batch) + _OVERHEAD
        self.bytes += size
        self.shared.note(self, size)

    def drop(self, count: int) -> None:
        self.bytes -= sum(map(len, self.batches[:count])) + _OVERHEAD * count
        del self.batches[:count], self.offsets[:count]

    def clear(self) -> None:
        """Forget all, as when the log was rewritten or deleted."""
        self.shared.used -= self.bytes
        self.bytes = 0
        self.generation += 1
        self.offsets.clear()
        self.batches.clear()

    def read(self, offset: int, limit: int) -> list[bytearray] | None:
        """Batches from the one with `offset` on, at least one; None if it is older than the tail."""
        at = bisect_right(self.offsets, offset) - 1
        if at < 0:
            return None
        found = [self.batches[at]]
        size = len(found[0])
        for batch in self.batches[at + 1 : at + _MAX_RUN]:
            size += len(batch)
            if size > limit:
                break
            found.append(batch)
        return found
