"""Forgets kept answers when `llm.control` says so."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from schemas.control import Purge
from schemas.tasks import Tasks
from streams.caches.base import CacheUnavailable
from streams.caches.entry import Selection

log = structlog.get_logger()

RETRIES = 20
PAUSE = 3.0  # seconds


class Purgeable(Protocol):
    async def purge(self, which: Selection) -> int:
        """Forget those that are meant; CacheUnavailable if that is not sure."""
        ...


class Purging:
    """What was kept before the purge was asked for goes, also if its store is away at the moment."""

    def __init__(self, *caches: Purgeable, pause: float = PAUSE) -> None:
        self._caches = caches
        self._pause = pause
        self.tasks = Tasks()

    def purge(self, asked: Purge) -> None:
        """Begin with it."""
        for cache in self._caches:
            self.tasks.start(self._purge(cache, asked), name="purge")

    async def _purge(self, cache: Purgeable, asked: Purge) -> None:
        which = Selection(asked.key, asked.tag, asked.model, asked.user_path, asked.time)
        for _ in range(RETRIES):
            try:
                count = await cache.purge(which)
            except CacheUnavailable as error:
                log.warning("cache_purge_failed", error=str(error), retry_in=self._pause)
                await asyncio.sleep(self._pause)
                continue
            log.info("cache_purged", entries=count)
            return
        log.error("cache_purge_given_up", key=asked.key, tag=asked.tag, model=asked.model)

    async def close(self) -> None:
        await self.tasks.abort()
