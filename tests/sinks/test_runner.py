"""From the log to the store: batches, commits, dead letters, outages, crashes."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from schemas import control, headers as h
from schemas.clock import SystemClock
from schemas.control import Heartbeat
from schemas.exchange import REDELIVERED_TYPE, any_body
from sinks.config import SinkConfig
from sinks.mongodb import MongoDBSink
from sinks.postgresql import PostgreSQLSink
from sinks.runner import run
from sinks.sqlite import SQLiteSink
from sluice.broker import Broker, BrokerConfig
from tests import services
from tests.postgres import fetch
from tests.sinks.cluster import DEADLINE, Cluster, MemorySink, eventually, running
from tests.sinks.samples import exchange, json_body, record, request_id

ROOT = Path(__file__).resolve().parents[2]


def rows(path: Path) -> dict[str, str]:
    """Outcomes by request id; the table's key keeps them single."""
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT request_id, outcome FROM exchanges"))
    finally:
        connection.close()


async def heartbeats(cluster: Cluster) -> list[Heartbeat]:
    records = await cluster.records(cluster.topics.control)
    found = (control.decode(each.value) for each in records)
    return [each for each in found if isinstance(each, Heartbeat)]


async def test_every_exchange_is_stored_and_committed(cluster: Cluster) -> None:
    """All exchanges reach the store in batches; after the stop the group has committed all."""
    await cluster.produce(*(exchange(number) for number in range(1000)))
    sink = MemorySink()
    async with running(cluster, sink) as runner:
        await eventually(lambda: len(sink.documents) == 1000, "1000 documents")
        await cluster.produce(exchange(1000))
        await eventually(lambda: request_id(1000) in sink.documents, "a later one")
        await runner.end()

    assert await cluster.committed() == (1001, 1001)
    assert max(sink.batches) == 100
    assert len(sink.batches) < 200
    assert sink.closed
    assert runner.ready_calls == 1


async def test_the_offsets_follow_the_store(cluster: Cluster) -> None:
    """Nothing is committed while a write has not ended; a stop waits for it and commits it."""
    await cluster.produce(*(exchange(number) for number in range(10)), partition=1)
    sink = MemorySink()
    sink.gate.clear()
    async with running(cluster, sink) as runner:
        await eventually(sink.writing.is_set, "a write has begun")
        assert (await cluster.committed())[0] == 0
        runner.stop.set()
        sink.gate.set()
        await runner.end()

    assert len(sink.documents) == sum(sink.batches)
    assert (await cluster.committed())[0] == len(sink.documents) > 0


async def test_the_first_record_of_a_request_is_its_outcome(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Of several outcomes of one request the first in the partition is stored, in one batch or two."""
    path = tmp_path / "sluice.db"
    first, second = exchange(1, outcome="completed"), exchange(1, outcome="failed")
    await cluster.produce(first, second, exchange(2, outcome="expired"), partition=0)
    config = SinkConfig(sqlite_path=str(path), retention_days=0)
    async with running(cluster, SQLiteSink(config, SystemClock())):
        await eventually(lambda: path.exists() and _count(path) == 2, "two rows")
        await cluster.produce(exchange(2, outcome="completed"), exchange(3), partition=0)
        await eventually(lambda: _count(path) == 3, "three rows")

    assert rows(path) == {
        request_id(1): "completed",
        request_id(2): "expired",
        request_id(3): "completed",
    }


def _count(path: Path) -> int:
    try:
        return len(rows(path))
    except sqlite3.OperationalError:  # the table is not there yet
        return 0


async def test_counted_redeliveries_are_passed_over(cluster: Cluster) -> None:
    """A record that only counts a redelivery is neither stored nor dead, and is committed."""
    counts = [(b"key", b"not even JSON", [(h.CE_TYPE, REDELIVERED_TYPE)])] * 5
    await cluster.produce_records(counts, partition=0)
    await cluster.produce(exchange(1), partition=0)
    sink = MemorySink()
    async with running(cluster, sink) as runner:
        await eventually(lambda: len(sink.documents) == 1, "the exchange")
        await runner.end()

    assert await cluster.records(cluster.topics.dead_letters) == []
    assert await cluster.committed() == (6, 6)


POISON: dict[str, bytes | None] = {
    "no JSON": b"\xde\xad\xbe\xef",
    "no exchange": b'{"request_id":7}',
    "no value": None,
    "bad UTF-8 inside a body": record(exchange(9, request=json_body(b'{"a":"\xff"}')))[1],
    "a bad time": record(exchange(9, created_at="yesterday"))[1],
    "a newer schema": record(exchange(9, schema_version=99))[1],
    "nested beyond measure": record(exchange(9, request=json_body(b"[" * 5000 + b"]" * 5000)))[1],
}


async def test_poison_goes_to_the_dead_letters(cluster: Cluster) -> None:
    """Records that are no exchange are kept, byte for byte, with where they stood and why."""
    await cluster.produce(exchange(1), partition=2)
    own = (h.CE_TYPE, b"llm.exchange.completed")
    await cluster.produce_records(((b"key", value, [own]) for value in POISON.values()), 2)
    await cluster.produce(exchange(2), partition=2)
    sink = MemorySink()
    async with running(cluster, sink) as runner:
        await eventually(lambda: len(sink.documents) == 2, "the neighbours")
        await runner.end()
    dead = await cluster.records(cluster.topics.dead_letters)

    assert [each.value for each in dead] == list(POISON.values())
    assert await cluster.committed() == (len(POISON) + 2, len(POISON) + 2)
    for offset, letter in enumerate(dead, 1):
        found = h.first(letter.headers)
        assert letter.key == b"key"
        assert letter.headers[0] == own
        assert found[h.DLT_ORIGINAL_TOPIC] == cluster.topics.exchanges.encode()
        assert h.integer(found[h.DLT_ORIGINAL_PARTITION]) == 2
        assert len(found[h.DLT_ORIGINAL_PARTITION]) == 4
        assert h.integer(found[h.DLT_ORIGINAL_OFFSET]) == offset
        assert len(found[h.DLT_ORIGINAL_OFFSET]) == 8
        assert len(found[h.DLT_ORIGINAL_TIMESTAMP]) == 8
        assert found[h.DLT_EXCEPTION_FQCN]
        assert found[h.DLT_EXCEPTION_MESSAGE]
    reasons = [h.first(each.headers)[h.DLT_EXCEPTION_MESSAGE] for each in dead]
    assert reasons[5] == b"schema version 99 is newer than this sink's 1"


async def test_a_refused_document_goes_to_the_dead_letters(cluster: Cluster) -> None:
    """What the store does not take is kept with the store's reason; the rest is stored."""
    sink = MemorySink()
    sink.refused = {request_id(2)}
    await cluster.produce(*(exchange(number) for number in range(5)), partition=0)
    async with running(cluster, sink) as runner:
        await eventually(lambda: len(sink.documents) == 4, "the others")
        await runner.end()
    (letter,) = await cluster.records(cluster.topics.dead_letters)

    assert letter.value == record(exchange(2))[1]
    found = h.first(letter.headers)
    assert found[h.DLT_EXCEPTION_FQCN] == b"sinks.base.Refused"
    assert found[h.DLT_EXCEPTION_MESSAGE] == b"told to"
    assert h.integer(found[h.DLT_ORIGINAL_OFFSET]) == 2
    assert await cluster.committed() == (5, 5)
    text = runner.metrics.exposition().decode()
    assert 'sluice_sink_documents_total{result="stored",store="sqlite"} 4.0' in text
    assert 'sluice_sink_documents_total{result="refused",store="sqlite"} 1.0' in text
    assert 'sluice_dead_letters_total{role="sinks"} 1.0' in text


async def test_a_store_that_is_away_is_waited_for(cluster: Cluster) -> None:
    """While the store is away nothing is committed, the heartbeats' lag grows and the group stays as it
    is, for longer than the session time-out; then everything is stored without a restart."""
    sink = MemorySink()
    async with running(cluster, sink, session_timeout=6.0) as runner:
        await cluster.produce(exchange(0))
        await eventually(lambda: len(sink.documents) == 1, "it works")
        sink.away = True
        await cluster.produce(*(exchange(number) for number in range(1, 200)))
        began = asyncio.get_running_loop().time()

        async def lagging(by: int) -> bool:
            return [each.lag for each in await heartbeats(cluster)][-1:] == [by]

        await eventually(partial(lagging, 199), "the lag is told")
        await cluster.produce(*(exchange(number) for number in range(200, 300)))
        rest = began + 8.0 - asyncio.get_running_loop().time()
        await asyncio.sleep(max(rest, 0.0))  # past the session time-out
        await eventually(partial(lagging, 299), "the lag is told again")  # a beat a second
        assert (await heartbeats(cluster))[-1].partitions == (0, 1, 2, 3)
        assert (await cluster.committed())[0] == 1
        sink.away = False
        await eventually(lambda: len(sink.documents) == 300, "all are stored")
        await runner.end()

    assert await cluster.committed() == (300, 300)
    assert runner.ready_calls == 1
    found = await heartbeats(cluster)
    assert found[-1].stopping
    assert {each.role for each in found} == {"sinks"}
    assert 'sluice_sink_backoffs_total{store="sqlite"}' in runner.metrics.exposition().decode()


async def test_a_store_that_is_away_at_the_start(cluster: Cluster) -> None:
    """A sink starts without its store, says that it is ready, and stores when the store is there."""
    sink = MemorySink()
    sink.away = True
    await cluster.produce(exchange(1))
    async with running(cluster, sink) as runner:
        await eventually(runner.joined.is_set, "joined the group")
        assert not sink.documents
        sink.away = False
        await eventually(lambda: len(sink.documents) == 1, "stored")


async def test_a_stop_does_not_wait_for_a_store_that_is_away(cluster: Cluster) -> None:
    """A sink whose store is away stops at once and commits nothing; the next one stores everything."""
    sink = MemorySink()
    async with running(cluster, sink) as runner:
        await eventually(runner.joined.is_set, "joined the group")
        sink.away = True
        await cluster.produce(*(exchange(number) for number in range(10)))
        await eventually(lambda: sink.attempts > 1, "it tried")
        await runner.end()
    assert (await cluster.committed())[0] == 0
    sink.away = False
    async with running(cluster, sink):
        await eventually(lambda: len(sink.documents) == 10, "stored by the next one")


async def test_a_locked_sqlite_file_is_waited_for(kafka_cluster: Cluster, tmp_path: Path) -> None:
    """Another process's long transaction on the file delays the rows, and loses none."""
    path = tmp_path / "sluice.db"
    sink = SQLiteSink(SinkConfig(sqlite_path=str(path), retention_days=0), SystemClock())
    await sink.open()
    other = sqlite3.connect(path, isolation_level=None)
    async with running(kafka_cluster, sink) as runner:
        other.execute("BEGIN IMMEDIATE")
        await kafka_cluster.produce(*(exchange(number) for number in range(50)))
        await eventually(
            lambda: 'backoffs_total{store="sqlite"} 0' not in _text(runner), "it waits"
        )
        assert (await kafka_cluster.committed())[0] == 0
        other.execute("COMMIT")
        other.close()
        await eventually(lambda: len(rows(path)) == 50, "all rows")


def _text(runner: Any) -> str:
    text: str = runner.metrics.exposition().decode()
    return text


@pytest.mark.usefixtures("_pymongo_leaks")
async def test_a_mongodb_that_restarts_is_waited_for(
    kafka_cluster: Cluster, own_service: Callable[[str], services.OwnService]
) -> None:
    """MongoDB stopped and started again under load: every exchange is there once, nothing is refused."""
    server = await asyncio.to_thread(own_service, "mongodb")
    url = server.endpoints["MONGODB_URL"]
    config = SinkConfig(storage_type="mongodb", mongodb_url=url, retention_days=0)
    sink = MongoDBSink(config, SystemClock())

    def count() -> int:
        """What is there; while the server stops or starts it may fail to say."""
        with MongoClient[dict[str, Any]](url) as client:
            try:
                return client["sluice"]["exchanges"].count_documents({})
            except PyMongoError:
                return -1

    async with running(kafka_cluster, sink, storage_type="mongodb") as runner:
        await kafka_cluster.produce(*(exchange(number) for number in range(100)))
        await eventually(lambda: count() == 100, "it works")
        await asyncio.to_thread(server.stop)
        await kafka_cluster.produce(*(exchange(number) for number in range(100, 300)))
        await eventually(
            lambda: 'backoffs_total{store="mongodb"} 0' not in _text(runner), "it waits"
        )
        await asyncio.to_thread(server.start)
        await eventually(lambda: count() == 300, "all documents")
        await runner.end()

    assert await kafka_cluster.committed("mongodb") == (300, 300)
    assert await kafka_cluster.records(kafka_cluster.topics.dead_letters) == []


async def test_a_postgresql_that_is_killed_is_waited_for(
    kafka_cluster: Cluster, own_service: Callable[[str], services.OwnService]
) -> None:
    """PostgreSQL killed and started again under load: every exchange is there and counted once, nothing
    is refused."""
    server = await asyncio.to_thread(own_service, "postgres")
    url = server.endpoints["POSTGRES_URL"]
    config = SinkConfig(storage_type="postgresql", postgres_url=url, retention_days=0)
    sink = PostgreSQLSink(config, SystemClock())

    def count() -> int:
        """What is there; while the server stops or starts it may fail to say."""
        try:
            return int(fetch(url, "SELECT count(*) FROM exchanges")[0][0])
        except (asyncpg.PostgresError, OSError):
            return -1

    async with running(kafka_cluster, sink, storage_type="postgresql") as runner:
        await kafka_cluster.produce(*(exchange(number) for number in range(100)))
        await eventually(lambda: count() == 100, "it works")
        await asyncio.to_thread(server.kill)
        await kafka_cluster.produce(*(exchange(number) for number in range(100, 300)))
        await eventually(
            lambda: 'backoffs_total{store="postgresql"} 0' not in _text(runner), "it waits"
        )
        await asyncio.to_thread(server.start)
        await eventually(lambda: count() == 300, "all documents")
        await runner.end()

    assert await kafka_cluster.committed("postgresql") == (300, 300)
    assert await kafka_cluster.records(kafka_cluster.topics.dead_letters) == []
    sums = fetch(url, "SELECT period, sum(requests)::int FROM rollups GROUP BY period")
    assert dict(sums) == {"hour": 300, "day": 300}


async def test_a_log_that_comes_late_and_goes(
    topic_prefix: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """A sink that finds no broker keeps trying; a broker that restarts is found again; all without its end."""
    config = BrokerConfig(folder=tmp_path / "broker", port=free_port())
    cluster = Cluster(f"127.0.0.1:{config.port}", topic_prefix)
    sink = MemorySink()
    async with running(cluster, sink) as runner:
        await asyncio.sleep(1.0)  # some attempts
        broker = Broker(config)
        await broker.start()
        await cluster.create()
        await cluster.produce(*(exchange(number) for number in range(10)))
        await eventually(lambda: len(sink.documents) == 10, "stored when it was there")
        await broker.close()
        await asyncio.sleep(1.0)
        broker = Broker(config)
        await broker.start()
        await cluster.produce(*(exchange(number) for number in range(10, 20)))
        await eventually(lambda: len(sink.documents) == 20, "stored after the restart")
        await runner.end()
        assert await cluster.committed() == (20, 20)
        await broker.close()
    assert runner.ready_calls == 1


async def test_a_stop_while_the_log_is_away(
    topic_prefix: str, free_port: Callable[[], int]
) -> None:
    """A sink that never reached a broker ends when it is told to."""
    sink = MemorySink()
    async with running(Cluster(f"127.0.0.1:{free_port()}", topic_prefix), sink) as runner:
        await asyncio.sleep(0.5)
        await runner.end()

    assert sink.closed


async def test_two_sinks_share_the_partitions(cluster: Cluster) -> None:
    """A second process takes half of the partitions; when it leaves, nothing is lost or left behind."""
    one, two = MemorySink(), MemorySink()
    async with running(cluster, one) as staying:
        await eventually(staying.joined.is_set, "the first has joined")
        async with running(cluster, two) as leaving:
            await eventually(leaving.joined.is_set, "the second has joined")
            await cluster.produce(*(exchange(number) for number in range(400)))
            both = lambda: len(one.documents.keys() | two.documents.keys())  # noqa: E731  # two uses
            await eventually(lambda: both() == 400, "all are stored")
            assert one.documents
            assert two.documents
        await cluster.produce(*(exchange(number) for number in range(400, 500)))
        await eventually(lambda: both() == 500, "the first has all partitions again")
        await staying.end()

    assert await cluster.committed() == (500, 500)


async def test_very_large_exchanges_pass(cluster: Cluster) -> None:
    """An exchange of 30 MB, more than any fetch asks for, is stored between its neighbours."""
    body = b'{"a":"' + b"x" * (15 << 20) + b'"}'
    large = exchange(1, request=json_body(body), response=any_body(b"\xff" * (11 << 20), "x/y"))
    await cluster.produce(exchange(0), large, exchange(2), partition=0)
    sink = MemorySink()
    async with running(cluster, sink):
        await eventually(lambda: len(sink.documents) == 3, "all three")

    assert sink.documents[request_id(1)].request.bytes == len(body)
    assert sink.documents[request_id(1)].request.truncated


async def test_a_cancelled_runner_ends_its_write(cluster: Cluster) -> None:
    """Even if the whole program is cancelled, the write in hand is not torn."""
    await cluster.produce(exchange(1))
    sink = MemorySink()
    sink.gate.clear()
    async with running(cluster, sink) as runner:
        await eventually(sink.writing.is_set, "a write has begun")
        runner.task.cancel()
        await asyncio.sleep(0.2)
        assert not runner.task.done()
        sink.gate.set()
        async with asyncio.timeout(DEADLINE):
            await asyncio.wait((runner.task,))

    assert len(sink.documents) == 1
    assert sink.closed


@pytest.mark.parametrize("point", ["sinks.read", "sinks.written", "sinks.committed"])
async def test_kill_9_between_any_two_steps(cluster: Cluster, tmp_path: Path, point: str) -> None:
    """Killed at its second batch, a sink and its successor leave one row a request, none missing."""
    path = tmp_path / "sluice.db"
    await cluster.produce(*(exchange(number) for number in range(400)))
    command = [sys.executable, "-m", "tests.sinks.sink_process"]
    command += [cluster.kafka.bootstrap_servers, cluster.topics.prefix, str(path)]
    environment = os.environ | {"SLUICE_FAULT_POINT": f"{point}:2"}
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment)
    assert await _exit_code(process) == -signal.SIGKILL
    assert 0 < _count(path) < 400
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    try:
        await eventually(lambda: path.exists() and _count(path) == 400, "one row a request")
    finally:
        process.terminate()
        assert await _exit_code(process) == 0

    assert rows(path).keys() == {request_id(number) for number in range(400)}
    assert await cluster.committed() == (400, 400)


async def _exit_code(process: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(DEADLINE):
        return await process.wait()


async def test_the_entry_point_makes_the_store_of_the_setting(
    kafka_cluster: Cluster, tmp_path: Path
) -> None:
    """`run` is all that `sluice sinks` needs: it stores in what STORAGE_TYPE names."""
    from schemas.metrics import Metrics
    from schemas.tasks import Tasks

    path, stop, tasks = tmp_path / "exchanges.jsonl", asyncio.Event(), Tasks()
    config = SinkConfig(storage_type="jsonl", jsonl_path=str(path))
    await kafka_cluster.produce(exchange(1))
    tasks.start(run(config, kafka_cluster.kafka, SystemClock(), Metrics(), stop), name="run")
    await eventually(lambda: path.exists() and path.stat().st_size > 0, "a line")
    stop.set()

    assert await tasks.drain(DEADLINE) == 0
