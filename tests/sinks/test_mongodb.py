"""MongoDB: errors of documents and errors of servers, and the indexes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import BulkWriteError, OperationFailure

from schemas.clock import SystemClock
from sinks import mongodb
from sinks.base import Backpressure, Refused
from sinks.config import SinkConfig
from sinks.document import document
from sinks.mongodb import MongoDBSink
from sinks.mongodb_indexes import EXPIRY, INDEXES, NEVER
from tests.sinks.samples import documents, exchange, json_body, request_id


@pytest.fixture
def config(mongodb_url: str) -> Iterator[SinkConfig]:
    name = f"t{secrets.token_hex(6)}"
    yield SinkConfig(storage_type="mongodb", mongodb_url=mongodb_url, mongodb_database=name)
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        client.drop_database(name)


def indexes(config: SinkConfig) -> dict[str, dict[str, Any]]:
    with MongoClient[dict[str, Any]](config.mongodb_url) as client:
        found = client[config.mongodb_database]["exchanges"].list_indexes()
        return {index["name"]: dict(index) for index in found}


def sink_of(config: SinkConfig, **changes: Any) -> MongoDBSink:
    fields = {name: getattr(config, name) for name in config.__struct_fields__}
    return MongoDBSink(SinkConfig(**fields | changes), SystemClock())


async def test_indexes_are_made_once(config: SinkConfig) -> None:
    """Each index is there after the first start, with the expiry, and a second start changes nothing."""
    for _ in range(2):
        sink = sink_of(config)
        await sink.open()
        await sink.close()
    found = indexes(config)

    assert found.keys() == {"_id_", EXPIRY, *(index.document["name"] for index in INDEXES)}
    assert found[EXPIRY]["expireAfterSeconds"] == 30 * 86_400
    assert list(found["user_path"]["key"].items()) == [("user_path", 1), ("created_at", -1)]


async def test_no_retention_is_the_longest_expiry(config: SinkConfig) -> None:
    """A retention of 0 days keeps for ever, and can be shortened later."""
    sink = sink_of(config, retention_days=0)
    await sink.open()
    await sink.close()

    assert indexes(config)[EXPIRY]["expireAfterSeconds"] == NEVER


async def test_a_new_retention_is_asked_for_and_its_refusal_tolerated(
    config: SinkConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the server changes no expiry, storing goes on; where it does, collMod says what to change."""
    sink = sink_of(config)
    await sink.open()
    await sink.close()
    changed = sink_of(config, retention_days=7)
    await changed.write(documents(1))
    await changed.close()

    commands: list[tuple[Any, ...]] = []
    sink = sink_of(config, retention_days=7)
    database = type(sink._collection.database)

    async def command(_self: Any, *words: Any, **options: Any) -> None:
        commands.append((*words, options))

    monkeypatch.setattr(database, "command", command)
    await sink.open()
    await sink.close()
    assert commands == [
        ("collMod", "exchanges", {"index": {"name": EXPIRY, "expireAfterSeconds": 7 * 86_400}})
    ]


async def test_times_are_datetimes(config: SinkConfig) -> None:
    """Times are MongoDB dates, so that aggregations can take them apart."""
    sink = sink_of(config)
    await sink.write(documents(1))
    await sink.close()
    with MongoClient[dict[str, Any]](config.mongodb_url, tz_aware=True) as client:
        found = client[config.mongodb_database]["exchanges"].find_one({"_id": request_id(1)})

    assert found is not None
    assert found["created_at"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert found["finished_at"] == datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert found["attempts"][0]["started_at"] == datetime(2026, 1, 1, 0, 0, 0, 10_000, tzinfo=UTC)


@pytest.mark.usefixtures("_pymongo_leaks")
async def test_no_server_is_backpressure(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody at the address, or an address that is none: come again, with the reason."""
    monkeypatch.setattr(mongodb, "SELECTION_TIMEOUT_MS", 200)
    for url in (f"mongodb://127.0.0.1:{free_port()}", "mongodb://127.0.0.1:99999", "nonsense"):
        sink = sink_of(SinkConfig(storage_type="mongodb", mongodb_url=url))
        with pytest.raises(Backpressure) as away:
            await sink.open()
        assert away.value.reason
        with pytest.raises(Backpressure):
            await sink.write(documents(1))
        await sink.close()


class Answering:
    """A sink whose server answers as told, once for each call."""

    def __init__(self, sink: MongoDBSink, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        self.calls: list[list[str]] = []
        self.documents: list[Any] = []
        self._answers = list(answers)
        monkeypatch.setattr(type(sink._collection), "insert_many", self._insert_many)
        sink._ready = True

    async def _insert_many(self, sent: list[Any], *, ordered: bool) -> None:
        assert not ordered
        self.calls.append([each["_id"] for each in sent])
        self.documents.append(sent)
        if self._answers and (answer := self._answers.pop(0)) is not None:
            raise answer


def bulk(*errors: dict[str, Any], concern: bool = False) -> BulkWriteError:
    concerns = [{"code": 64, "errmsg": "waiting for replication timed out"}] if concern else []
    return BulkWriteError({"writeErrors": list(errors), "writeConcernErrors": concerns})


async def test_a_duplicate_is_success(config: SinkConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """E11000 means that the outcome is stored already."""
    sink = sink_of(config)
    Answering(sink, monkeypatch, bulk({"index": 0, "code": 11000}, {"index": 2, "code": 11000}))
    await sink.write(documents(1, 2, 3))
    await sink.close()


@pytest.mark.parametrize(
    "answer",
    [
        bulk({"index": 0, "code": 11000}, concern=True),
        bulk({"index": 1, "code": 14031, "errmsg": "disk full"}),
        bulk({"index": 1, "code": 91, "errmsg": "shutting down"}),
        OperationFailure("not authorized", 13),
        OperationFailure("not primary", 10107),
        OperationFailure("something new", 99999),
    ],
    ids=["no majority", "disk full", "shutdown", "no right", "no primary", "unknown"],
)
async def test_errors_of_the_store_are_backpressure(
    config: SinkConfig, answer: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What says nothing of a document makes the batch come again, and refuses nothing."""
    sink = sink_of(config)
    Answering(sink, monkeypatch, answer)
    with pytest.raises(Backpressure):
        await sink.write(documents(1, 2, 3))
    await sink.close()


async def test_a_refused_document_is_tried_again_with_its_bodies_as_text(
    config: SinkConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that cannot hold a body's keys gets the text; what it refuses then too is refused."""
    sink = sink_of(config)
    no = {"code": 57, "errmsg": "dotted field"}
    server = Answering(
        sink, monkeypatch, bulk({"index": 0, **no}, {"index": 2, **no}), bulk({"index": 1, **no})
    )
    with pytest.raises(Refused) as refused:
        await sink.write(documents(1, 2, 3))
    await sink.close()

    first, second = server.calls
    assert set(first) == {request_id(1), request_id(2), request_id(3)}
    assert refused.value.reasons == {second[1]: "57: dotted field"}
    assert {each["request"]["format"] for each in server.documents[0]} == {"json"}
    assert {each["request"]["format"] for each in server.documents[1]} == {"text"}


async def test_a_command_that_one_document_spoils_is_taken_apart(
    config: SinkConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the whole command fails because of a document, the others are stored one by one."""
    sink = sink_of(config)
    spoiled = OperationFailure("exceeded nesting", 15)
    server = Answering(sink, monkeypatch, spoiled, None, spoiled, None, spoiled)
    with pytest.raises(Refused) as refused:
        await sink.write(documents(1, 2, 3))
    await sink.close()

    assert list(map(len, server.calls)) == [3, 1, 1, 1, 1]
    assert refused.value.reasons.keys() == {server.calls[2][0]} == {server.calls[4][0]}


async def test_a_document_that_is_too_long_even_without_its_bodies(config: SinkConfig) -> None:
    """What no cut makes fit is refused, not tried for ever."""
    headers = {"x": "y" * (17 << 20)}
    long = document(exchange(1, http_headers=headers), bodies=True, body_limit=1 << 20)
    sink = sink_of(config)
    with pytest.raises(Refused, match="1 documents refused"):
        await sink.write([long, *documents(2)])
    await sink.close()


async def test_arrays_that_grow_in_bson_are_stored_as_text(config: SinkConfig) -> None:
    """A list of small numbers takes six times its JSON in BSON; over 16 MB it becomes text, uncut."""
    body = b"[" + b",".join([b"1"] * 2_000_000) + b"]"
    large = document(exchange(1, request=json_body(body)), bodies=True, body_limit=8 << 20)
    sink = sink_of(config)
    await sink.write([large])
    await sink.close()
    with MongoClient[dict[str, Any]](config.mongodb_url) as client:
        found = client[config.mongodb_database]["exchanges"].find_one({"_id": request_id(1)})

    assert found is not None
    assert found["request"]["format"] == "text"
    assert found["request"]["body"] == body.decode()
    assert "truncated" not in found["request"]
