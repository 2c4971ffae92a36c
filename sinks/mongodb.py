"""Exchanges in MongoDB, the analysts' store: one document a request in the collection `exchanges`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import structlog
from bson import encode
from bson.errors import BSONError, InvalidDocument
from bson.raw_bson import RawBSONDocument
from msgspec import MsgspecError
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from schemas.clock import Clock
from schemas.kept import Kept
from sinks.base import Backpressure, Refused
from sinks.config import SinkConfig
from sinks.document import Document, to_builtins, with_text_bodies
from sinks.mongodb_answers import COLLECTION as ANSWERS, ensure_answer_indexes, keep_answers
from sinks.mongodb_indexes import COLLECTION, ensure_indexes
from sinks.mongodb_rollups import WRITTEN_BY, Rollups

log = structlog.get_logger()
Collection = AsyncCollection[dict[str, Any]]

MAX_DOCUMENT_BYTES = 16 << 20
# Of either body, where a document was too long with both: what is left holds everything else.
MAX_TEXT_BYTES = 7 << 20
SELECTION_TIMEOUT_MS = 3_000
# Bounds a write, which nobody may cancel. Not pymongo.timeout(): within that, pymongo would go on
# selecting servers for all of it.
SOCKET_TIMEOUT_MS = 10_000
RETRY_AFTER = 0.5  # seconds
DUPLICATE_KEY = 11000
# Codes of single writes that say nothing of the document: come again.
# https://github.com/mongodb/mongo/blob/v7.0/src/mongo/base/error_codes.yml
STORE_CODES = frozenset(
    {
        *(6, 7, 89, 9001),  # host unreachable, not found, timed out, socket
        *(11600, 11602, 91),  # interrupted by shutdown, by a step-down, shutting down
        *(10058, 10107, 13435, 13436, 189),  # not the primary
        *(13, 18, 8000),  # not allowed to write, or over a hosted cluster's quota
        *(24, 46, 50, 64, 112, 202, 262),  # lock, time, write concern, conflict
        14031,  # disk full
    }
)
# Codes of a whole command that one document may have caused: the documents are tried one by one.
DOCUMENT_CODES = frozenset({2, 9, 14, 15, 22, 52, 55, 56, 57, 121, 10334, 17280, 17419, 17420})
# What a body may hold and BSON may not: integers beyond 64 bits, keys with NUL, numbers without end.
NO_BSON = (BSONError, MsgspecError, OverflowError, RecursionError, UnicodeError)


class MongoDBSink:
    """One client, made inside the running loop."""

    def __init__(self, config: SinkConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._process = secrets.token_hex(6)
        self._made: Rollups | None = None
        self._client: AsyncMongoClient[dict[str, Any]] | None = None
        self._ready = False

    async def open(self) -> None:
        try:
            await ensure_indexes(self._collection, self._config.retention_days)
            await ensure_answer_indexes(self._answers, self._config.retention_days)
            await self._rollups.ensure_indexes(self._config.usage_retention_days)
            await self._rollups.count_abandoned()
        except (PyMongoError, ValueError) as error:  # ValueError: of some wrong addresses
            raise Backpressure(RETRY_AFTER, _reason(error)) from error
        self._ready = True

    async def write(self, batch: Sequence[Document]) -> None:
        if not self._ready:
            await self.open()
        if not batch:
            return
        # The server may insert in any order: of equal ids only the first goes there.
        first = {found.request_id: found for found in reversed(batch)}
        try:
            name = await self._rollups.begin(list(first))
        except PyMongoError as error:
            raise Backpressure(RETRY_AFTER, _reason(error)) from error
        refused, all_new = await self._insert(first, str(name))
        # Perhaps it is what is inside a body that this server cannot hold.
        texts = {key: with_text_bodies(first[key], MAX_TEXT_BYTES) for key in refused}
        still, _ = await self._insert(texts, str(name))
        try:
            if all_new and not refused:
                await self._rollups.count(name, first.values())
            else:
                await self._rollups.count_stored(name)
        except PyMongoError as error:
            raise Backpressure(RETRY_AFTER, _reason(error)) from error
        if still:
            raise Refused(still)

    async def expire(self) -> bool:
        """The server deletes what is too old by itself; what others left is counted."""
        try:
            await self._rollups.count_abandoned()
        except PyMongoError as error:
            raise Backpressure(RETRY_AFTER, _reason(error)) from error
        return False

    async def keep(self, batch: Sequence[Kept]) -> None:
        if not self._ready:
            await self.open()
        try:
            await keep_answers(self._answers, batch)
        except PyMongoError as error:
            raise Backpressure(RETRY_AFTER, _reason(error)) from error

    async def close(self) -> None:
        client, self._client, self._made = self._client, None, None
        if client is not None:
            await client.close()

    @property
    def _collection(self) -> Collection:
        if self._client is None:
            self._client = AsyncMongoClient(
                self._config.mongodb_url,
                appname="sluice-sinks",
                serverSelectionTimeoutMS=SELECTION_TIMEOUT_MS,
                connectTimeoutMS=SELECTION_TIMEOUT_MS,
                socketTimeoutMS=SOCKET_TIMEOUT_MS,
                w="majority",
                wTimeoutMS=SOCKET_TIMEOUT_MS,
            )
        return self._client[self._config.mongodb_database][COLLECTION]

    @property
    def _answers(self) -> Collection:
        return self._collection.database[ANSWERS]

    @property
    def _rollups(self) -> Rollups:
        if self._made is None:
            self._made = Rollups(self._collection.database, self._process, self._clock)
        return self._made

    async def _insert(
        self, documents: dict[str, Document], name: str
    ) -> tuple[dict[str, str], bool]:
        """Insert what is not there; the reasons of what the server, or BSON, refuses, and whether all
        others were new."""
        refused: dict[str, str] = {}
        ready: dict[str, RawBSONDocument] = {}
        for key, found in documents.items():
            try:
                ready[key] = _bson(found, name)
            except NO_BSON as error:
                refused[key] = f"{type(error).__name__}: {error}"
        more, all_new = await self._send(ready)
        return refused | more, all_new

    async def _send(self, ready: dict[str, RawBSONDocument]) -> tuple[dict[str, str], bool]:
        if not ready:
            return {}, True
        try:
            await self._collection.insert_many(list(ready.values()), ordered=False)
        except BulkWriteError as error:
            return _refused(error, list(ready)), False
        except OperationFailure as error:
            if error.code not in DOCUMENT_CODES:
                raise Backpressure(RETRY_AFTER, _reason(error)) from error
            if len(ready) == 1:
                return {next(iter(ready)): _reason(error)}, False
            refused: dict[str, str] = {}
            for key, document in ready.items():
                refused |= (await self._send({key: document}))[0]
            return refused, False
        except PyMongoError as error:
            raise Backpressure(RETRY_AFTER, _reason(error)) from error
        return {}, True


def _bson(found: Document, name: str) -> RawBSONDocument:
    """Encoded once and here, so that a document that cannot be is found before it spoils a batch.

    What is longer than 16 MB loses the ends of its bodies. Raises one of NO_BSON.
    """
    try:
        encoded = encode(to_builtins(found) | {WRITTEN_BY: name})
        too_long = len(encoded) > MAX_DOCUMENT_BYTES
    except NO_BSON:
        too_long = True
    if too_long:
        encoded = encode(to_builtins(with_text_bodies(found, MAX_TEXT_BYTES)) | {WRITTEN_BY: name})
        if len(encoded) > MAX_DOCUMENT_BYTES:
            raise InvalidDocument(f"{len(encoded)} bytes without its bodies' ends")
    return RawBSONDocument(encoded)


def _refused(error: BulkWriteError, keys: list[str]) -> dict[str, str]:
    """The documents that the server refused for good. That one is there already is success."""
    details = error.details or {}
    reasons: dict[str, str] = {}
    for each in details.get("writeErrors", ()):
        code, text = each.get("code"), f"{each.get('code')}: {each.get('errmsg', '')}"
        if code in STORE_CODES:
            raise Backpressure(RETRY_AFTER, text) from error
        if code != DUPLICATE_KEY:
            reasons[keys[each["index"]]] = text
    if concern := details.get("writeConcernErrors"):
        raise Backpressure(RETRY_AFTER, f"not on a majority: {concern[0].get('errmsg')}") from error
    return reasons


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"
