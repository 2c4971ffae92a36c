"""Several stores at once."""

import asyncio
import sqlite3
from pathlib import Path

from msgspec.structs import replace

from schemas.clock import SystemClock
from schemas.metrics import Metrics
from schemas.tasks import Tasks
from sinks.config import SinkConfig
from sinks.several import Several
from tests.sinks.cluster import Cluster, eventually
from tests.sinks.samples import exchange, request_id
from tests.sinks.test_runner import rows


def stored(path: Path) -> dict[str, str]:
    """Outcomes by request id, none before the sink has made the table."""
    try:
        return rows(path)
    except sqlite3.OperationalError:
        return {}


async def test_a_store_that_is_away_does_not_hold_the_others(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Each has a group of its own: what one cannot take yet stands in the other, and comes when it is
    back, from where that one was."""
    lines = tmp_path / "lines"
    (lines / "in the way").mkdir(parents=True)  # a folder where the file is to be
    sqlite = SinkConfig(
        retention_days=0,
        storage_type="sqlite",
        sqlite_path=str(tmp_path / "all.db"),
        jsonl_path=str(lines),
    )
    stop, ready = asyncio.Event(), asyncio.Event()
    stores = [sqlite, replace(sqlite, storage_type="jsonl")]
    several = Several(stores, cluster.kafka, SystemClock(), Metrics())
    await cluster.produce(*(exchange(number) for number in range(20)))
    tasks = Tasks()
    running = tasks.start(several.run(stop, ready.set), name="several")
    try:
        await asyncio.wait_for(ready.wait(), 30)
        await eventually(lambda: len(stored(tmp_path / "all.db")) == 20, "all")
        assert lines.is_dir()
        (lines / "in the way").rmdir()
        lines.rmdir()
        await eventually(
            lambda: lines.is_file() and lines.read_bytes().count(b"\n") == 20, "20 lines"
        )
    finally:
        stop.set()
        await running
    assert set(rows(tmp_path / "all.db")) == {request_id(number) for number in range(20)}
