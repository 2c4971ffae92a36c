"""Answers in Redis, which all workers share. It may be away or slow at any time: that is a miss."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from schemas.clock import Clock
from schemas.metrics import Metrics
from streams.caches.base import CacheUnavailable
from streams.caches.entry import Corrupt, Entry, Selection, decode, encode
from streams.routing.breaker import Breaker
from streams.routing.config import BreakerConfig

log = structlog.get_logger()

T = TypeVar("T")

_BREAKER = BreakerConfig(failure_threshold=3, success_threshold=1, timeout=15.0)
_WRITE = 4.0  # a write may take so many times longer than a read: nobody waits for it
_SCANNED = 200  # keys at once
_PURGE_TIMEOUT = 30.0  # seconds
_AWAY = (RedisError, OSError, TimeoutError)


class RedisCache:
    """A Cache."""

    def __init__(
        self, url: str, prefix: str, timeout: float, clock: Clock, metrics: Metrics
    ) -> None:
        """`timeout`: seconds that a look-up may take. Connects when it is first used."""
        self._prefix = prefix
        self._timeout = timeout
        self._clock = clock
        self._redis: Any = Redis.from_url(url, retry=Retry(NoBackoff(), 1))
        self._breaker = Breaker(_BREAKER)
        self._failures = metrics.counter("sluice_cache_failures")

    async def get(self, *keys: str) -> tuple[Entry | None, ...]:
        names = [self._prefix + key for key in keys]
        found: list[bytes | None] | None = await self._asked(self._redis.mget, names)
        if found is None:
            return (None,) * len(keys)
        now = self._clock.time()
        entries = [self._entry(key, value) for key, value in zip(keys, found, strict=True)]
        return tuple(entry if entry and entry.expires_at > now else None for entry in entries)

    def _entry(self, key: str, value: bytes | None) -> Entry | None:
        if value is None:
            return None
        try:
            return decode(value, key)
        except Corrupt as error:  # the next answer takes its place
            self._failures.inc()
            log.warning("cache_entry_corrupt", key=key, error=str(error))
            return None

    async def put(self, *entries: Entry) -> None:
        await self._asked(self._write, entries, patience=_WRITE)

    async def _write(self, entries: Sequence[Entry]) -> bool:
        now = self._clock.time()
        async with self._redis.pipeline(transaction=False) as pipeline:
            for entry in entries:
                left = int((entry.expires_at - now) * 1000)
                if left > 0:
                    pipeline.set(self._prefix + entry.key, encode(entry), px=left)
            await pipeline.execute()
        return True

    async def _asked(self, ask: Any, argument: object, patience: float = 1.0) -> Any:
        """The answer, or None if there is none in time. While Redis is away it is hardly asked."""
        if not self._breaker.enter(self._clock.monotonic()):
            return None
        try:
            async with asyncio.timeout(self._timeout * patience):
                answer = await ask(argument)
        except _AWAY as error:
            self._failures.inc()
            self._breaker.failed(self._clock.monotonic())
            log.warning("cache_unavailable", error=repr(error))
            return None
        except asyncio.CancelledError:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return answer

    async def purge(self, which: Selection) -> int:
        try:
            async with asyncio.timeout(_PURGE_TIMEOUT):
                return await self._purged(which)
        except _AWAY as error:
            raise CacheUnavailable(repr(error)) from error

    async def _purged(self, which: Selection) -> int:
        if which.key is not None:
            meant = await self._meant([(self._prefix + which.key).encode()], which)
            return int(await self._redis.unlink(*meant)) if meant else 0
        count = 0
        cursor = 0
        while True:
            cursor, names = await self._redis.scan(
                cursor, match=_literal(self._prefix) + "*", count=_SCANNED
            )
            meant = await self._meant(names, which)
            if meant:
                count += int(await self._redis.unlink(*meant))
            if cursor == 0:
                return count

    async def _meant(self, names: list[bytes], which: Selection) -> list[bytes]:
        if not names or which == Selection():
            return names
        values: list[bytes | None] = await self._redis.mget(names)
        meant = []
        for name, value in zip(names, values, strict=True):
            key = name.decode(errors="replace").removeprefix(self._prefix)
            entry = self._entry(key, value)
            # Nobody will ever be answered from one that is corrupt, nor knows what it was.
            if value is not None and (entry is None or which.takes(entry)):
                meant.append(name)
        return meant

    async def close(self) -> None:
        await _quietly(self._redis.aclose())


async def _quietly(closing: Awaitable[T]) -> None:
    try:
        await closing
    except _AWAY as error:
        log.warning("cache_close_failed", error=repr(error))


def _literal(prefix: str) -> str:
    """The prefix as a pattern of Redis that means itself."""
    return "".join("\\" + letter if letter in "*?[]^\\" else letter for letter in prefix)
