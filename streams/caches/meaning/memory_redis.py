"""The same in Redis, where the workers of all machines find it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from typing_extensions import override

from streams.caches.meaning.memory import KEPT, Memory, MemoryUnavailable

SECONDS = 10.0


class InRedis(Memory):
    """A hash for each namespace, a field for each worker."""

    def __init__(self, url: str, prefix: str) -> None:
        """Connects when it is first used."""
        self._redis: Any = Redis.from_url(url)
        self._prefix = prefix

    @override
    async def load(self, namespace: str) -> Sequence[bytes]:
        found: list[bytes] = await _in_time(self._redis.hvals(self._prefix + namespace))
        return found

    @override
    async def save(self, namespace: str, worker: str, state: bytes) -> None:
        name = self._prefix + namespace
        await _in_time(self._redis.hset(name, worker, state))
        await _in_time(self._redis.expire(name, int(KEPT)))

    @override
    async def forget(self) -> None:
        """Redis does it by itself."""

    @override
    async def close(self) -> None:
        try:
            await _in_time(self._redis.aclose())
        except MemoryUnavailable:
            return


async def _in_time(asked: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout(SECONDS):
            return await asked
    except (RedisError, OSError, TimeoutError) as error:
        raise MemoryUnavailable(f"Redis: {error!r}") from error
