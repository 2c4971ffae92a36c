"""The SQLite file: retention, its schema, and everything that may be wrong with a file."""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.clock import rfc3339
from schemas.exchange import ErrorInfo
from sinks import sqlite as sqlite_module
from sinks.base import Backpressure, Expiring
from sinks.columns import COLUMNS
from sinks.config import SinkConfig
from sinks.document import document
from sinks.sqlite import EXPIRE_SLICE, SQLiteSink
from sinks.sqlite_schema import MIGRATIONS
from tests.sinks.samples import BEGIN, HandClock, documents, exchange, json_body, request_id

DAY = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sluice.db"


def sink_at(path: Path, clock: HandClock | None = None, retention_days: int = 30) -> SQLiteSink:
    config = SinkConfig(sqlite_path=str(path), retention_days=retention_days)
    return SQLiteSink(config, clock or HandClock())


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


async def test_columns_say_what_the_document_says(path: Path) -> None:
    """Each column of a row holds its document's value, a failure without an answer too."""
    sink = sink_at(path)
    failed = exchange(
        2, outcome="failed", usage=None, error=ErrorInfo("upstream_error", "provider_error", "no")
    )
    await sink.write(
        documents(1) + [document(failed, bodies=True, body_limit=1 << 20)]  # noqa: RUF005  # two kinds
    )
    await sink.close()
    with reading(path) as connection:
        found = {row["request_id"]: row for row in connection.execute("SELECT * FROM exchanges")}

    assert set(found[request_id(1)].keys()) == set(COLUMNS)
    for row in found.values():
        whole = json.loads(row["document"])
        flat = {
            "request_id": whole["_id"],
            "error_code": whole.get("error", {}).get("code"),
            "total_seconds": whole["timings"]["total"],
            "queued_seconds": whole["timings"]["queued"],
            "upstream_seconds": whole["timings"]["upstream"],
            "first_token_seconds": whole["timings"]["first_token"],
            "model": whole["attempts"][-1]["model"],
            "cache": "",
            "cost": whole.get("cost", {}).get("total"),
            "left_out": ",".join(whole.get("without", ())),
        }
        flat |= {name: whole.get("usage", {}).get(name) for name in COLUMNS if "_tokens" in name}
        for name in COLUMNS[:-1]:
            assert row[name] == (flat[name] if name in flat else whole.get(name)), name


async def test_what_is_too_old_is_deleted_in_slices(path: Path) -> None:
    """Rows older than the retention go, a slice at a time, while younger ones stay."""
    clock = HandClock()
    sink = sink_at(path, clock)
    old, young = 2 * EXPIRE_SLICE + 10, 20
    await sink.write(documents(*range(old)))
    await sink.write(documents(*range(old, old + young), at=BEGIN + 10 * DAY))
    assert isinstance(sink, Expiring)

    assert await sink.expire() is False
    clock.now = BEGIN + 30 * DAY + 1
    assert [await sink.expire() for _ in range(3)] == [True, True, False]
    with reading(path) as connection:
        (left,) = connection.execute("SELECT count(*) FROM exchanges").fetchone()
        (oldest,) = connection.execute("SELECT min(created_at) FROM exchanges").fetchone()
    assert left == young
    assert oldest == rfc3339(BEGIN + 10 * DAY)
    clock.now = BEGIN + 41 * DAY
    assert await sink.expire() is False
    await sink.close()
    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM exchanges").fetchone()[0] == 0


async def test_without_retention_nothing_is_deleted(path: Path) -> None:
    """A retention of 0 days keeps for ever."""
    clock = HandClock()
    sink = sink_at(path, clock, retention_days=0)
    await sink.write(documents(1))
    clock.now += 10_000 * DAY
    assert await sink.expire() is False
    await sink.close()
    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM exchanges").fetchone()[0] == 1


async def test_the_queries_by_time_and_user_use_indexes(path: Path) -> None:
    """What analysts filter by is indexed."""
    sink = sink_at(path)
    await sink.open()
    await sink.close()
    with reading(path) as connection:
        for condition in (
            "created_at > '2026'",
            "user_path = '/a' AND created_at > '2026'",
            "request_model = 'm' AND created_at > '2026'",
            "provider = 'p'",
            "outcome = 'failed' AND outcome <> 'completed'",
            "client_request_id = 'x'",
        ):
            plan = connection.execute(
                f"EXPLAIN QUERY PLAN SELECT * FROM exchanges WHERE {condition}"
            )
            assert "USING INDEX exchanges_" in plan.fetchone()["detail"]


async def test_a_file_is_durable_before_a_write_returns(path: Path) -> None:
    """WAL with a sync at each commit: what is committed to Kafka afterwards is on the disk."""
    sink = sink_at(path)
    await sink.open()
    connection = sink._connected()
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    await sink.close()


async def test_a_file_of_a_newer_program_is_left_alone(path: Path) -> None:
    """An older program does not write a file whose schema it does not know; it waits and says why."""
    sink = sink_at(path)
    await sink.open()
    await sink.close()
    with reading(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        connection.execute("PRAGMA user_version = 99")
    sink = sink_at(path)
    with pytest.raises(Backpressure, match=r"schema version 99.*newer Sluice"):
        await sink.open()
    with reading(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    await sink.write(documents(1))
    await sink.close()


async def test_a_locked_file_is_backpressure(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process holds the write lock a write asks to come again, and then succeeds."""
    monkeypatch.setattr(sqlite_module, "BUSY_TIMEOUT", 0.05)
    sink = sink_at(path)
    await sink.open()
    with reading(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Backpressure, match="locked"):
            await sink.write(documents(1))
        with pytest.raises(Backpressure, match="locked"):
            await sink_at(path).write(documents(1))
        other.execute("ROLLBACK")
        await sink.write(documents(1))
        assert other.execute("SELECT count(*) FROM exchanges").fetchone()[0] == 1
    await sink.close()


async def test_a_fresh_file_is_opened_by_many_at_once(path: Path) -> None:
    """Opening waits for the others as a write does: nobody is refused the switch to WAL or the schema."""
    for number in range(50):
        sinks = [sink_at(path.with_name(f"{number}.db")) for _ in range(4)]
        await asyncio.gather(*(sink.open() for sink in sinks))
        await asyncio.gather(*(sink.close() for sink in sinks))
        with reading(path.with_name(f"{number}.db")) as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
            assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


async def test_a_fresh_file_that_stays_locked_is_backpressure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening a file that somebody else holds for longer asks to come again, and then succeeds."""
    monkeypatch.setattr(sqlite_module, "BUSY_TIMEOUT", 0.05)
    sink = sink_at(path)
    with reading(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Backpressure, match="locked"):
            await sink.open()
        other.execute("ROLLBACK")
        await sink.open()
    await sink.close()


async def test_a_full_disk_is_backpressure(path: Path) -> None:
    """When the disk is full nothing of the batch stays; with room again the same batch is stored."""
    sink = sink_at(path)
    await sink.write(documents(0))
    body = json_body(b'{"a":"' + b"x" * 900_000 + b'"}')
    found = [exchange(number, request=body) for number in range(1, 20)]
    batch = [document(each, bodies=True, body_limit=1 << 20) for each in found]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, limits[1]))
    try:
        for _ in range(3):
            with pytest.raises(Backpressure):
                await sink.write(batch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM exchanges").fetchone()[0] == 1
    await sink.write(batch)
    await sink.close()
    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM exchanges").fetchone()[0] == 20
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


async def test_a_file_that_cannot_be_opened_is_backpressure(tmp_path: Path) -> None:
    """No database, no folder, no right: the sink says why and tries again, without a restart."""
    path = tmp_path / "sluice.db"
    path.write_bytes(b"this is no database, " * 100)
    sink = sink_at(path)
    with pytest.raises(Backpressure, match="not a database"):
        await sink.open()
    path.unlink()
    path.mkdir()
    with pytest.raises(Backpressure, match="unable to open"):
        await sink.write(documents(1))
    path.rmdir()
    await sink.write(documents(1))
    await sink.close()
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(Backpressure):
        await sink_at(blocked / "sluice.db").open()
