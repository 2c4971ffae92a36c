"""docs/exchanges.md: its field table is complete, its queries run and find what they say."""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from bson import json_util
from pymongo import MongoClient

from schemas.clock import SystemClock
from schemas.exchange import ErrorInfo, Exchange, Timings
from schemas.usage import Usage
from sinks.columns import COLUMNS
from sinks.config import SinkConfig
from sinks.document import Document, document
from sinks.mongodb import MongoDBSink
from sinks.sqlite import SQLiteSink
from tests.sinks.samples import BEGIN, exchange, request_id

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "exchanges.md").read_text()
DAY = 86_400.0


def paths(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Dotted names of all fields, nested ones too."""
    hints = get_type_hints(struct)
    for name, stored in zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True):
        yield prefix + stored
        for nested in _structs(hints[name]):
            yield from paths(nested, f"{prefix}{stored}.")


def _structs(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    if get_origin(annotation) in (Union, UnionType, tuple):
        for each in get_args(annotation):
            yield from _structs(each)
    elif isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation


def test_every_field_is_described() -> None:
    """The table has a row for each field of the stored document, and for nothing else."""
    rows = re.findall(r"^\| ((?:`[\w.]+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    described = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]

    assert sorted(described) == sorted(paths(Document))


def test_every_column_is_named() -> None:
    """The page lists all columns of the SQLite table."""
    section = PAGE.partition("## SQLite")[2].partition("**")[0]

    assert set(re.findall(r"`(\w+)`", section)) == set(COLUMNS)


def fenced(language: str, title: str) -> str:
    """The code under a bold title."""
    found = re.search(rf"\*\*{title}\*\*[^\n]*\n\n```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found, f"no {title!r} in the page"
    return found.group(1)


def pipeline(title: str) -> Any:
    text = fenced("js", title).strip()
    assert text.startswith("db.exchanges.aggregate(")
    assert text.endswith(")")
    inner = text[len("db.exchanges.aggregate(") : -1]
    return json_util.loads(re.sub(r'ISODate\(("[^"]+")\)', r'{"$date": \1}', inner))


def known() -> list[Exchange]:
    """Twenty answers of provider sim over two days, three failures of another, one before the time asked for."""
    found = [
        exchange(
            n,
            at=BEGIN + (n % 2) * DAY,
            user_path="/team/ann" if n < 15 else "/team/bob",
            usage=Usage(input_tokens=100 + n, output_tokens=10),
            timings=Timings(
                total=(n + 1) / 10, queued=0.01, upstream=0.05, first_token=(n + 1) / 100
            ),
        )
        for n in range(20)
    ]
    failure: dict[str, Any] = {
        "outcome": "failed",
        "status": 502,
        "provider": "far",
        "request_model": "far-1",
        "response": None,
        "usage": None,
        "user_path": "/team/bob",
    }
    for number, code in ((20, "upstream_error"), (21, "stream_truncated"), (22, "upstream_error")):
        error = ErrorInfo(code, "provider_error", "The provider failed to answer.")
        found.append(exchange(number, at=BEGIN + number, error=error, **failure))
    found.append(exchange(23, at=BEGIN - DAY, usage=None))
    return found


def documents() -> list[Document]:
    return [document(each, bodies=True, body_limit=1 << 20) for each in known()]


@pytest.fixture
async def exchanges(mongodb_url: str) -> Any:
    name = f"t{secrets.token_hex(6)}"
    config = SinkConfig(storage_type="mongodb", mongodb_url=mongodb_url, mongodb_database=name)
    sink = MongoDBSink(config, SystemClock())
    await sink.open()
    await sink.write(documents())
    await sink.close()
    with MongoClient[dict[str, Any]](mongodb_url, tz_aware=True) as client:
        yield client[name]["exchanges"]
        client.drop_database(name)


async def test_usage_by_day_and_model(exchanges: Any) -> None:
    """Sums of each day and model since the date in the query."""
    found = list(exchanges.aggregate(pipeline("Usage by day and model")))

    assert found == [
        {
            "_id": {"day": "2026-01-01", "model": "far-1"},
            "requests": 3,
            "input_tokens": 0,
            "output_tokens": 0,
        },
        {
            "_id": {"day": "2026-01-01", "model": "sim-1"},
            "requests": 10,
            "input_tokens": sum(100 + n for n in range(0, 20, 2)),
            "output_tokens": 100,
        },
        {
            "_id": {"day": "2026-01-02", "model": "sim-1"},
            "requests": 10,
            "input_tokens": sum(100 + n for n in range(1, 20, 2)),
            "output_tokens": 100,
        },
    ]


async def test_usage_by_user_path(exchanges: Any) -> None:
    """Who used how much, who failed how often."""
    found = list(exchanges.aggregate(pipeline("Usage by user path")))

    assert found == [
        {
            "_id": "/team/ann",
            "requests": 15,
            "total_tokens": sum(110 + n for n in range(15)),
            "not_completed": 0,
            "last": datetime(2026, 1, 2, tzinfo=UTC),
        },
        {
            "_id": "/team/bob",
            "requests": 8,
            "total_tokens": sum(110 + n for n in range(15, 20)),
            "not_completed": 3,
            "last": datetime(2026, 1, 2, tzinfo=UTC),
        },
    ]


async def test_latency_by_provider(exchanges: Any) -> None:
    """Of twenty answers the eleventh is the median and the twentieth the 95th percentile."""
    (found,) = exchanges.aggregate(pipeline("Latency by provider"))

    assert found == {
        "total": [{"_id": "sim", "p50": 1.1, "p95": 2.0, "requests": 20}],
        "first_token": [{"_id": "sim", "p50": 0.11, "p95": 0.2, "requests": 20}],
    }


async def test_errors_by_provider_and_code(exchanges: Any) -> None:
    """Failures counted by who failed and how."""
    found = list(exchanges.aggregate(pipeline("Errors by provider and code")))

    assert found == [
        {
            "_id": {"provider": "far", "code": "upstream_error"},
            "count": 2,
            "last": datetime(2026, 1, 1, 0, 0, 22, tzinfo=UTC),
        },
        {
            "_id": {"provider": "far", "code": "stream_truncated"},
            "count": 1,
            "last": datetime(2026, 1, 1, 0, 0, 21, tzinfo=UTC),
        },
    ]


async def test_the_most_expensive_requests(exchanges: Any) -> None:
    """The ten with the most tokens, and what was asked in them."""
    found = list(exchanges.aggregate(pipeline("The most expensive requests")))

    assert [each["_id"] for each in found] == [request_id(n) for n in range(19, 9, -1)]
    assert found[0] == {
        "_id": request_id(19),
        "user_path": "/team/bob",
        "model": "sim-1",
        "tokens": 129,
        "seconds": 2.0,
        "asked": "Hello",
    }


async def test_the_sqlite_queries(tmp_path: Path) -> None:
    """Both queries run on the file as it stands, and find the same as MongoDB's."""
    path = tmp_path / "sluice.db"
    sink = SQLiteSink(SinkConfig(sqlite_path=str(path), retention_days=0), SystemClock())
    await sink.write(documents())
    await sink.close()
    connection = sqlite3.connect(path)
    usage = connection.execute(fenced("sql", "Usage by day and model")).fetchall()
    slowest = connection.execute(fenced("sql", "The slowest requests of the last days")).fetchall()
    connection.close()

    assert usage == [
        ("2026-01-01", "far-1", 3, None, None),
        ("2026-01-01", "sim-1", 10, sum(100 + n for n in range(0, 20, 2)), 100),
        ("2026-01-02", "sim-1", 10, sum(100 + n for n in range(1, 20, 2)), 100),
    ]
    assert [row[0] for row in slowest] == [request_id(n) for n in range(19, 9, -1)]
    assert slowest[0][1:] == ("/team/bob", 2.0, 0.2, "Hello", "Hello yourself")
