"""What was asked of the simulated provider, so that tests can count it; bounded."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

_MAX_ENTRIES = 100_000
_MAX_KEPT = 2_000  # requests
_MAX_BYTES = 16 << 20  # of their bodies
MAX_SHOWN = 4 << 20  # bytes of one body


class Received(Struct, frozen=True):
    """A request as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]  # names in lower case
    body: str  # its first MAX_SHOWN bytes; those that are not UTF-8 are replaced


class Tally:
    """Counts by name; the names that were counted first are forgotten first."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, name: str) -> int:
        """How often, with this time."""
        if name not in self._counts and len(self._counts) >= _MAX_ENTRIES:
            del self._counts[next(iter(self._counts))]
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return count

    def copy(self) -> dict[str, int]:
        return dict(self._counts)


class Calls:
    """Everything that `GET /calls` tells."""

    def __init__(self) -> None:
        self.open = 0
        self.clear()

    def clear(self) -> None:
        """Forgets all but what is still open."""
        self.total = 0
        self.answered = 0
        self.abandoned = 0  # the caller went away first
        self._kept: deque[Received] = deque()
        self._size = 0  # of the kept bodies
        self._models = Tally()
        self._keys = Tally()
        self._request_ids = Tally()
        self._prompts = Tally()

    def begin(self, model: str, key: str | None, request_id: str | None) -> None:
        self.total += 1
        self.open += 1
        self._models.add(model)
        if key is not None:
            self._keys.add(key)
        if request_id is not None:
            self._request_ids.add(request_id)

    def keep(self, received: Received) -> None:
        """The oldest are forgotten first."""
        self._kept.append(received)
        self._size += len(received.body)
        while len(self._kept) > _MAX_KEPT or self._size > _MAX_BYTES:
            self._size -= len(self._kept.popleft().body)

    def received(self, containing: str) -> list[Received]:
        """Requests with that text in their body or in a header, in the order in which they came."""
        return [
            one
            for one in self._kept
            if containing in one.body or containing in one.headers.values()
        ]

    def attempt(self, digest: bytes) -> int:
        """How often these messages were sent to this model."""
        return self._prompts.add(digest.hex())

    def report(self) -> dict[str, object]:
        return {
            "total": self.total,
            "open": self.open,
            "answered": self.answered,
            "abandoned": self.abandoned,
            "models": self._models.copy(),
            "keys": self._keys.copy(),
            "request_ids": self._request_ids.copy(),
        }
