"""Exchanges in PostgreSQL: columns for what is asked often, and the whole document as `jsonb`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

import asyncpg
import structlog

from schemas.clock import Clock, rfc3339
from schemas.kept import Kept
from sinks.base import Backpressure, Refused
from sinks.config import SinkConfig
from sinks.document import Document, with_text_bodies
from sinks.postgresql_answers import answer_row
from sinks.postgresql_json import values
from sinks.postgresql_schema import (
    ADD,
    EXPIRE_SUMS,
    INSERT,
    INSERT_ANSWER,
    NewerSchema,
    migrate,
)
from sinks.rollups import rolled

log = structlog.get_logger()
Result = TypeVar("Result")

CONNECT_TIMEOUT = 3.0  # seconds
COMMAND_TIMEOUT = 10.0  # bounds a write, which nobody may cancel
RETRY_AFTER = 0.5
DAY = 86_400.0
EXPIRE_SLICE = 500  # rows deleted at a time, so that no write waits long for it
MAX_STATEMENT = 16 << 20  # bytes of documents that are sent at once
MAX_TEXT_BYTES = 64 << 20
AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
# SQLSTATE classes that tell of one document, not of the server: bad data, beyond a limit.
DOCUMENT_CLASSES = frozenset({"22", "54"})


class PostgreSQLSink:
    """One connection; other processes may read and write the same tables."""

    def __init__(self, config: SinkConfig, clock: Clock) -> None:
        self._url = config.postgres_url
        self._retention = config.retention_days * DAY
        self._usage_retention = config.usage_retention_days * DAY
        self._clock = clock
        self._connection: asyncpg.Connection | None = None

    async def open(self) -> None:
        await self._run(_done)

    async def write(self, batch: Sequence[Document]) -> None:
        first = {found.request_id: found for found in reversed(batch)}
        if not first:
            return
        # In one order everywhere, so that writers of the same documents wait for each other.
        ordered = [first[key] for key in sorted(first)]
        if reasons := await self._run(lambda connection: _write(connection, ordered)):
            raise Refused(reasons)

    async def keep(self, batch: Sequence[Kept]) -> None:
        rows = [answer_row(found) for found in sorted(batch, key=lambda found: found.request_id)]
        await self._run(lambda connection: connection.executemany(INSERT_ANSWER, rows))

    async def expire(self) -> bool:
        return await self._run(self._expire)

    async def _expire(self, connection: asyncpg.Connection) -> bool:
        now, more = self._clock.time(), False
        if self._retention:
            oldest = rfc3339(now - self._retention)
            for table in ("exchanges", "answers"):
                status: str = await connection.execute(
                    f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table}"
                    f" WHERE created_at < $1::text::timestamptz LIMIT {EXPIRE_SLICE}))",
                    oldest,
                )
                more |= status == f"DELETE {EXPIRE_SLICE}"
        if self._usage_retention:
            await connection.execute(EXPIRE_SUMS, rfc3339(now - self._usage_retention))
        return more

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _run(self, work: Callable[[asyncpg.Connection], Awaitable[Result]]) -> Result:
        """`work` with the server's errors as Backpressure."""
        try:
            return await work(await self._connected())
        except (
            *AWAY,
            NewerSchema,
            TimeoutError,
            ValueError,
        ) as error:  # ValueError: a wrong address
            await self.close()
            reason = f"{type(error).__name__}: {str(error)[:300]}"
            raise Backpressure(RETRY_AFTER, reason) from error

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await asyncpg.connect(
                self._url,
                timeout=CONNECT_TIMEOUT,
                command_timeout=COMMAND_TIMEOUT,
                server_settings={"application_name": "sluice-sinks"},
            )
            try:
                await migrate(connection)
                # An offset that is committed to Kafka must never be ahead of the disk, whatever the
                # database's own default is.
                await connection.execute("SET synchronous_commit = on")
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection


async def _done(_: asyncpg.Connection) -> None:
    return None


async def _write(connection: asyncpg.Connection, batch: Sequence[Document]) -> dict[str, str]:
    """Documents and sums in one transaction, so that what is stored is counted, once."""
    reasons: dict[str, str] = {}
    inserted: set[str] = set()
    async with connection.transaction():
        for part in _parts(batch):
            inserted |= await _insert(connection, part, reasons)
        new = [found for found in batch if found.request_id in inserted]
        if new:
            sums = sorted(rolled(new).items())
            await connection.execute(ADD, *_columns([(*key, *counts) for key, counts in sums]))
    return reasons


def _parts(batch: Sequence[Document]) -> Iterator[list[Document]]:
    """The batch in pieces that are not too long for one statement."""
    part: list[Document] = []
    length = 0
    for found in batch:
        size = found.request.bytes + (found.response.bytes if found.response else 0)
        if part and length + size > MAX_STATEMENT:
            yield part
            part, length = [], 0
        part.append(found)
        length += size
    yield part


async def _insert(
    connection: asyncpg.Connection, part: Sequence[Document], reasons: dict[str, str]
) -> set[str]:
    """The ids of those that were not there; in `reasons` those that the server does not take."""
    try:
        return await _sent(connection, part)
    except asyncpg.PostgresError as error:
        if not _of_a_document(error):
            raise
        if len(part) > 1:
            inserted = set[str]()
            for found in part:
                inserted |= await _insert(connection, [found], reasons)
            return inserted
    # Perhaps it is what is inside a body that this server cannot hold.
    (found,) = part
    try:
        return await _sent(connection, [with_text_bodies(found, MAX_TEXT_BYTES)])
    except asyncpg.PostgresError as error:
        if not _of_a_document(error):
            raise
        reasons[found.request_id] = f"{type(error).__name__}: {str(error)[:300]}"
        return set()


async def _sent(connection: asyncpg.Connection, part: Sequence[Document]) -> set[str]:
    async with connection.transaction():
        found = await connection.fetch(INSERT, *_columns([values(each) for each in part]))
    return {record[0] for record in found}


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _of_a_document(error: asyncpg.PostgresError) -> bool:
    return (error.sqlstate or "")[:2] in DOCUMENT_CLASSES
