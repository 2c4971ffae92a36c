"""The keys of one instance, in turn."""

from __future__ import annotations

from collections.abc import Callable


class KeyRing:
    """Hands out the numbers of keys, each in its turn; one that is limited is passed over."""

    __slots__ = ("_free_at", "_last", "_now")

    def __init__(self, count: int, now: Callable[[], float]) -> None:
        """`now` is a clock that never goes back, in seconds."""
        self._free_at = [0.0] * count
        self._last = count - 1
        self._now = now

    def next(self) -> int:
        """The next key; if all are limited, the one that is free first."""
        count = len(self._free_at)
        if count == 1:
            return 0
        now = self._now()
        turns = [(self._last + turn) % count for turn in range(1, count + 1)]
        free = [key for key in turns if self._free_at[key] <= now]
        self._last = free[0] if free else min(turns, key=self._free_at.__getitem__)
        return self._last

    def limit(self, key: int, until: float) -> None:
        """The provider limits this key until then, by the ring's clock; never shortens a limit."""
        self._free_at[key] = max(self._free_at[key], until)

    @property
    def free(self) -> int:
        """How many keys are not limited now."""
        now = self._now()
        return sum(free_at <= now for free_at in self._free_at)
