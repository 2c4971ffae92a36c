"""docs/questions.md: every question to the stored exchanges has the same rows in each store."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bson import json_util
from pymongo import MongoClient

from schemas.costs import Cost
from schemas.exchange import ErrorInfo, Timings
from schemas.usage import Usage
from sinks.config import SinkConfig
from sinks.document import Document, document
from tests.postgres import fetch
from tests.sinks.generated import STORES, config_of, erase, fill, generated
from tests.sinks.samples import BEGIN, exchange, request_id

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "questions.md").read_text()
LABELS = {
    "MongoDB": ("mongodb",),
    "PostgreSQL": ("postgresql",),
    "SQLite": ("sqlite",),
    "PostgreSQL and SQLite": ("postgresql", "sqlite"),
}
AGGREGATE = "db.exchanges.aggregate("
MONGODB_OPTIONS: dict[str, Any] = {"tz_aware": True}
DAY = 86_400.0
Row = dict[str, Any]


def questions() -> dict[str, dict[str, str]]:
    """Of each title its text for each store."""
    found: dict[str, dict[str, str]] = {}
    for section in PAGE.split("\n## ")[1:]:
        texts = re.findall(r"^([\w ]+):\n\n```\w+\n(.*?)```", section, re.MULTILINE | re.DOTALL)
        found[section.partition("\n")[0]] = {
            store: text.strip() for label, text in texts for store in LABELS[label]
        }
    return found


QUESTIONS = questions()


def ask_mongodb(config: SinkConfig, text: str) -> list[Row]:
    assert text.startswith(AGGREGATE)
    assert text.endswith(")")
    inner = re.sub(r'ISODate\(("[^"]+")\)', r'{"$date": \1}', text[len(AGGREGATE) : -1])
    with MongoClient[Row](config.mongodb_url, **MONGODB_OPTIONS) as client:
        rows = client[config.mongodb_database]["exchanges"].aggregate(json_util.loads(inner))
        return [row.pop("_id", {}) | row for row in rows]


def ask_postgresql(config: SinkConfig, text: str) -> list[Row]:
    assert config.postgres_url
    return [dict(row) for row in fetch(config.postgres_url, text)]


def ask_sqlite(config: SinkConfig, text: str) -> list[Row]:
    connection = sqlite3.connect(f"file:{config.sqlite_path}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(text)]
    finally:
        connection.close()


ASK: Mapping[str, Callable[[SinkConfig, str], list[Row]]] = {
    "mongodb": ask_mongodb,
    "postgresql": ask_postgresql,
    "sqlite": ask_sqlite,
}


def plain(value: Any) -> Any:
    """A time to the millisecond, which is what MongoDB keeps; whole numbers as such."""
    if isinstance(value, str) and re.fullmatch(r"2\d{3}-\d\d-\d\dT[\d:.]+Z", value):
        value = datetime.fromisoformat(value)
    match value:
        case datetime():
            moment = value.astimezone(UTC)
            return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        case Decimal():
            assert value == int(value)
            return int(value)
        case _:
            return value


def normalised(rows: list[Row], text: str) -> list[Row]:
    """Rows without what has no value. The order of a list counts; that of groups, where each database has
    its own opinion of which letter comes first, does not."""
    found = [
        {name: plain(value) for name, value in row.items() if value is not None} for row in rows
    ]
    if "LIMIT" in text or "$limit" in text:
        return found
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True, default=str))


class Filled:
    """All stores, with the same exchanges."""

    def __init__(self, configs: Mapping[str, SinkConfig], documents: list[Document]) -> None:
        self.configs = configs
        self.documents = documents

    def ask(self, store: str, title: str) -> list[Row]:
        text = QUESTIONS[title][store]
        return normalised(ASK[store](self.configs[store], text), text)


@pytest.fixture(scope="module", params=[400, pytest.param(50_000, marks=pytest.mark.long)])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("questions")
    found = Filled(
        {store: config_of(store, folder, request) for store in STORES},
        generated(request.param, bodies=True),
    )
    for config in found.configs.values():
        asyncio.run(fill(config, found.documents))
    yield found
    for config in found.configs.values():
        erase(config)


def test_there_are_enough() -> None:
    """At least ten questions, each of them for all stores."""
    assert len(QUESTIONS) >= 10
    for title, texts in QUESTIONS.items():
        assert set(texts) == set(STORES), title


@pytest.mark.parametrize("title", QUESTIONS)
def test_each_question_has_the_same_rows_everywhere(filled: Filled, title: str) -> None:
    """Rows are equal to the last digit in all stores, have the same columns, and are not few."""
    rows = {store: filled.ask(store, title) for store in STORES}

    assert rows["postgresql"] == rows["sqlite"]
    assert rows["mongodb"] == rows["sqlite"]
    assert len(rows["sqlite"]) >= 2


def test_sums_are_those_of_what_was_stored(filled: Filled) -> None:
    """Not only equal, but right: requests, tokens, costs, calls and savings, added up by hand."""
    every = filled.documents
    asked = [each for each in every if each.outcome != "rejected"]
    calls = [call for each in every for call in each.attempts]

    def total(title: str, name: str) -> int:
        return int(sum(row[name] for row in filled.ask("sqlite", title)))

    assert total("Usage by day and model", "requests") == len(asked)
    assert total("Usage by user path", "total_tokens") == sum(
        each.usage.total_tokens for each in asked if each.usage
    )
    assert total("Cost by key and month", "cost") == sum(
        each.cost.total for each in asked if each.cost
    )
    assert total("Cost by key and month", "priced") == sum(each.cost is not None for each in asked)
    assert total("Errors by provider and code", "errors") == sum(
        each.outcome in ("failed", "expired") for each in every
    )
    assert total("Calls and failovers by provider", "calls") == len(calls)
    assert total("Calls and failovers by provider", "failed") == sum(
        call.error is not None for call in calls
    )
    assert total("Calls and failovers by provider", "taken_over") == sum(
        len(each.attempts) - 1 for each in every if each.attempts
    )
    assert total("Savings by kind of cache", "saved_cost") == sum(
        each.cache.saved_cost or 0 for each in every if each.cache
    )
    assert total("Load by hour of the day", "requests") == len(every)
    slowest = max(each.timings.total for each in every if each.outcome == "completed")
    assert filled.ask("sqlite", "The slowest requests")[0]["total"] == slowest


def known() -> list[Document]:
    """Twenty answers of provider sim over two days, three failures of another, one before the time asked for."""
    found = [
        exchange(
            n,
            at=BEGIN + (n % 2) * DAY,
            usage=Usage(input_tokens=100 + n, output_tokens=10),
            cost=Cost(total=1000 + n),
            timings=Timings(total=(n + 1) / 10, queued=0.01, first_token=(n + 1) / 100),
            stream=True,
        )
        for n in range(20)
    ]
    for n, code in ((20, "upstream_error"), (21, "stream_truncated"), (22, "upstream_error")):
        error = ErrorInfo(code, "provider_error", "The provider failed to answer.")
        failure: dict[str, Any] = {"outcome": "failed", "provider": "far", "request_model": "far-1"}
        found.append(exchange(n, at=BEGIN + n, error=error, usage=None, response=None, **failure))
    found.append(exchange(23, at=BEGIN - DAY, cost=Cost(total=10**9)))
    return [document(each, bodies=True, body_limit=1 << 20) for each in found]


async def test_rows_are_those_that_a_reader_expects(tmp_path: Path) -> None:
    """Of few exchanges each row is known: sums by day, of twenty answers the tenth as median and the
    nineteenth as 95th percentile, the most frequent error first, the ten most expensive with what was asked."""
    config = SinkConfig(
        storage_type="sqlite", sqlite_path=str(tmp_path / "sluice.db"), retention_days=0
    )
    await fill(config, known())

    def rows(title: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in ask_sqlite(config, QUESTIONS[title]["sqlite"])]

    assert rows("Usage by day and model") == [
        ("2026-01-01", "far-1", 3, 0, 0),
        ("2026-01-01", "sim-1", 10, sum(100 + n for n in range(0, 20, 2)), 100),
        ("2026-01-02", "sim-1", 10, sum(100 + n for n in range(1, 20, 2)), 100),
    ]
    assert rows("Cost by key and month") == [("2026-01", "master", 23, 20, 20_190)]
    assert rows("Latency by provider") == [("sim", 20, 1.0, 1.9)]
    assert rows("Time to first token") == [("sim", "sim-1", 20, 0.1, 0.19)]
    assert rows("Errors by provider and code") == [
        ("far", "upstream_error", 2, "2026-01-01T00:00:22.000000Z"),
        ("far", "stream_truncated", 1, "2026-01-01T00:00:21.000000Z"),
    ]
    expensive = rows("The most expensive requests")
    assert [row[0] for row in expensive] == [request_id(n) for n in range(19, 9, -1)]
    assert expensive[0][1:] == ("/team/ann", "sim-1", 1019, 129, 2.0, "Hello")
