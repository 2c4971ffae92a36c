"""Requests that only wait for another's call: they take nobody's place, as long as there is room."""

from __future__ import annotations

from collections.abc import Callable

LONGEST = 20_000  # requests


class Waiting:
    """Those of one worker, bounded by count and by the bytes of their bodies."""

    def __init__(self, limit: int, room: Callable[[], None]) -> None:
        """`room` is called when a place has become free."""
        self._limit = limit
        self._room = room
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    @property
    def count(self) -> int:
        return len(self._sizes)

    def of(self, request_id: str, size: int) -> Callable[[bool], None]:
        """To be called when a request begins to wait, and when that is over."""

        def waits(begins: bool) -> None:
            if not begins:
                self._bytes -= self._sizes.pop(request_id, 0)
            elif (
                request_id not in self._sizes and self.count < LONGEST and self._bytes < self._limit
            ):
                self._sizes[request_id] = size
                self._bytes += size
                self._room()

        return waits
