"""Sums by hour and day in MongoDB: the collection `rollups`.

Documents and sums cannot be written at once there. So each write has a name, which stands in its
documents; it is noted down with their ids before they are inserted, and struck out when they are
counted. Whoever finds a write that nobody finished counts the documents that have its name. A sum
remembers the last write of each process, so that it takes none twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError
from typing_extensions import override

from schemas.analytics import MEASURES
from schemas.clock import Clock, rfc3339
from sinks.document import Document
from sinks.mongodb_indexes import COLLECTION as EXCHANGES, DAY, NEVER
from sinks.rollups import KEY, Key, rolled

Collection = AsyncCollection[dict[str, Any]]

COLLECTION = "rollups"
OPEN = "open_writes"
WRITTEN_BY = "written_by"  # the field of a document that has the name of its write
# After so long whoever wrote it is not at work on it any more: its requests end within ten seconds.
ABANDONED = 60.0
DUPLICATE_KEY = 11000
_TIMES = ("created_at", "finished_at")
_WITHOUT_BODIES = {"request.body": 0, "response.body": 0, "http_headers": 0}
_encode = msgspec.json.Encoder().encode


class WriteName(Struct, frozen=True):
    """The process, and the number of the write in it."""

    process: str
    number: int

    @override
    def __str__(self) -> str:
        return f"{self.process}.{self.number}"


def parsed(text: str) -> WriteName:
    """A name as it stands in documents."""
    process, _, number = text.partition(".")
    return WriteName(process, int(number))


class Rollups:
    """All may raise PyMongoError. A process finishes each write before it begins another."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], process: str, clock: Clock) -> None:
        self._sums = database[COLLECTION]
        self._open = database[OPEN]
        self._exchanges = database[EXCHANGES]
        self._process = process
        self._clock = clock
        self._unfinished: WriteName | None = None
        self._number = 0

    async def ensure_indexes(self, retention_days: int) -> None:
        """Make what is missing."""
        there = {index["name"] async for index in await self._sums.list_indexes()}
        wanted = (
            IndexModel([("period", ASCENDING), ("start", ASCENDING)], name="period_start"),
            IndexModel(
                [("start", ASCENDING)],
                name="start_expiry",
                expireAfterSeconds=retention_days * DAY or NEVER,
            ),
        )
        if missing := [index for index in wanted if index.document["name"] not in there]:
            await self._sums.create_indexes(missing)

    async def begin(self, ids: Sequence[str]) -> WriteName:
        """Note down a write of such documents; its name goes into each."""
        if self._unfinished is not None:
            await self.count_stored(self._unfinished)
        self._number += 1
        name = self._unfinished = WriteName(self._process, self._number)
        moment = datetime.fromisoformat(rfc3339(self._clock.time()))
        await self._open.insert_one({"_id": str(name), "at": moment, "ids": list(ids)})
        return name

    async def count(self, name: WriteName, inserted: Iterable[Document]) -> None:
        """Count what was inserted under that name, and strike it out."""
        await self._add(name, rolled(inserted))
        await self._open.delete_one({"_id": str(name)})
        self._unfinished = None

    async def count_abandoned(self) -> None:
        """Finish the writes that others left."""
        before = datetime.fromisoformat(rfc3339(self._clock.time() - ABANDONED))
        async for found in self._open.find({"at": {"$lt": before}}, {"_id": 1}):
            await self.count_stored(parsed(found["_id"]))

    async def count_stored(self, name: WriteName) -> None:
        """The same, by what is stored: some may have been there before, or may never have arrived."""
        found = await self._open.find_one({"_id": str(name)})
        if found is not None:
            query = {"_id": {"$in": found["ids"]}, WRITTEN_BY: str(name)}
            cursor = self._exchanges.find(query, _WITHOUT_BODIES)
            await self._add(name, rolled([counted(each) async for each in cursor]))
            await self._open.delete_one({"_id": str(name)})
        if name == self._unfinished:
            self._unfinished = None

    async def _add(self, name: WriteName, sums: dict[Key, list[int]]) -> None:
        updates = [_update(name, key, counts) for key, counts in sums.items()]
        for _ in range(2):
            if not updates:
                return
            try:
                await self._sums.bulk_write(updates, ordered=False)
            except BulkWriteError as error:
                errors = (error.details or {}).get("writeErrors", ())
                if not errors or any(each["code"] != DUPLICATE_KEY for each in errors):
                    raise
                # The sum is there, and the query did not find it: another process has made it just
                # now, so that the second time it will be found. Or it has this write already.
                updates = [updates[each["index"]] for each in errors]
            else:
                return


def _update(name: WriteName, key: Key, counts: list[int]) -> UpdateOne:
    last = f"writes.{name.process}"
    values = dict(zip(KEY, key, strict=True)) | {"start": datetime.fromisoformat(key.start)}
    return UpdateOne(
        {"_id": _encode(key).decode(), last: {"$not": {"$gte": name.number}}},
        {
            "$inc": dict(zip(MEASURES, counts, strict=True)),
            "$set": {last: name.number},
            "$setOnInsert": values,
        },
        upsert=True,
    )


def counted(found: dict[str, Any]) -> Document:
    """The document that was stored, without the content of its bodies."""
    return msgspec.convert(with_text_times(found), Document)


def with_text_times(found: dict[str, Any]) -> dict[str, Any]:
    """The same document with its times as other stores have them."""
    for place in (found, *found["attempts"]):
        for field in (*_TIMES, "started_at"):
            if isinstance(moment := place.get(field), datetime):
                place[field] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return found
