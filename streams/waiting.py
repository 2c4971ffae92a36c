"""Requests that only wait for another's call: they take nobody's place, as long as there is room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from streams.delivery import Delivery

LONGEST = 20_000  # requests


class Places(Protocol):
    """Who counts the places."""

    def began(self, delivery: Delivery) -> None: ...
    def ended(self, delivery: Delivery) -> None: ...


class Waiting:
    """Those of one worker, bounded by count and by the bytes of their bodies."""

    def __init__(self, limit: int, places: Places, room: Callable[[], None]) -> None:
        """`room` is called when a place has become free."""
        self._limit = limit
        self._places = places
        self._room = room
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    @property
    def count(self) -> int:
        return len(self._sizes)

    def of(self, delivery: Delivery) -> Callable[[bool], None]:
        """To be called when a request begins to wait, and when that is over."""

        request_id, size = delivery.request.request_id, delivery.size

        def waits(begins: bool) -> None:
            if not begins:
                if (known := self._sizes.pop(request_id, None)) is not None:
                    self._bytes -= known
                    self._places.began(delivery)
            elif (
                request_id not in self._sizes and self.count < LONGEST and self._bytes < self._limit
            ):
                self._sizes[request_id] = size
                self._bytes += size
                self._places.ended(delivery)
                self._room()

        return waits
