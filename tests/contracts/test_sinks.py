"""What every store promises: one suite over MongoDB, PostgreSQL, SQLite and the file of JSON lines."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pymongo import MongoClient

from schemas.clock import SystemClock
from schemas.exchange import ErrorInfo, Exchange, any_body
from schemas.usage import Usage
from sinks.base import Refused, Sink
from sinks.config import SinkConfig, StorageType
from sinks.document import Document, document
from sinks.stores import SINKS
from tests.postgres import fetch
from tests.sinks.samples import ANSWER, QUESTION, exchange, json_body, request_id, sse

MIB = 1 << 20


class Subject:
    """One empty store of its own."""

    def __init__(self, name: StorageType, folder: Path, url: str | None) -> None:
        self.name = name
        self.url = url or ""
        self.config = SinkConfig(
            storage_type=name,
            sqlite_path=str(folder / "new" / "sluice.db"),
            jsonl_path=str(folder / "new" / "exchanges.jsonl"),
            mongodb_url=url,
            postgres_url=url,
            mongodb_database=f"t{secrets.token_hex(6)}",
            retention_days=0,
        )

    def sink(self) -> Sink:
        return SINKS[self.name](self.config, SystemClock())

    def read(self) -> dict[str, dict[str, Any]]:
        """All documents by id; times as text everywhere."""
        match self.name:
            case "sqlite":
                with sqlite3.connect(self.config.sqlite_path) as connection:
                    rows = connection.execute("SELECT document FROM exchanges").fetchall()
                connection.close()
                found = [json.loads(text) for (text,) in rows]
            case "jsonl":
                lines = Path(self.config.jsonl_path).read_bytes().split(b"\n")
                found = [json.loads(line) for line in lines if line]
            case "postgresql":
                found = [
                    json.loads(text, parse_int=_number)
                    for (text,) in fetch(self.url, "SELECT document::text FROM exchanges")
                ]
            case "mongodb":
                with MongoClient[dict[str, Any]](self.config.mongodb_url, tz_aware=True) as client:
                    cursor = client[self.config.mongodb_database]["exchanges"].find(
                        {}, {"written_by": 0}
                    )
                    found = [_times_as_text(each) for each in cursor]
        assert len(found) == len({each["_id"] for each in found}), "one document a request"
        return {each["_id"]: each for each in found}

    def erase(self) -> None:
        if self.name == "mongodb":
            with MongoClient[dict[str, Any]](self.config.mongodb_url) as client:
                client.drop_database(self.config.mongodb_database)


def _number(text: str) -> float:
    """jsonb writes all digits of 1e400, which is no integer."""
    return int(text) if len(text) <= 400 else float(text)


def _times_as_text(found: dict[str, Any]) -> dict[str, Any]:
    for place in (found, *found["attempts"]):
        for name, value in place.items():
            if isinstance(value, datetime):
                place[name] = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return found


@pytest.fixture(params=["mongodb", "postgresql", "sqlite", "jsonl"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    servers = {"mongodb": "mongodb_url", "postgresql": "postgres_schema"}
    name = servers.get(request.param)
    url = request.getfixturevalue(name) if name else None
    subject = Subject(request.param, tmp_path, url)
    yield subject
    subject.erase()


def view(found: Exchange, *, bodies: bool = True, body_limit: int = MIB) -> Document:
    return document(found, bodies=bodies, body_limit=body_limit)


async def stored(subject: Subject, *exchanges: Exchange) -> dict[str, dict[str, Any]]:
    sink = subject.sink()
    await sink.open()
    await sink.write([view(each) for each in exchanges])
    await sink.close()
    return subject.read()


async def test_the_whole_exchange_is_stored(subject: Subject) -> None:
    """Every field of an exchange is in the document, under its own name."""
    assert await stored(subject, exchange()) == {
        request_id(1): {
            "_id": request_id(1),
            "schema_version": 1,
            "outcome": "completed",
            "created_at": "2026-01-01T00:00:00.000000Z",
            "finished_at": "2026-01-01T00:00:00.500000Z",
            "operation": "chat",
            "dialect": "openai_chat",
            "stream": False,
            "source": "/sluice/ingress/host-0",
            "user_path": "/team/ann",
            "client": "master",
            "client_ip": "127.0.0.1",
            "client_request_id": "mine-1",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "request_model": "sim-1",
            "provider": "sim",
            "response_model": "sim-1",
            "status": 200,
            "finish_reason": "stop",
            "usage": {
                "input_tokens": 3,
                "output_tokens": 2,
                "total_tokens": 5,
                "cached_input_tokens": 0,
                "cache_creation_input_tokens": 0,
                "reasoning_tokens": 0,
            },
            "timings": {"total": 0.5, "queued": 0.002, "upstream": 0.45, "first_token": 0.1},
            "attempts": [
                {
                    "provider": "sim",
                    "model": "sim-1",
                    "started_at": "2026-01-01T00:00:00.010000Z",
                    "duration": 0.45,
                    "status": 200,
                }
            ],
            "delivery_attempt": 1,
            "kafka": {"topic": "llm.requests", "partition": 3, "offset": 42},
            "request": {
                "format": "json",
                "content_type": "application/json",
                "bytes": len(QUESTION),
                "body": json.loads(QUESTION),
            },
            "response": {
                "format": "json",
                "content_type": "application/json",
                "bytes": len(ANSWER),
                "body": json.loads(ANSWER),
            },
            "http_headers": {"x-request-id": "req_1"},
        }
    }


async def test_a_failure_is_stored_with_its_error(subject: Subject) -> None:
    """An exchange without an answer has its error and no response; what is unknown is left out."""
    failed = exchange(
        outcome="failed",
        status=504,
        response=None,
        provider=None,
        response_model=None,
        finish_reason=None,
        usage=None,
        attempts=(),
        error=ErrorInfo(
            "upstream_timeout", "provider_error", "The provider did not answer in time."
        ),
    )

    found = (await stored(subject, failed))[request_id(1)]

    assert found["error"]["code"] == "upstream_timeout"
    assert found["attempts"] == []
    assert not {"response", "provider", "usage", "finish_reason"} & found.keys()


async def test_the_first_outcome_stays(subject: Subject) -> None:
    """A later document with the same id changes nothing: the first record is the outcome."""
    sink = subject.sink()
    await sink.open()
    await sink.write([view(exchange(outcome="completed"))])
    await sink.write([view(exchange(outcome="failed")), view(exchange(2))])
    await sink.close()

    found = subject.read()

    assert found[request_id(1)]["outcome"] == "completed"
    assert found.keys() == {request_id(1), request_id(2)}


async def test_a_batch_may_come_again(subject: Subject) -> None:
    """Writing a batch a second time, whole or in part, succeeds and changes nothing."""
    batch = [view(exchange(number)) for number in range(20)]
    sink = subject.sink()
    await sink.open()
    await sink.write(batch[:7])
    await sink.write(batch)
    before = subject.read()
    await sink.write(batch)
    await sink.write([])
    await sink.close()

    assert subject.read() == before
    assert len(before) == 20


async def test_of_equal_ids_in_one_batch_the_first_counts(subject: Subject) -> None:
    """Two records of one request in one batch make one document, that of the first."""
    found = await stored(
        subject,
        exchange(1, outcome="cancelled"),
        exchange(2),
        exchange(1, outcome="completed"),
        exchange(1, outcome="failed"),
    )

    assert found.keys() == {request_id(1), request_id(2)}
    assert found[request_id(1)]["outcome"] == "cancelled"


async def test_a_refused_document_does_not_keep_the_others_out(subject: Subject) -> None:
    """What a store cannot hold is named with a reason, and everything else of the batch is stored.

    A file of JSON lines holds everything.
    """
    sink = subject.sink()
    await sink.open()
    beyond_64_bits = Usage(input_tokens=2**70, output_tokens=1)
    batch = [view(exchange(1)), view(exchange(2, usage=beyond_64_bits)), view(exchange(3))]

    reasons: dict[str, str] = {}
    try:
        await sink.write(batch)
    except Refused as refused:
        reasons = refused.reasons
    await sink.close()

    assert reasons.keys() == (set() if subject.name == "jsonl" else {request_id(2)})
    assert all(reasons.values())
    assert subject.read().keys() == {request_id(1), request_id(2), request_id(3)} - reasons.keys()


async def test_without_bodies_only_their_kind_and_size_is_stored(subject: Subject) -> None:
    """With the bodies switched off neither bodies nor headers reach the store."""
    sink = subject.sink()
    await sink.open()
    await sink.write([view(exchange(), bodies=False)])
    await sink.close()

    found = subject.read()[request_id(1)]

    assert found["request"] == {
        "format": "json",
        "content_type": "application/json",
        "bytes": len(QUESTION),
    }
    assert "body" not in found["response"]
    assert "http_headers" not in found
    assert "Hello" not in json.dumps(found)


async def test_long_bodies_are_cut_and_marked(subject: Subject) -> None:
    """A body over the limit is text: its beginning, with the mark and the original size."""
    body = json.dumps({"model": "sim-1", "messages": ["ä" * 500]}, ensure_ascii=False).encode()
    sink = subject.sink()
    await sink.open()
    await sink.write([view(exchange(request=json_body(body)), body_limit=200)])
    await sink.close()

    found = subject.read()[request_id(1)]["request"]

    assert found["format"] == "text"
    assert found["truncated"] is True
    assert found["bytes"] == len(body)
    assert body.startswith(found["body"].encode())
    assert 198 <= len(found["body"].encode()) <= 200


ODD = {
    "a string with NUL": b'{"a":"x\\u0000y"}',
    "a key with NUL": b'{"a\\u0000b":1}',
    "dollar keys": b'{"$ref":"#/$defs/x","$defs":{"x":{"$set":{"a":1}}}}',
    "dotted keys": b'{"a.b":{"c.d":1},".":1}',
    "an empty key": b'{"":{"":1}}',
    "an id": b'{"_id":"other","a":{"_id":1}}',
    "a key twice": b'{"a":1,"a":2}',
    "the largest integer": b'{"a":9223372036854775807,"b":-9223372036854775808}',
    "an integer beyond 64 bits": b'{"a":9223372036854775808}',
    "a very long integer": b'{"a":' + b"7" * 400 + b"}",
    "a number without end": b'{"a":1e400}',
    "a long fraction": b'{"a":0.1234567890123456789012345678901234567890}',
    "85 levels": b'{"a":' * 85 + b"1" + b"}" * 85,
    "99 levels": b'{"a":' * 99 + b"1" + b"}" * 99,
    "150 levels of lists": b"[" * 150 + b"]" * 150,
    "850 levels": b'{"a":' * 850 + b"1" + b"}" * 850,
    "no object": b"[1,2,3]",
    "a number": b"7",
    "null": b"null",
    "white space": b' { "a" : [ 1 , 2 ] }\n',
    "emoji, escaped": b'{"a":"\\ud83d\\ude00"}',
    "emoji": '{"😀":"😀"}'.encode(),
    "many brackets": json.dumps([[[1], {"a": [2]}]] * 500).encode(),
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
async def test_odd_json_poisons_nothing(subject: Subject, body: bytes) -> None:
    """Any JSON is stored, as a sub-document or else as the text that was sent, beside its neighbours."""
    odd = exchange(2, request=json_body(body), response=json_body(body))

    found = await stored(subject, exchange(1), odd, exchange(3))

    assert found.keys() == {request_id(1), request_id(2), request_id(3)}
    for part in ("request", "response"):
        kept = found[request_id(2)][part]
        assert kept["bytes"] == len(body)
        if kept["format"] == "json":
            assert kept["body"] == json.loads(body)
        else:
            assert kept["format"] == "text"
            assert kept["body"] == body.decode()


@pytest.mark.parametrize(
    ("body", "content_type", "format_", "expected"),
    [
        (b"plain \xc3\xa4\x00 text", "text/plain", "text", "plain ä\x00 text"),
        (b'{"a": oops', "application/json", "text", '{"a": oops'),
        (b'{"a":"\\ud800"}', "application/json", "text", '{"a":"\\ud800"}'),
        (b"\xff\xfe\x00", "application/octet-stream", "base64", "//4A"),
        (b"", "text/plain", "text", ""),
    ],
    ids=["text", "broken JSON", "a lone surrogate", "binary", "empty"],
)
async def test_answers_that_are_no_json(
    subject: Subject, body: bytes, content_type: str, format_: str, expected: str
) -> None:
    """Text is stored as text, bytes as base64, and `format` says which; `bytes` is the size as sent.

    PostgreSQL's text has no NUL: where one is in it, it is base64 there, too.
    """
    answer = any_body(body, content_type)
    if subject.name == "postgresql" and b"\0" in body and format_ == "text":
        format_, expected = "base64", base64.b64encode(body).decode()

    found = (await stored(subject, exchange(response=answer)))[request_id(1)]["response"]

    assert found == {
        "format": format_,
        "content_type": content_type,
        "bytes": len(body),
        "body": expected,
    }


async def test_streams_are_folded(subject: Subject) -> None:
    """A streamed answer is stored as the completion that it amounts to, and marked as streamed."""
    chunk = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1, "model": "sim-1"}
    answer = sse(
        chunk | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]},
        chunk | {"choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]},
        chunk | {"choices": [], "usage": {"prompt_tokens": 1, "total_tokens": 3}},
    )

    found = (await stored(subject, exchange(stream=True, response=answer)))[request_id(1)]

    assert found["response"] == {
        "format": "json",
        "content_type": "text/event-stream; charset=utf-8",
        "bytes": len(answer.content()),
        "streamed": True,
        "body": {
            "id": "chatcmpl-7",
            "object": "chat.completion",
            "created": 1,
            "model": "sim-1",
            "usage": {"prompt_tokens": 1, "total_tokens": 3},
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hello"},
                    "finish_reason": "stop",
                }
            ],
        },
    }


async def test_documents_of_many_megabytes_are_stored(subject: Subject) -> None:
    """Two bodies that no MongoDB document holds together are stored all the same, cut where they must be."""
    body = msgspec.json.encode({"model": "sim-1", "messages": ["x" * (9 * MIB)]})
    large = exchange(1, request=json_body(body), response=json_body(body))
    sink = subject.sink()
    await sink.open()
    await sink.write([view(large, body_limit=64 * MIB), view(exchange(2))])
    await sink.close()

    found = subject.read()

    assert found.keys() == {request_id(1), request_id(2)}
    for part in ("request", "response"):
        kept = found[request_id(1)][part]
        assert kept["bytes"] == len(body)
        if subject.name == "mongodb":
            assert kept["truncated"] is True
            assert body.startswith(kept["body"].encode())
        else:
            assert kept["body"] == json.loads(body)


async def test_closing_and_opening_keeps_all(subject: Subject) -> None:
    """A new process on the same store finds what was there, and inserts no id again."""
    before = await stored(subject, *(exchange(number) for number in range(30)))
    after = await stored(
        subject, *(exchange(number, outcome="expired") for number in range(20, 40))
    )

    assert len(before) == 30
    assert len(after) == 40
    assert {number: after[number] for number in before} == before


async def test_concurrent_writers(subject: Subject) -> None:
    """Writers of overlapping batches leave one document a request; JSON lines have one writer."""
    sinks = [subject.sink() for _ in range(1 if subject.name == "jsonl" else 3)]
    await asyncio.gather(*(sink.open() for sink in sinks))

    async def write(sink: Sink, numbers: range) -> None:
        for begin in range(numbers.start, numbers.stop, 10):
            await sink.write([view(exchange(number)) for number in range(begin, begin + 15)])

    await asyncio.gather(*(write(sink, range(200)) for sink in sinks))
    await asyncio.gather(*(sink.close() for sink in sinks))

    assert len(subject.read()) == 205
