"""What keeps answers."""

from __future__ import annotations

from typing import Protocol

from streams.caches.entry import Entry, Selection


class Cache(Protocol):
    """Keeps entries until they expire, or until there is no room. An outage is a miss: only `purge`
    and programming errors raise."""

    async def get(self, *keys: str) -> tuple[Entry | None, ...]:
        """The entries of these keys, each None if it is not there, expired, corrupt, or late."""
        ...

    async def put(self, *entries: Entry) -> None:
        """Keep them, each in place of an earlier one. Nothing may come of it."""
        ...

    async def purge(self, which: Selection) -> int:
        """Forget those that are meant; how many. CacheUnavailable if that is not sure."""
        ...

    async def close(self) -> None: ...


class CacheUnavailable(Exception):
    """The store of a cache does not answer: what was to be forgotten may still be there."""
