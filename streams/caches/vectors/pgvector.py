"""PostgreSQL with the extension pgvector, by asyncpg (`sluice[pgvector]`)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from streams.caches.vectors.base import (
    All,
    ById,
    ByLabel,
    ByNamespace,
    Entry,
    Expired,
    Neighbour,
    Selection,
    Vector,
    VectorError,
    VectorStore,
)
from streams.caches.vectors.opening import Opening
from streams.caches.vectors.payload import Row, name_of, packed, sound

if TYPE_CHECKING:
    import asyncpg

TABLE = "sluice_semantic_cache"
INDEXABLE = 2_000  # dimensions that an HNSW index takes
CONNECTIONS = 4
# The index looks at this many and drops what does not match only then.
WIDTH = 200
_LOCK = 0x51C_5EC  # creating is not safe side by side, "if not exists" or not


class PgVector(VectorStore):
    """One table of vectors of one length. A second search, without the index, follows where the index
    found less than was asked for: other namespaces and expired entries may have been in its way."""

    def __init__(self, url: str, table: str = TABLE) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,50}", table):
            raise VectorError(f"pgvector: {table!r} is no plain table name")
        self._url = url
        self._table = table
        self._pool = Opening(self._open)

    @override
    async def search(
        self, namespace: str, vector: Vector, count: int, now: float
    ) -> Sequence[Neighbour]:
        async with self._connection(len(vector)) as connection:

            async def rows() -> Iterable[Row]:
                found = await self._nearest(connection, (_literal(vector), namespace, now, count))
                return [Row(*record) for record in found]

            async def forget(names: Sequence[str]) -> None:
                await connection.execute(f"DELETE FROM {self._table} WHERE name = ANY($1)", names)

            return await sound(rows, forget)

    async def _nearest(
        self, connection: asyncpg.Connection, given: tuple[str, str, float, int]
    ) -> Sequence[asyncpg.Record]:
        select = (
            f"SELECT name, payload, 1 - (embedding <=> $1::vector) FROM {self._table}"
            " WHERE namespace = $2 AND expires > $3 ORDER BY (embedding <=> $1::vector){plain} LIMIT $4"
        )
        found: list[asyncpg.Record] = await connection.fetch(select.format(plain=""), *given)
        if len(found) < given[-1]:
            # No index is in this order.
            found = await connection.fetch(select.format(plain=" + 0"), *given)
        return found

    @override
    async def add(self, entry: Entry) -> None:
        async with self._connection(len(entry.vector)) as connection:
            await connection.execute(
                f"INSERT INTO {self._table} VALUES ($1, $2, $3, $4, $5, $6::vector)"
                " ON CONFLICT (name) DO UPDATE SET payload = excluded.payload, expires ="
                " excluded.expires, labels = excluded.labels, embedding = excluded.embedding",
                name_of(entry.namespace, entry.id),
                entry.namespace,
                entry.expires,
                list(entry.labels),
                packed(entry),
                _literal(entry.vector),
            )

    @override
    async def remove(self, selection: Selection) -> None:
        condition, given = _condition(selection)
        async with self._connection(0) as connection:
            known = await connection.fetchval("SELECT to_regclass($1)::text", self._table)
            if known is not None:
                await connection.execute(f"DELETE FROM {self._table} WHERE {condition}", *given)

    @override
    async def close(self) -> None:
        pool = self._pool.taken()
        if pool is not None:
            pool.terminate()

    @asynccontextmanager
    async def _connection(self, dimension: int) -> AsyncIterator[asyncpg.Connection]:
        try:
            import asyncpg  # an extra, and only loaded where it is used
        except ImportError as error:
            raise VectorError("pgvector: pip install 'sluice[pgvector]'") from error
        failures = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
        try:
            pool = await self._pool.get(dimension)
            async with pool.acquire() as connection:
                if dimension and self._table not in self._ready:
                    await self._create(connection, dimension)
                yield connection
        except (*failures, OSError) as error:
            raise VectorError(f"pgvector: {error}") from error

    async def _open(self, dimension: int) -> asyncpg.Pool:
        import asyncpg

        self._ready: set[str] = set()
        return await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=CONNECTIONS,
            server_settings={"hnsw.ef_search": str(WIDTH)},
        )

    async def _create(self, connection: asyncpg.Connection, dimension: int) -> None:
        table = self._table
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (name text PRIMARY KEY, namespace text NOT NULL,"
                " expires double precision NOT NULL, labels text[] NOT NULL, payload text,"
                f" embedding vector({dimension}) NOT NULL)"
            )
            await connection.execute(
                f"CREATE INDEX IF NOT EXISTS {table}_scope ON {table} (namespace, expires)"
            )
            if dimension <= INDEXABLE:
                await connection.execute(
                    f"CREATE INDEX IF NOT EXISTS {table}_near ON {table}"
                    " USING hnsw (embedding vector_cosine_ops)"
                )
        self._ready.add(table)


def _literal(vector: Vector) -> str:
    return f"[{','.join(f'{value:.7g}' for value in vector.tolist())}]"


def _condition(selection: Selection) -> tuple[str, list[object]]:
    match selection:
        case ById(namespace, ids):
            return "name = ANY($1)", [[name_of(namespace, each) for each in ids]]
        case ByLabel(label):
            return "$1 = ANY(labels)", [label]
        case ByNamespace(namespace):
            return "namespace = $1", [namespace]
        case Expired(before):
            return "expires <= $1", [before]
        case All():
            return "true", []
