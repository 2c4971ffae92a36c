"""Recorded traffic that can be run again: from `llm.exchanges`, or from the store."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from schemas import exchange as exchanges, headers as h
from schemas.clock import from_rfc3339, rfc3339
from schemas.exchange import OUTCOME_TYPES, Exchange
from sluice.operations.filters import Filter, all_take, parse
from sluice.operations.log import Log, Progress, untold

if TYPE_CHECKING:
    from sinks.config import SinkConfig

SOURCE = (
    "/sluice/replay"  # ce_source of requests that are run again: they are never recorded traffic
)
_members = msgspec.json.Decoder(dict[str, Raw]).decode


class Wanted(Struct, frozen=True):
    """Which exchanges are meant."""

    since: float | None = None  # epoch seconds
    until: float | None = None
    filters: tuple[Filter, ...] = ()
    limit: int = 100

    def takes(self, found: Exchange) -> bool:
        return replayable(found) and all_take(self.filters, found)


def replayable(found: Exchange) -> bool:
    """Whether it has all that a request needs: answers of models, asked in JSON."""
    if found.operation != "chat" or found.source.startswith(SOURCE):
        return False
    return found.request.format == "json" and bytes(found.request.body).startswith(b"{")


def completed(filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """Only what was completed, unless they say something of the outcome."""
    if any(each.field == "outcome" for each in filters):
        return filters
    return (*filters, parse("outcome=completed"))


class _Oldest:
    """The oldest so many of what comes in any order, each id once."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._found: dict[str, Exchange] = {}

    def add(self, found: Exchange) -> None:
        if self._wanted.takes(found):
            self._found.setdefault(found.request_id, found)
            if len(self._found) > 2 * self._wanted.limit:
                self._found = {each.request_id: each for each in self.all()}

    def all(self) -> list[Exchange]:
        by_time = sorted(self._found.values(), key=lambda each: each.created_at)
        return by_time[: self._wanted.limit]


async def from_log(log: Log, wanted: Wanted, progress: Progress = untold) -> list[Exchange]:
    """The oldest of those that the topic has."""
    oldest = _Oldest(wanted)
    partitions = await log.partitions(log.topics.exchanges)
    extents = await log.extents(partitions, wanted.since, wanted.until)
    async with aclosing(log.records(extents, progress)) as batches:
        async for batch in batches:
            for record in batch:
                kind = h.first(record.headers).get(h.CE_TYPE)
                if kind in OUTCOME_TYPES and record.value is not None:
                    with suppress(msgspec.DecodeError):  # a dead letter: see the sinks
                        oldest.add(exchanges.decode(record.value))
    return oldest.all()


async def length(log: Log, wanted: Wanted) -> int:
    """How many offsets `from_log` goes through."""
    partitions = await log.partitions(log.topics.exchanges)
    extents = await log.extents(partitions, wanted.since, wanted.until)
    return sum(map(len, extents.values()))


async def from_store(config: SinkConfig, wanted: Wanted) -> list[Exchange]:
    """The oldest of those that the store has, with their whole requests; OSError if it cannot be read."""
    oldest = _Oldest(wanted)
    if config.storage_type == "mongodb":
        async with aclosing(_from_mongodb(config, wanted)) as documents:
            async for document in documents:
                _add(oldest, document)
        return oldest.all()
    if config.storage_type == "postgresql":
        async with aclosing(_from_postgresql(config, wanted)) as documents:
            async for document in documents:
                _add(oldest, document)
        return oldest.all()
    read = _from_sqlite if config.storage_type == "sqlite" else _from_lines

    def collect() -> None:
        for document in read(config, wanted):
            _add(oldest, document)

    try:
        await asyncio.to_thread(collect)
    except sqlite3.Error as error:
        raise OSError(str(error)) from error
    return oldest.all()


def _add(oldest: _Oldest, document: bytes) -> None:
    if (found := from_document(document)) is not None:
        oldest.add(found)


class _Stored(Struct):
    """What of a stored body decides whether it can be used."""

    body: Raw = Raw()
    truncated: bool = False

    @property
    def whole(self) -> bool:
        return bool(self.body) and not self.truncated


_stored = msgspec.json.Decoder(_Stored).decode


def from_document(document: bytes) -> Exchange | None:
    """The exchange that a document is the view of; None without its whole request."""
    members = _members(document)
    members["request_id"] = members.pop("_id")
    if not _stored(members["request"]).whole:
        return None
    if (answer := members.get("response")) is not None and not _stored(answer).whole:
        del members["response"]
    return exchanges.decode(msgspec.json.encode(members))


def _from_sqlite(config: SinkConfig, wanted: Wanted) -> Iterator[bytes]:
    path = Path(config.sqlite_path)
    if not path.exists():
        raise FileNotFoundError(f"there is no store {path}")
    since, until = _times(wanted)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT document FROM exchanges WHERE created_at >= ? AND created_at < ?"
            " ORDER BY created_at",
            (since, until),
        )
        for (document,) in rows:
            yield document.encode()


def _from_lines(config: SinkConfig, wanted: Wanted) -> Iterator[bytes]:
    since, until = _times(wanted)
    with Path(config.jsonl_path).open("rb") as file:
        for line in file:
            if since <= msgspec.json.decode(_members(line)["created_at"], type=str) < until:
                yield line


async def _from_postgresql(config: SinkConfig, wanted: Wanted) -> AsyncGenerator[bytes, None]:
    from sinks.postgresql_reading import documents

    async with aclosing(documents(config.postgres_url or "", *_times(wanted))) as found:
        async for document in found:
            yield document


async def _from_mongodb(config: SinkConfig, wanted: Wanted) -> AsyncGenerator[bytes, None]:
    from pymongo import AsyncMongoClient
    from pymongo.errors import PyMongoError

    span = dict(zip(("$gte", "$lt"), map(datetime.fromisoformat, _times(wanted)), strict=True))
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        config.mongodb_url, tz_aware=True
    )
    try:
        collection = client[config.mongodb_database]["exchanges"]
        async for document in collection.find({"created_at": span}).sort("created_at"):
            yield json.dumps(document, default=_moment).encode()
    except PyMongoError as error:
        raise OSError(f"the store cannot be read: {error}") from error
    finally:
        await client.close()


def _moment(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"no JSON: {type(value).__name__}")
    return rfc3339(value.timestamp())


def _times(wanted: Wanted) -> tuple[str, str]:
    since = 0.0 if wanted.since is None else wanted.since
    until = from_rfc3339("9999-01-01T00:00:00Z") if wanted.until is None else wanted.until
    return rfc3339(since), rfc3339(until)
