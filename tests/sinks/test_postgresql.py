"""PostgreSQL: its tables, what is too old, and a server that is away."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from schemas.exchange import any_body
from sinks.base import Backpressure
from sinks.config import SinkConfig
from sinks.document import document
from sinks.postgresql import EXPIRE_SLICE, PostgreSQLSink
from sinks.postgresql_reading import documents as read
from sinks.postgresql_schema import MIGRATIONS
from tests.postgres import fetch
from tests.sinks.samples import BEGIN, HandClock, documents, exchange, json_body, request_id

DAY = 86_400.0


def sink_at(url: str, clock: HandClock | None = None, **settings: int) -> PostgreSQLSink:
    config = SinkConfig(storage_type="postgresql", postgres_url=url, **settings)
    return PostgreSQLSink(config, clock or HandClock())


async def test_columns_have_types_and_the_document_is_jsonb(postgres_schema: str) -> None:
    """Times are timestamps, counts numbers, and JSON operators work inside of bodies."""
    sink = sink_at(postgres_schema)
    await sink.write(documents(1))
    await sink.close()

    ((created, stream, tokens, asked),) = fetch(
        postgres_schema,
        "SELECT created_at, stream, input_tokens, document #>> '{request,body,messages,-1,content}'"
        " FROM exchanges",
    )

    assert created == datetime(2026, 1, 1, tzinfo=UTC)
    assert (stream, tokens, asked) == (False, 3, "Hello")


async def test_what_is_too_old_is_deleted_in_slices(postgres_schema: str) -> None:
    """Rows older than the retention go, a slice at a time; sums have a retention of their own."""
    clock = HandClock()
    sink = sink_at(postgres_schema, clock, retention_days=30, usage_retention_days=90)
    old = EXPIRE_SLICE + 10
    await sink.write(documents(*range(old)))
    await sink.write(documents(*range(old, old + 20), at=BEGIN + 40 * DAY))

    def left() -> tuple[int, int]:
        (rows,) = fetch(postgres_schema, "SELECT count(*)::int FROM exchanges")
        (sums,) = fetch(
            postgres_schema, "SELECT sum(requests)::int FROM rollups WHERE period = 'day'"
        )
        return rows[0], sums[0]

    assert await sink.expire() is False
    clock.now = BEGIN + 30 * DAY + 1
    assert [await sink.expire() for _ in range(2)] == [True, False]
    assert left() == (20, old + 20)
    clock.now = BEGIN + 90 * DAY + 1
    assert await sink.expire() is False
    assert left() == (0, 20)
    await sink.close()


async def test_tables_of_a_newer_program_are_left_alone(postgres_schema: str) -> None:
    """An older program does not write tables whose schema it does not know; it waits and says why."""
    sink = sink_at(postgres_schema)
    await sink.open()
    await sink.close()
    versions = fetch(postgres_schema, "SELECT version FROM sluice_schema ORDER BY version")
    assert versions == [(number,) for number in range(1, len(MIGRATIONS) + 1)]
    fetch(postgres_schema, "UPDATE sluice_schema SET version = 99")
    sink = sink_at(postgres_schema)
    with pytest.raises(Backpressure, match=r"schema version 99.*newer Sluice"):
        await sink.open()
    fetch(postgres_schema, "UPDATE sluice_schema SET version = $1::int", len(MIGRATIONS))
    await sink.write(documents(1))
    await sink.close()


@pytest.mark.parametrize("address", ["nobody", "no port", "nonsense"])
async def test_no_server_is_backpressure(free_port: Callable[[], int], address: str) -> None:
    """Nobody at the address, or an address that is none: come again, with the reason."""
    urls = {
        "nobody": f"postgresql://127.0.0.1:{free_port()}/x",
        "no port": "postgresql://127.0.0.1:99999/x",
        "nonsense": "nonsense",
    }
    sink = sink_at(urls[address])
    with pytest.raises(Backpressure) as away:
        await sink.open()
    assert away.value.reason
    with pytest.raises(Backpressure):
        await sink.write(documents(1))
    await sink.close()


async def test_a_connection_that_was_ended_is_made_again(postgres_schema: str) -> None:
    """An administrator who ends the sink's connection delays one batch."""
    sink = sink_at(postgres_schema)
    await sink.write(documents(1))
    assert sink._connection is not None
    fetch(
        postgres_schema,
        "SELECT pg_terminate_backend($1)",
        sink._connection.get_server_pid(),
    )
    with pytest.raises(Backpressure):
        await sink.write(documents(2))
    await sink.write(documents(2))
    await sink.close()
    assert len(fetch(postgres_schema, "SELECT 1 FROM exchanges")) == 2


async def test_nul_is_in_no_text(postgres_schema: str) -> None:
    """A NUL in a body is kept by another form of the body, elsewhere it is replaced; a backslash before
    "u0000" is none."""
    odd = exchange(
        1,
        request_model="a\0b",
        user_path="/\0",
        request=json_body(b'{"a":"x\\u0000y"}'),
        response=any_body(b"plain \x00 text", "text/plain"),
    )
    innocent = exchange(2, request=json_body(b'{"a":"x\\\\u0000y"}'))
    sink = sink_at(postgres_schema)
    await sink.write([document(each, bodies=True, body_limit=1 << 20) for each in (odd, innocent)])
    await sink.close()

    first, second = [
        json.loads(row[0])
        for row in fetch(
            postgres_schema, "SELECT document::text FROM exchanges ORDER BY request_id"
        )
    ]

    assert (first["request_model"], first["user_path"]) == ("a�b", "/�")
    assert (first["request"]["format"], first["request"]["body"]) == ("text", '{"a":"x\\u0000y"}')
    assert (first["response"]["format"], first["response"]["body"]) == (
        "base64",
        "cGxhaW4gACB0ZXh0",
    )
    assert second["request"]["body"] == {"a": "x\\u0000y"}


async def test_names_that_are_longer_than_an_index_takes(postgres_schema: str) -> None:
    """What a caller names may be long: the column has its beginning, the document all of it."""
    long = "m" * 10_000
    found = replace(documents(1)[0], request_model=long, user_path=f"/{long}")
    sink = sink_at(postgres_schema)
    await sink.write([found])
    await sink.close()

    ((model, whole),) = fetch(
        postgres_schema, "SELECT request_model, document ->> 'request_model' FROM exchanges"
    )

    assert (model, whole) == (long[:600], long)


async def test_documents_of_some_time_are_read_in_order(postgres_schema: str) -> None:
    """The oldest first, from the first moment on, up to the last one and without it."""
    sink = sink_at(postgres_schema)
    for number, day in ((3, 2), (1, 0), (2, 1)):
        await sink.write(documents(number, at=BEGIN + day * DAY))
    await sink.close()

    found = [
        json.loads(each)["_id"]
        async for each in read(postgres_schema, "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z")
    ]

    assert found == [request_id(1), request_id(2)]
