"""What is asked about the exchanges in MongoDB."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from schemas.analytics import COUNTED, MEASURES, Group, Page, Spent, Sums, Wanted
from schemas.errors import StoreUnavailable
from sinks.mongodb_indexes import COLLECTION as EXCHANGES
from sinks.mongodb_rollups import COLLECTION as ROLLUPS, WRITTEN_BY, with_text_times
from sinks.rollups import HITS, counts_of
from sinks.sql_reports import longest_before

TIMEOUT_MS = 10_000  # a caller waits
SELECTION_TIMEOUT_MS = 3_000
SEARCHED = ("_id", "client_request_id", "request_model", "attempts.model", "provider", "user_path")
_HEAD = {"request.body": 0, "response.body": 0, WRITTEN_BY: 0}
# As `model` of sinks/rollups.py: of the last attempt, or of the answer of a cache.
_MODEL = {
    "$ifNull": [{"$arrayElemAt": ["$attempts.model", -1]}, {"$ifNull": ["$response_model", ""]}]
}
_encode = msgspec.json.Encoder().encode

Json = dict[str, Any]


class MongoDBReports:
    """Its client is made inside the running loop."""

    def __init__(self, url: str, database: str) -> None:
        self._url = url
        self._name = database
        self._client: AsyncMongoClient[Json] | None = None

    async def sums(self, asked: Sums) -> list[Group]:
        pipeline: list[Json] = [
            {"$match": _counted(asked)},
            {
                "$group": {
                    "_id": {name: f"${name}" for name in asked.by},
                    **{name: {"$sum": f"${name}"} for name in MEASURES},
                }
            },
        ]
        try:
            found = await (await self._database[ROLLUPS].aggregate(pipeline)).to_list()
        except PyMongoError as error:
            raise StoreUnavailable from error
        return [
            Group(
                tuple(_text(each["_id"][name]) for name in asked.by),
                counts_of(each[name] for name in MEASURES),
            )
            for each in found
        ]

    async def page(self, wanted: Wanted) -> Page:
        exchanges, query = self._database[EXCHANGES], _listed(wanted)
        try:
            total = await exchanges.count_documents(query, limit=COUNTED + 1)
            cursor = exchanges.find(_before(query, wanted.before), _HEAD)
            cursor = cursor.sort([("created_at", -1), ("_id", -1)]).skip(wanted.offset)
            documents = [_json(each) async for each in cursor.limit(wanted.limit)]
        except PyMongoError as error:
            raise StoreUnavailable from error
        return Page(documents, total)

    async def one(self, request_id: str) -> Raw | None:
        try:
            found = await self._database[EXCHANGES].find_one({"_id": request_id}, {WRITTEN_BY: 0})
        except PyMongoError as error:
            raise StoreUnavailable from error
        return None if found is None else _json(found)

    async def after(self, wanted: Wanted) -> list[Raw]:
        query = _after(_listed(wanted), wanted.after)
        cursor = self._database[EXCHANGES].find(query, {WRITTEN_BY: 0})
        cursor = cursor.sort([("created_at", 1), ("_id", 1)]).limit(wanted.limit)
        try:
            return [_json(each) async for each in cursor]
        except PyMongoError as error:
            raise StoreUnavailable from error

    async def count(self, wanted: Wanted) -> int:
        query = _after(_listed(wanted), wanted.after)
        try:
            return await self._database[EXCHANGES].count_documents(query)
        except PyMongoError as error:
            raise StoreUnavailable from error

    async def spent(self, partition: int, since: str, until: str) -> list[Spent]:
        names = ("user_path", "client", "request_model")
        begun = {"$gte": _moment(longest_before(since)), "$lt": _moment(until)}
        pipeline: list[Json] = [
            {
                "$match": {
                    "created_at": begun,
                    "finished_at": {"$gte": _moment(since), "$lt": _moment(until)},
                    "kafka.partition": partition,
                    "without": {"$ne": "budget"},
                }
            },
            {
                "$group": {
                    "_id": {name: f"${name}" for name in names},
                    "cost": {"$sum": "$cost.total"},
                    "tokens": {"$sum": "$usage.total_tokens"},
                }
            },
        ]
        try:
            found = await (await self._database[EXCHANGES].aggregate(pipeline)).to_list()
        except PyMongoError as error:
            raise StoreUnavailable from error
        return [
            Spent(
                each["_id"]["user_path"],
                each["_id"].get("client"),
                each["_id"].get("request_model"),
                int(each["cost"]),
                int(each["tokens"]),
            )
            for each in found
        ]

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @property
    def _database(self) -> AsyncDatabase[Json]:
        if self._client is None:
            self._client = AsyncMongoClient(
                self._url,
                appname="sluice-reports",
                serverSelectionTimeoutMS=SELECTION_TIMEOUT_MS,
                connectTimeoutMS=SELECTION_TIMEOUT_MS,
                socketTimeoutMS=TIMEOUT_MS,
            )
        return self._client[self._name]


def _counted(asked: Sums) -> Json:
    where = asked.where
    query: Json = {
        "period": asked.period,
        "start": {"$gte": _moment(asked.since), "$lt": _moment(asked.until)},
    }
    given = (("model", where.model), ("provider", where.provider), ("client", where.client))
    query |= {name: value for name, value in given if value is not None}
    if where.hits is not None:
        query["cache"] = {"$ne": ""} if where.hits else ""
    return query | _below(where.user_path)


def _listed(wanted: Wanted) -> Json:
    fields = (
        ("request_model", wanted.requested_model),
        ("provider", wanted.provider),
        ("client", wanted.client),
        ("outcome", wanted.outcome),
        ("operation", wanted.operation),
        ("status", wanted.status),
        ("error.code", wanted.error),
        ("stream", wanted.stream),
    )
    query: Json = {name: value for name, value in fields if value is not None}
    span = {"$gte": wanted.since, "$lt": wanted.until}
    if known := {name: _moment(text) for name, text in span.items() if text is not None}:
        query["created_at"] = known
    if wanted.model is not None:
        query["$expr"] = {"$eq": [_MODEL, {"$literal": wanted.model}]}
    if wanted.hits is not None:
        query["cache.result"] = {"$in" if wanted.hits else "$nin": sorted(HITS)}
    if wanted.view is not None:
        query["without"] = {"$ne": wanted.view}
    if wanted.view == "usage" and wanted.outcome is None:
        query["outcome"] = {"$ne": "rejected"}
    if wanted.search:
        part = {"$regex": re.escape(wanted.search), "$options": "i"}
        query["$or"] = [{name: part} for name in SEARCHED]
    return query | _below(wanted.user_path)


def _below(path: str | None) -> Json:
    """The path itself, or one below it."""
    if path is None or path == "/":
        return {}
    # No $or of two conditions: a search has that member of the query.
    return {"user_path": {"$regex": f"^{re.escape(path)}(/|$)"}}


def _before(query: Json, place: tuple[str, str] | None) -> Json:
    return _beyond(query, "$lt", place)


def _after(query: Json, place: tuple[str, str] | None) -> Json:
    return _beyond(query, "$gt", place)


def _beyond(query: Json, side: str, place: tuple[str, str] | None) -> Json:
    if place is None:
        return query
    moment = _moment(place[0])
    beyond = [{"created_at": {side: moment}}, {"created_at": moment, "_id": {side: place[1]}}]
    return {"$and": [query, {"$or": beyond}]}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def _json(found: Json) -> Raw:
    return Raw(_encode(with_text_times(found)))
