"""Kept answers in the SQLite file, as others than the sink look them up."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from schemas.errors import StoreUnavailable
from schemas.kept import Kept

Result = TypeVar("Result")

BUSY_TIMEOUT = 5.0  # seconds
INSERT_ANSWER = (
    "INSERT INTO answers (request_id, response_id, previous_id, created_at, head, request, answer)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(request_id) DO NOTHING"
)
_FIND = (
    "SELECT head, request, answer FROM answers WHERE {} = ? AND NOT deleted"
    " ORDER BY created_at DESC LIMIT 1"
)
_COLUMNS = ("request_id", "response_id")
# What is deleted stays as a mark: its exchange may come again after a crash of the sink.
_DELETE = "UPDATE answers SET deleted = 1, request = x'', answer = x'' WHERE {} = ? AND NOT deleted"
_DELETED = "SELECT 1 FROM answers WHERE {} = ? AND deleted LIMIT 1"
_CONTINUING = (
    "SELECT request_id FROM answers WHERE previous_id = ? AND NOT deleted"
    " ORDER BY created_at, request_id LIMIT ?"
)
_decode = msgspec.json.Decoder(Kept).decode
_encode = msgspec.json.Encoder().encode


def answer_row(found: Kept) -> tuple[str | bytes | None, ...]:
    """The values of INSERT_ANSWER."""
    head = _encode(replace(found, request=b"", answer=b"")).decode()
    key = (found.request_id, found.response_id, found.previous_id, found.created_at)
    return (*key, head, found.request, found.answer)


class SQLiteAnswers:
    """An AnswerStore over the file that the sink writes."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="answers")

    async def find(self, name: str) -> Kept | None:
        return await self._run(lambda: self._find(name))

    async def delete(self, name: str) -> bool:
        return await self._run(lambda: self._delete(name))

    async def deleted(self, name: str) -> bool:
        return await self._run(lambda: self._deleted(name))

    async def continuing(self, response_id: str, limit: int) -> Sequence[str]:
        return await self._run(lambda: self._continuing(response_id, limit))

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise StoreUnavailable from error

    # The rest runs in the thread.

    def _connected(self) -> sqlite3.Connection | None:
        """None: the sink has not made the file yet, so nothing is in it."""
        if self._connection is None:
            if not self._path.exists():
                return None
            self._connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
            )
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _find(self, name: str) -> Kept | None:
        if (connection := self._connected()) is None:
            return None
        for column in _COLUMNS:
            if (row := connection.execute(_FIND.format(column), (name,)).fetchone()) is not None:
                head, request, answer = row
                return replace(_decode(head), request=request, answer=answer)
        return None

    def _deleted(self, name: str) -> bool:
        if (connection := self._connected()) is None:
            return False
        return any(
            connection.execute(_DELETED.format(column), (name,)).fetchone() is not None
            for column in _COLUMNS
        )

    def _continuing(self, response_id: str, limit: int) -> Sequence[str]:
        if (connection := self._connected()) is None:
            return ()
        return [name for (name,) in connection.execute(_CONTINUING, (response_id, limit))]

    def _delete(self, name: str) -> bool:
        if (connection := self._connected()) is None:
            return False
        return any(
            connection.execute(_DELETE.format(column), (name,)).rowcount > 0 for column in _COLUMNS
        )
