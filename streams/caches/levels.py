"""Two caches as one: what is near is asked first, and learns what the far one knows."""

from __future__ import annotations

from streams.caches.base import Cache
from streams.caches.entry import Entry, Selection


class Levels:
    """A Cache."""

    def __init__(self, near: Cache, far: Cache) -> None:
        self._near = near
        self._far = far

    async def get(self, *keys: str) -> tuple[Entry | None, ...]:
        found = list(await self._near.get(*keys))
        missing = [index for index, entry in enumerate(found) if entry is None]
        if not missing:
            return tuple(found)
        answers = await self._far.get(*(keys[index] for index in missing))
        for index, entry in zip(missing, answers, strict=True):
            found[index] = entry
        await self._near.put(*(entry for entry in answers if entry is not None))
        return tuple(found)

    async def put(self, *entries: Entry) -> None:
        await self._near.put(*entries)
        await self._far.put(*entries)

    async def purge(self, which: Selection) -> int:
        """The far one last: until it is done, what it still has may come back here."""
        near = await self._near.purge(which)
        far = await self._far.purge(which)
        await self._near.purge(which)
        return max(near, far)

    async def close(self) -> None:
        await self._near.close()
        await self._far.close()
