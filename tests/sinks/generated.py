"""Exchanges of every kind, the same each time, and stores of a test's own that are filled with them."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from schemas.clock import rfc3339
from schemas.costs import Cost
from schemas.exchange import Attempt, Cached, ErrorInfo, Timings
from schemas.usage import Usage
from sinks.config import SinkConfig
from sinks.document import Document, document
from sinks.stores import SINKS
from tests.postgres import fetch
from tests.sinks.samples import BEGIN, HandClock, exchange

HOUR = 3600.0
STORES = ("mongodb", "postgresql", "sqlite")
MODELS = (("sim", "sim-1"), ("sim", "sim-2"), ("far", "far-1"), ("far", "org/far-2"))
PATHS = ("/", "/a", "/a/b", "/a/b/c", "/ab", "/a0", "/ä", "/team/ann")
REASONS = ("stop", "stop", "length", "tool_calls")
CODES = ("upstream_error", "upstream_error", "upstream_timeout")
RESULTS = ("miss", "exact", "semantic", "coalesced", "bypass")


def generated(count: int, *, bodies: bool = False) -> list[Document]:
    """Exchanges of forty days, the same each time, every kind of outcome and of cache among them."""
    chance = random.Random(7)  # no secret
    found = []
    for number in range(count):
        provider, name = chance.choice(MODELS)
        path = chance.choice(PATHS)
        usage = Usage(
            input_tokens=chance.randrange(5000),
            output_tokens=chance.randrange(2000),
            cached_input_tokens=chance.randrange(100),
            reasoning_tokens=chance.randrange(50),
        )
        result = chance.choice(RESULTS) if path != "/" and name == "sim-1" else None
        hit = result in ("exact", "semantic", "coalesced")
        outcome = chance.choices(("completed", "failed", "cancelled", "expired"), (90, 6, 3, 1))[0]
        lost = outcome in ("failed", "expired") and not hit
        # As they come: one hour after the other, eight of them over forty days.
        hour = number * 8 // count
        at = BEGIN + hour * 119 * HOUR + chance.randrange(int(HOUR)) + chance.randrange(1000) / 1000
        total = chance.expovariate(0.5)
        reason, code = REASONS[number % len(REASONS)], CODES[number % len(CODES)]
        refused = Attempt("away", "other-1", rfc3339(at), 0.1, error="upstream_timeout")
        answering = Attempt(provider, name, rfc3339(at), total, status=200)
        cost = Cost(total=chance.randrange(10**9), input=chance.randrange(10**8))
        fields: dict[str, Any] = {
            "outcome": "rejected" if number % 23 == 0 else outcome,
            "without": (("audit",), ("usage", "budget"))[number % 2] if number % 17 == 0 else (),
            "status": chance.choice((429, 502)) if lost else 200,
            "user_path": path,
            "client": {"/": "master", "/ab": None}.get(path, "key-1"),
            "stream": chance.random() < 0.3,
            "provider": provider,
            "request_model": f"{provider}/{name}",
            "response_model": name,
            "attempts": () if hit else ((refused,) if number % 5 == 0 else ()) + (answering,),
            "finish_reason": None if lost else reason,
            "usage": None if hit or lost else usage,
            "cost": None if lost or name == "sim-2" else (Cost(total=0) if hit else cost),
            "cache": Cached(result, saved=usage, saved_cost=cost.total)
            if hit
            else result and Cached(result),
            "error": ErrorInfo(code, "provider_error", "It failed.") if lost else None,
            "timings": Timings(
                total=total, queued=total / 1000, first_token=None if lost else total / 3
            ),
        }
        found.append(document(exchange(number, at=at, **fields), bodies=bodies, body_limit=1 << 20))
    return found


def config_of(store: str, folder: Path, request: pytest.FixtureRequest) -> SinkConfig:
    mongodb = request.getfixturevalue("mongodb_url") if store == "mongodb" else None
    postgres = request.getfixturevalue("postgres_url") if store == "postgresql" else None
    name = f"t{secrets.token_hex(6)}"
    if postgres:
        fetch(postgres, f"CREATE SCHEMA {name}")
        postgres = f"{postgres}?search_path={name}"
    return SinkConfig(
        storage_type=store,  # type: ignore[arg-type]  # one of STORES
        sqlite_path=str(folder / "sluice.db"),
        mongodb_url=mongodb,
        mongodb_database=name,
        postgres_url=postgres,
        retention_days=0,
    )


def erase(config: SinkConfig) -> None:
    if config.mongodb_url:
        with MongoClient[dict[str, object]](config.mongodb_url) as client:
            client.drop_database(config.mongodb_database)
    if config.postgres_url:
        url, _, name = config.postgres_url.partition("?search_path=")
        fetch(url, f"DROP SCHEMA {name} CASCADE")


async def fill(config: SinkConfig, documents: Sequence[Document]) -> None:
    """Write them as a sink does, a thousand at a time."""
    sink = SINKS[config.storage_type](config, HandClock())
    await sink.open()
    for begin in range(0, len(documents), 1000):
        await sink.write(documents[begin : begin + 1000])
    await sink.close()
