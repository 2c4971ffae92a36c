"""Retention and compaction as the broker does them, with the clock moved by hand."""

import asyncio
import os
from pathlib import Path

import pytest
from confluent_kafka import Producer

from sluice.broker.batch import read_head, records
from sluice.broker.partition import Partition
from sluice.broker.server import Broker
from tests.sluice.broker.conftest import StartBroker
from tests.sluice.broker.support import HandClock, abandon, batch, one
from tests.sluice.broker.test_partition import cold

Found = dict[bytes | None, tuple[int, bool]]


def a_log(broker: Broker, **settings: str) -> Partition:
    told: dict[str, str | None] = {k.replace("_", "."): v for k, v in settings.items()}
    broker.catalog.create("t", 1, told, validate=False)
    return broker.catalog.partition("t", 0)


def size(log: Partition) -> int:
    return sum(segment.size for segment in log.segments)


async def stored(log: Partition) -> list[tuple[int, bytes | None, bool]]:
    """Offset, key and whether there is a value, of every record, read from the files."""
    found, offset = [], log.start
    while offset < log.end:
        piece = await log.locate(offset, 1)
        if piece is None:
            break
        data = piece.read(0, piece.first)
        piece.release()
        found += [(r.offset, r.key, r.full) for r in records(data)]
        offset = read_head(data).end
    return found


async def test_retention_by_time(start_broker: StartBroker, clock: HandClock) -> None:
    """Records older than `retention.ms` go, also from the segment that is written; offsets go on."""
    broker = await start_broker()
    log = a_log(broker, retention_ms="60000")
    for _ in range(5):
        log.append(memoryview(one(b"old", clock.ms)))
    clock.now += 59
    await broker.cleaner.retain(log)
    assert (log.start, log.end) == (0, 5)
    clock.now += 2
    await broker.cleaner.retain(log)
    assert (log.start, log.end, size(log)) == (5, 5, 0)
    assert log.append(memoryview(one(b"new", clock.ms))) == 5
    await broker.close()
    log = (await start_broker()).catalog.partition("t", 0)
    assert (log.start, log.end) == (5, 6)


async def test_records_without_a_time_age_from_their_append(
    start_broker: StartBroker, clock: HandClock
) -> None:
    """A timestamp of -1 neither keeps a record for ever nor deletes it at once."""
    broker = await start_broker()
    log = a_log(broker, retention_ms="60000")
    log.append(memoryview(one(b"v", -1)))
    await broker.cleaner.retain(log)
    assert log.start == 0
    clock.now += 61
    await broker.cleaner.retain(log)
    assert log.start == 1


async def test_retention_by_size(start_broker: StartBroker, clock: HandClock) -> None:
    """Whole segments go from the front while the log is larger than `retention.bytes`."""
    broker = await start_broker()
    log = a_log(broker, retention_bytes=str(3 << 20), segment_bytes=str(1 << 20))
    for _ in range(80):
        log.append(memoryview(one(os.urandom(100_000), clock.ms)))
    await broker.cleaner.retain(log)
    assert 3 << 20 <= size(log) < 5 << 20
    assert log.start == log.segments[0].base > 0
    assert len(list(log.folder.glob("*.log"))) == len(log.segments)


async def compacted(broker: Broker, log: Partition) -> None:
    """Fill up until a compaction is due, then compact."""
    filler = one(os.urandom(200_000), 1_800_000_000_000, b"filler")
    for _ in range(max(12, size(log) // 200_000 + 2)):
        log.append(memoryview(filler))
    await broker.cleaner.retain(log)


async def test_compaction_keeps_the_last_record_of_every_key(
    start_broker: StartBroker, clock: HandClock
) -> None:
    """Of each key only the newest record stays, at its offset; the log's ends do not move."""
    broker = await start_broker(tail_memory_bytes=0)
    log = a_log(broker, cleanup_policy="compact", segment_bytes=str(1 << 20))
    for i in range(600):
        rows = [(b"k%d" % ((i + j) % 20), bytes(1000), clock.ms) for j in range(4)]
        log.append(memoryview(batch(rows)))
    log.append(memoryview(batch([(None, b"no key", clock.ms)])))
    await compacted(broker, log)
    found = await stored(log)
    keys = [key for _, key, _ in found if key not in (None, b"filler")]
    assert sorted(keys) == sorted(b"k%d" % i for i in range(20))
    assert {key: offset for offset, key, _ in found}[b"k2"] == 599 * 4 + 3
    assert (None in {key for _, key, _ in found}, log.start) == (True, 0)
    assert len([key for _, key, _ in found if key == b"filler"]) == 1
    end, before = log.end, await stored(log)
    await broker.close()
    log = (await start_broker()).catalog.partition("t", 0)
    assert (log.start, log.end, await stored(log)) == (0, end, before)
    assert log.append(memoryview(one(b"next", clock.ms))) == end


async def test_tombstones_stay_for_their_time(start_broker: StartBroker, clock: HandClock) -> None:
    """A record without a value deletes its key at once, and goes itself after `delete.retention.ms`."""
    broker = await start_broker(tail_memory_bytes=0)
    log = a_log(
        broker, cleanup_policy="compact", segment_bytes=str(1 << 20), delete_retention_ms="60000"
    )
    log.append(memoryview(one(b"v", clock.ms, b"gone")))
    log.append(memoryview(batch([(b"gone", None, clock.ms)])))
    await compacted(broker, log)
    assert [row for row in await stored(log) if row[1] == b"gone"] == [(1, b"gone", False)]
    clock.now += 61
    await compacted(broker, log)
    assert [row for row in await stored(log) if row[1] == b"gone"] == []


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_batches_are_compacted(
    start_broker: StartBroker, clock: HandClock, codec: str
) -> None:
    """Batches that librdkafka compressed are read and thinned; zstd, which Python lacks, stays whole."""
    broker = await start_broker(tail_memory_bytes=0)
    log = a_log(broker, cleanup_policy="compact", segment_bytes=str(1 << 20))

    def produce() -> None:
        producer = Producer(
            {
                "bootstrap.servers": f"127.0.0.1:{broker.address.port}",
                "compression.type": codec,
                "linger.ms": 20,
            }
        )
        for i in range(2000):
            producer.produce("t", b"value %d " % i * 20, b"k%d" % (i % 50), timestamp=clock.ms)
        assert producer.flush(20) == 0

    await asyncio.to_thread(produce)
    await compacted(broker, log)
    rows = [] if codec == "zstd" else await stored(log)
    if codec == "zstd":
        piece = await log.locate(0, 1)
        assert piece is not None
        assert read_head(piece.read(0, piece.first)).codec == 4
        piece.release()
    else:
        assert len([key for _, key, _ in rows if key != b"filler"]) == 50
        assert {o for o, key, _ in rows if key != b"filler"} == set(range(1950, 2000))


async def test_reads_and_appends_go_on_during_compaction(
    start_broker: StartBroker, clock: HandClock
) -> None:
    """Compaction runs in a thread: appends before it has ended are in the log, in order."""
    broker = await start_broker(tail_memory_bytes=0)
    log = a_log(broker, cleanup_policy="compact", segment_bytes=str(1 << 20))
    for i in range(3000):
        log.append(memoryview(one(bytes(1000), clock.ms, b"k%d" % (i % 10))))
    compacting = asyncio.get_running_loop().create_task(broker.cleaner.retain(log))
    appended = 0
    while not compacting.done():
        log.append(memoryview(one(b"x", clock.ms, b"during")))
        appended += 1
        assert await cold(log, 0, 1)
        await asyncio.sleep(0)
    await compacting
    assert appended > 5
    assert log.end == 3000 + appended
    found = await stored(log)
    assert len([key for _, key, _ in found if key == b"during"]) == appended


async def test_a_deleted_topic_stops_its_compaction(
    start_broker: StartBroker, clock: HandClock
) -> None:
    """Deleting a topic that is being compacted is safe, and leaves no file."""
    broker = await start_broker()
    log = a_log(broker, cleanup_policy="compact", segment_bytes=str(1 << 20))
    for i in range(3000):
        log.append(memoryview(one(bytes(1000), clock.ms, b"k%d" % (i % 10))))
    compacting = asyncio.get_running_loop().create_task(broker.cleaner.retain(log))
    await asyncio.sleep(0.005)
    folders = broker.catalog.delete("t")
    await compacting
    assert not log.folder.exists()
    assert [folder.exists() for folder in folders] == [True]


async def test_a_crash_between_the_steps_of_a_swap_loses_nothing(
    start_broker: StartBroker, clock: HandClock, tmp_path: Path
) -> None:
    """Segments that were merged into one before them and not deleted yet are dropped at the start."""
    broker = await start_broker(tail_memory_bytes=0)
    log = a_log(broker, cleanup_policy="compact", segment_bytes=str(1 << 20))
    for i in range(3000):
        log.append(memoryview(one(bytes(1000), clock.ms, b"k%d" % (i % 10))))
    saved = {path.name: path.read_bytes() for path in log.folder.glob("*.log")}
    await broker.cleaner.retain(log)
    merged, before = {p.name for p in log.folder.glob("*.log")}, await stored(log)
    await abandon(broker)
    for name in saved.keys() - merged:
        (log.folder / name).write_bytes(saved[name])
    log = (await start_broker()).catalog.partition("t", 0)
    assert await stored(log) == before
    assert {p.name for p in log.folder.glob("*.log")} == merged


async def test_producers_expire_after_a_day(start_broker: StartBroker, clock: HandClock) -> None:
    """What is remembered of an idempotent producer goes a day after its last batch."""
    broker = await start_broker()
    log = a_log(broker)
    log.append(memoryview(batch([(b"k", b"v", clock.ms)], (1, 0, 0))))
    clock.now += 86_400 - 1
    log.append(memoryview(batch([(b"k", b"v", clock.ms)], (2, 0, 0))))
    broker.cleaner.expire()
    assert set(log.producers.known) == {1, 2}
    clock.now += 2
    broker.cleaner.expire()
    assert set(log.producers.known) == {2}
