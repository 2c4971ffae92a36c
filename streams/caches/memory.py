"""Answers in the worker's own memory: bounded by bytes, the least used go first."""

from __future__ import annotations

from collections import OrderedDict

from schemas.clock import Clock
from schemas.metrics import Metrics
from streams.caches.entry import Entry, Selection

_SHARE = 8  # an entry may take this part of the memory, so that one does not push out all others


class MemoryCache:
    """A Cache."""

    def __init__(self, limit: int, clock: Clock, metrics: Metrics) -> None:
        """`limit`: bytes of all entries."""
        self._limit = limit
        self._clock = clock
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.size = 0  # bytes
        metrics.gauge("sluice_cache_bytes", lambda: self.size)

    @property
    def count(self) -> int:
        """Of entries."""
        return len(self._entries)

    async def get(self, *keys: str) -> tuple[Entry | None, ...]:
        return tuple(self._get(key) for key in keys)

    def _get(self, key: str) -> Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires_at <= self._clock.time():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    async def put(self, *entries: Entry) -> None:
        for entry in entries:
            self._drop(entry.key)
            if entry.size * _SHARE > self._limit:
                continue
            self._entries[entry.key] = entry
            self.size += entry.size
            while self.size > self._limit:
                self._drop(next(iter(self._entries)))

    async def purge(self, which: Selection) -> int:
        meant = [entry.key for entry in self._entries.values() if which.takes(entry)]
        for key in meant:
            self._drop(key)
        return len(meant)

    async def close(self) -> None:
        self._entries.clear()
        self.size = 0

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry.size
