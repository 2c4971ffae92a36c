"""All documents in PostgreSQL of some time, one after the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import asyncpg

CONNECT_TIMEOUT = 5.0  # seconds
_SELECT = (
    "SELECT document::text FROM exchanges WHERE created_at >= $1::text::timestamptz"
    " AND created_at < $2::text::timestamptz ORDER BY created_at, request_id"
)
_AT_ONCE = 50


async def documents(url: str, since: str, until: str) -> AsyncGenerator[bytes, None]:
    """As JSON, the oldest first; times are RFC 3339. OSError if they cannot be read."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT)
        try:
            async with connection.transaction(readonly=True):  # a cursor needs one
                async for record in connection.cursor(_SELECT, since, until, prefetch=_AT_ONCE):
                    yield record[0].encode()
        finally:
            connection.terminate()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise OSError(f"the store cannot be read: {error}") from error
