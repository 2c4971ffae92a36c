"""Connections to PostgreSQL for those who look something up while a caller waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from schemas.errors import StoreUnavailable

CONNECT_TIMEOUT = 3.0  # seconds
COMMAND_TIMEOUT = 10.0


class Pool:
    """Made when it is first asked, inside the running loop."""

    def __init__(self, url: str, max_connections: int) -> None:
        self._url = url
        self._max = max_connections
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """StoreUnavailable if the server is away or refuses; a table that is not there yet does, too."""
        try:
            pool = await self._opened()
            async with pool.acquire(timeout=CONNECT_TIMEOUT) as connection:
                yield connection
        except (
            *(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
            *(OSError, TimeoutError, ValueError),  # ValueError: a wrong address
        ) as error:
            raise StoreUnavailable from error

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def _opened(self) -> asyncpg.Pool:
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(
                        self._url,
                        min_size=0,
                        max_size=self._max,
                        timeout=CONNECT_TIMEOUT,
                        command_timeout=COMMAND_TIMEOUT,
                        server_settings={"application_name": "sluice"},
                    )
        return self._pool
