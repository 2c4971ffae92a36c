"""Kept answers in PostgreSQL: the table `answers`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from schemas.kept import Kept
from sinks.postgresql_pool import Pool

_COLUMNS = ("request_id", "response_id")
_FIND = (
    "SELECT head, request, answer FROM answers WHERE {} = $1 AND NOT deleted"
    " ORDER BY created_at DESC LIMIT 1"
)
# What is deleted stays as a mark: its exchange may come again after a crash of the sink.
_DELETE = (
    "UPDATE answers SET deleted = true, request = '', answer = '' WHERE {} = $1 AND NOT deleted"
)
_DELETED = "SELECT 1 FROM answers WHERE (request_id = $1 OR response_id = $1) AND deleted LIMIT 1"
_CONTINUING = (
    "SELECT request_id FROM answers WHERE previous_id = $1 AND NOT deleted"
    " ORDER BY created_at, request_id LIMIT $2"
)
_decode = msgspec.json.Decoder(Kept).decode
_encode = msgspec.json.Encoder().encode


def answer_row(found: Kept) -> tuple[str | bytes | None, ...]:
    """The values of INSERT_ANSWER."""
    head = _encode(replace(found, request=b"", answer=b"")).decode()
    key = (found.request_id, found.response_id, found.previous_id, found.created_at)
    return (*key, head, found.request, found.answer)


class PostgreSQLAnswers:
    """An AnswerStore over the tables that the sink writes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, name: str) -> Kept | None:
        if "\0" in name:
            return None
        async with self._pool.connection() as connection:
            for column in _COLUMNS:
                row = await connection.fetchrow(_FIND.format(column), name)
                if row is not None:
                    return replace(_decode(row[0]), request=row[1], answer=row[2])
        return None

    async def delete(self, name: str) -> bool:
        if "\0" in name:
            return False
        async with self._pool.connection() as connection:
            for column in _COLUMNS:
                if await connection.execute(_DELETE.format(column), name) != "UPDATE 0":
                    return True
        return False

    async def deleted(self, name: str) -> bool:
        if "\0" in name:
            return False
        async with self._pool.connection() as connection:
            return await connection.fetchval(_DELETED, name) is not None

    async def continuing(self, response_id: str, limit: int) -> Sequence[str]:
        if "\0" in response_id:
            return ()
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_CONTINUING, response_id, limit)
        return [row[0] for row in rows]

    async def close(self) -> None:
        await self._pool.close()
