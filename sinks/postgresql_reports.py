"""What is asked about the exchanges in PostgreSQL."""

from __future__ import annotations

from msgspec import Raw

from schemas.analytics import Group, Page, Spent, Sums, Wanted
from sinks import sql_reports as sql
from sinks.postgresql_pool import Pool

SPEECH = sql.Speech(
    mark=lambda number: f"${number}",
    moment=lambda value: f"{value}::text::timestamptz",
    start="""to_char(start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""",
    contains=lambda column, value: f"strpos(lower({column}), lower({value}::text)) > 0",
    whole="document::text",
    partition="(document->'kafka'->>'partition')::bigint",
    head="(document #- '{request,body}' #- '{response,body}')::text",
)


class PostgreSQLReports:
    """Over the tables that the sink writes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def sums(self, asked: Sums) -> list[Group]:
        statement, given = sql.sums(asked, SPEECH)
        async with self._pool.connection() as connection:
            rows = await connection.fetch(statement, *given)
        return sql.groups((tuple(row) for row in rows), asked.by)

    async def page(self, wanted: Wanted) -> Page:
        documents, given = sql.page(wanted, SPEECH)
        counted, same = sql.count(wanted, SPEECH)
        async with self._pool.connection() as connection:
            rows = await connection.fetch(documents, *given)
            total: int = await connection.fetchval(counted, *same)
        return Page([Raw(row[0].encode()) for row in rows], total)

    async def one(self, request_id: str) -> Raw | None:
        if "\0" in request_id:
            return None
        statement = "SELECT document::text FROM exchanges WHERE request_id = $1"
        async with self._pool.connection() as connection:
            found: str | None = await connection.fetchval(statement, request_id)
        return None if found is None else Raw(found.encode())

    async def after(self, wanted: Wanted) -> list[Raw]:
        statement, given = sql.after(wanted, SPEECH)
        async with self._pool.connection() as connection:
            return [Raw(row[0].encode()) for row in await connection.fetch(statement, *given)]

    async def count(self, wanted: Wanted) -> int:
        statement, given = sql.count_after(wanted, SPEECH)
        async with self._pool.connection() as connection:
            found: int = await connection.fetchval(statement, *given)
        return found

    async def spent(self, partition: int, since: str, until: str) -> list[Spent]:
        statement, given = sql.spent(partition, since, until, SPEECH)
        async with self._pool.connection() as connection:
            rows = await connection.fetch(statement, *given)
        return sql.spendings(tuple(row) for row in rows)

    async def close(self) -> None:
        await self._pool.close()
