"""Kept answers in MongoDB: the collection `answers`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import structlog
from bson import encode
from msgspec.structs import replace
from pymongo import ASCENDING, AsyncMongoClient, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, PyMongoError

from schemas.errors import StoreUnavailable
from schemas.kept import Kept

log = structlog.get_logger()
Collection = AsyncCollection[dict[str, Any]]

COLLECTION = "answers"
MAX_DOCUMENT_BYTES = 16 << 20
TIMEOUT_MS = 2_000  # a caller waits for the look-up
DUPLICATE_KEY = 11000
DAY = 86_400
NEVER = 2**31 - 1  # MongoDB's largest expireAfterSeconds: 68 years
_decode = msgspec.json.Decoder(Kept).decode
_encode = msgspec.json.Encoder().encode


async def ensure_answer_indexes(collection: Collection, retention_days: int) -> None:
    """Make what is missing; PyMongoError if the server cannot be asked."""
    there = {index["name"] async for index in await collection.list_indexes()}
    wanted = (
        IndexModel([("response_id", ASCENDING)], name="response_id", sparse=True),
        IndexModel([("previous_id", ASCENDING)], name="previous_id", sparse=True),
        IndexModel(
            [("created_at", ASCENDING)],
            name="created_at_expiry",
            expireAfterSeconds=retention_days * DAY or NEVER,
        ),
    )
    missing = [index for index in wanted if index.document["name"] not in there]
    if missing:
        await collection.create_indexes(missing)


async def keep_answers(collection: Collection, batch: Sequence[Kept]) -> None:
    """Insert what is not there; PyMongoError if that must be tried again. What is too large for a
    document is passed over."""
    first = {found.request_id: found for found in reversed(batch)}
    documents = []
    for found in first.values():
        document = _document(found)
        if len(encode(document)) > MAX_DOCUMENT_BYTES:
            log.warning("answer_not_kept", request_id=found.request_id, reason="larger than 16 MiB")
            continue
        documents.append(document)
    if not documents:
        return
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        codes = {each.get("code") for each in (error.details or {}).get("writeErrors", ())}
        if codes - {DUPLICATE_KEY}:
            raise


def _document(found: Kept) -> dict[str, Any]:
    return {
        "_id": found.request_id,
        **({"response_id": found.response_id} if found.response_id else {}),
        **({"previous_id": found.previous_id} if found.previous_id else {}),
        "created_at": datetime.fromisoformat(found.created_at),
        "head": _encode(replace(found, request=b"", answer=b"")).decode(),
        "request": found.request,
        "answer": found.answer,
    }


class MongoDBAnswers:
    """An AnswerStore; its client is made inside the running loop."""

    def __init__(self, url: str, database: str) -> None:
        self._url = url
        self._database = database
        self._client: AsyncMongoClient[dict[str, Any]] | None = None

    async def find(self, name: str) -> Kept | None:
        try:
            for key in ("_id", "response_id"):
                found = await self._collection.find_one({key: name, "deleted": {"$ne": True}})
                if found is not None:
                    head = _decode(found["head"])
                    return replace(head, request=found["request"], answer=found["answer"])
        except PyMongoError as error:
            raise StoreUnavailable from error
        return None

    async def delete(self, name: str) -> bool:
        # What is deleted stays as a mark: its exchange may come again after a crash of the sink.
        change = {"$set": {"deleted": True, "request": b"", "answer": b""}}
        try:
            for key in ("_id", "response_id"):
                query = {key: name, "deleted": {"$ne": True}}
                if (await self._collection.update_one(query, change)).matched_count:
                    return True
        except PyMongoError as error:
            raise StoreUnavailable from error
        return False

    async def deleted(self, name: str) -> bool:
        query = {"$or": [{"_id": name}, {"response_id": name}], "deleted": True}
        try:
            return await self._collection.find_one(query, {"_id": 1}) is not None
        except PyMongoError as error:
            raise StoreUnavailable from error

    async def continuing(self, response_id: str, limit: int) -> Sequence[str]:
        query = {"previous_id": response_id, "deleted": {"$ne": True}}
        try:
            cursor = self._collection.find(query, {"_id": 1}).sort(
                [("created_at", ASCENDING), ("_id", ASCENDING)]
            )
            return [str(each["_id"]) async for each in cursor.limit(limit)]
        except PyMongoError as error:
            raise StoreUnavailable from error

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @property
    def _collection(self) -> Collection:
        if self._client is None:
            self._client = AsyncMongoClient(
                self._url,
                appname="sluice-answers",
                serverSelectionTimeoutMS=TIMEOUT_MS,
                connectTimeoutMS=TIMEOUT_MS,
                socketTimeoutMS=TIMEOUT_MS,
            )
        return self._client[self._database][COLLECTION]
