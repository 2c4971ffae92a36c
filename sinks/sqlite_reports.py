"""What is asked about the exchanges in the SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Raw

from schemas.analytics import Group, Page, Spent, Sums, Wanted
from schemas.errors import StoreUnavailable
from sinks import sql_reports as sql

Result = TypeVar("Result")

BUSY_TIMEOUT = 5.0  # seconds
SPEECH = sql.Speech(
    mark=lambda number: f"?{number}",
    moment=lambda value: value,
    start="start",
    contains=lambda column, value: f"instr(lower({column}), lower({value})) > 0",
    whole="document",
    partition="json_extract(document, '$.kafka.partition')",
    head="json_remove(document, '$.request.body', '$.response.body')",
)


class SQLiteReports:
    """One connection in a thread of its own, which only reads."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reports")

    async def sums(self, asked: Sums) -> list[Group]:
        return sql.groups(await self._run(lambda: self._rows(*sql.sums(asked, SPEECH))), asked.by)

    async def page(self, wanted: Wanted) -> Page:
        def read() -> Page:
            documents = self._rows(*sql.page(wanted, SPEECH))
            counted = self._rows(*sql.count(wanted, SPEECH))
            total: int = counted[0][0] if counted else 0
            return Page([Raw(text.encode()) for (text,) in documents], total)

        return await self._run(read)

    async def one(self, request_id: str) -> Raw | None:
        statement = "SELECT document FROM exchanges WHERE request_id = ?"
        found = await self._run(lambda: self._rows(statement, [request_id]))
        return Raw(found[0][0].encode()) if found else None

    async def after(self, wanted: Wanted) -> list[Raw]:
        found = await self._run(lambda: self._rows(*sql.after(wanted, SPEECH)))
        return [Raw(text.encode()) for (text,) in found]

    async def count(self, wanted: Wanted) -> int:
        found = await self._run(lambda: self._rows(*sql.count_after(wanted, SPEECH)))
        return int(found[0][0]) if found else 0

    async def spent(self, partition: int, since: str, until: str) -> list[Spent]:
        asked = sql.spent(partition, since, until, SPEECH)
        return sql.spendings(await self._run(lambda: self._rows(*asked)))

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise StoreUnavailable from error

    # The rest runs in the thread.

    def _rows(self, statement: str, given: list[object]) -> list[tuple[Any, ...]]:
        if self._connection is None:
            if not self._path.exists():
                return []  # the sink has not made the file yet, so nothing is in it
            self._connection = sqlite3.connect(
                f"{self._path.resolve().as_uri()}?mode=ro",
                uri=True,
                timeout=BUSY_TIMEOUT,
                isolation_level=None,
                check_same_thread=False,
            )
        return self._connection.execute(statement, given).fetchall()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
