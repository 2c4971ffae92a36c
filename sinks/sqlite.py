"""Exchanges in one SQLite file: columns for what is asked often, and the whole document as JSON."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from schemas.clock import Clock, rfc3339
from schemas.kept import Kept
from sinks.base import Backpressure, Refused
from sinks.columns import row
from sinks.config import SinkConfig
from sinks.document import Document, to_json
from sinks.rollups import rolled
from sinks.sqlite_answers import INSERT_ANSWER, answer_row
from sinks.sqlite_schema import ADD, EXPIRE_SUMS, INSERT, migrate

log = structlog.get_logger()
Result = TypeVar("Result")

BUSY_TIMEOUT = 5.0  # seconds that a write waits for another process's
BUSY_PAUSE = 0.01  # seconds between two attempts where SQLite itself does not wait
RETRY_AFTER = 0.5  # seconds
EXPIRE_SLICE = 500  # rows deleted at a time, so that no write waits long for it
DAY = 86_400.0
# What is wrong with one document, not with the file: too large, an integer beyond 64 bits, bad text.
DOCUMENT_ERRORS = (sqlite3.DataError, OverflowError, UnicodeError)
# synchronous=FULL: an offset that is committed to Kafka must never be ahead of the disk. In WAL mode
# NORMAL would survive kill -9 too, but not a power cut, and one fsync a batch costs nothing here.
PRAGMAS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA temp_store=MEMORY",
)


class SQLiteSink:
    """One connection in one thread of its own; other processes may read and write the same file."""

    def __init__(self, config: SinkConfig, clock: Clock) -> None:
        self._path = Path(config.sqlite_path)
        self._retention = config.retention_days * DAY
        self._usage_retention = config.usage_retention_days * DAY
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")

    async def open(self) -> None:
        await self._run(self._connected)

    async def write(self, batch: Sequence[Document]) -> None:
        if batch:
            await self._run(lambda: self._write(batch))

    async def keep(self, batch: Sequence[Kept]) -> None:
        await self._run(lambda: self._keep(batch))

    async def expire(self) -> bool:
        return await self._run(self._expire)

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], Result]) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _guarded(work, self._disconnect))

    # The rest runs in the thread.

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
            )
            try:
                _use_wal(connection)
                for pragma in PRAGMAS:
                    connection.execute(pragma)
                migrate(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _write(self, batch: Sequence[Document]) -> None:
        connection = self._connected()
        reasons: dict[str, str] = {}
        # Nobody else writes from here on: what is not there now is inserted below, and counted.
        connection.execute("BEGIN IMMEDIATE")
        try:
            new = _unknown(connection, batch)
            try:
                connection.executemany(
                    INSERT, ((*row(found), to_json(found).decode()) for found in new.values())
                )
            except DOCUMENT_ERRORS:
                reasons = _one_by_one(connection, new.values())
            inserted = [found for key, found in new.items() if key not in reasons]
            connection.executemany(
                ADD, ((*key, *counts) for key, counts in rolled(inserted).items())
            )
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
        if reasons:
            raise Refused(reasons)

    def _keep(self, batch: Sequence[Kept]) -> None:
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(INSERT_ANSWER, [answer_row(found) for found in batch])
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise

    def _expire(self) -> bool:
        connection, now, more = self._connected(), self._clock.time(), False
        if self._retention:
            oldest = rfc3339(now - self._retention)
            for table in ("exchanges", "answers"):
                done = connection.execute(
                    f"DELETE FROM {table} WHERE rowid IN"
                    f" (SELECT rowid FROM {table} WHERE created_at < ? LIMIT ?)",
                    (oldest, EXPIRE_SLICE),
                )
                more |= done.rowcount == EXPIRE_SLICE
        if self._usage_retention:
            connection.execute(EXPIRE_SUMS, (rfc3339(now - self._usage_retention),))
        return more


def _use_wal(connection: sqlite3.Connection) -> None:
    """The one step that SQLite refuses at once instead of waiting BUSY_TIMEOUT, when several processes
    open a fresh file: each reads it and wants to write it alone. Who comes again finds it done.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not _busy(error) or time.monotonic() >= deadline:
                raise
            time.sleep(BUSY_PAUSE)
        else:
            return


def _guarded(work: Callable[[], Result], disconnect: Callable[[], None]) -> Callable[[], Result]:
    """`work` with the file's errors as Backpressure: disk full, locked, gone, not a database."""

    def guarded() -> Result:
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            if not _busy(error):
                # The file may have been replaced, or its disk mounted anew: look at it afresh.
                disconnect()
            raise Backpressure(RETRY_AFTER, f"{type(error).__name__}: {error}") from error

    return guarded


def _busy(error: Exception) -> bool:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY


def _unknown(connection: sqlite3.Connection, batch: Sequence[Document]) -> dict[str, Document]:
    """Those that are not stored, by id; of equal ids the first."""
    first = {found.request_id: found for found in reversed(batch)}
    known = connection.execute(
        "SELECT request_id FROM exchanges WHERE request_id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(first)).decode(),),
    )
    for (key,) in known:
        del first[key]
    return dict(reversed(first.items()))


def _one_by_one(connection: sqlite3.Connection, batch: Iterable[Document]) -> dict[str, str]:
    """Insert what can be inserted; the reasons of what cannot."""
    reasons: dict[str, str] = {}
    for found in batch:
        try:
            connection.execute(INSERT, (*row(found), to_json(found).decode()))
        except DOCUMENT_ERRORS as error:
            reasons[found.request_id] = f"{type(error).__name__}: {error}"
    return reasons


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # some errors, a full disk for one, roll back by themselves
        connection.execute("ROLLBACK")
