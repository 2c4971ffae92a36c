"""PostgreSQL as tests look into it, from code that waits and from code that may not."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg


def fetch(url: str, statement: str, *given: object) -> list[Any]:
    """The rows of one statement, on a connection of its own; for callers inside a loop, too."""

    async def fetched() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(statement, *given))
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, fetched()).result()
