"""A partition: appends, reads from memory and from files, start and end, restarts."""

import os
import random
import resource
from pathlib import Path

import pytest

from sluice.broker.batch import placed, read_head, records
from sluice.broker.errors import Code, KafkaError
from sluice.broker.partition import Partition
from sluice.broker.topic_config import TopicConfig
from tests.sluice.broker.support import HandClock, batch, one, open_log

SMALL_SEGMENTS = TopicConfig(segment_bytes=300_000, max_message_bytes=1 << 20)


async def cold(partition: Partition, offset: int, limit: int) -> bytes:
    piece = await partition.locate(offset, limit)
    assert piece is not None
    try:
        return piece.read(0, piece.length)
    finally:
        piece.release()


async def values(partition: Partition) -> list[bytes]:
    """All batches, read from the files one by one."""
    found, offset = [], partition.start
    while offset < partition.end:
        data = await cold(partition, offset, 1)
        head = read_head(data)
        found.append(data[: head.size])
        offset = head.end
    return found


async def test_offsets_are_consecutive_and_read_back(tmp_path: Path, clock: HandClock) -> None:
    """Batches get consecutive offsets; the tail and the file give the same bytes."""
    async with open_log(tmp_path, clock) as log:
        rows = [(b"k", b"v", clock.ms)] * 3
        assert [log.append(memoryview(batch(rows))) for _ in range(4)] == [0, 3, 6, 9]
        assert log.end == 12
        tail = log.tail.read(4, 1)
        assert tail is not None
        assert bytes(tail[0]) == await cold(log, 4, 1) == placed(memoryview(batch(rows)), 3)


async def test_cold_reads_begin_at_the_right_batch(tmp_path: Path, clock: HandClock) -> None:
    """From any offset, over many segments, a read begins with the batch of that offset."""
    rand = random.Random(5)
    sizes = [rand.choice([10, 900, 5_000, 120_000]) for _ in range(300)]
    async with open_log(tmp_path, clock, SMALL_SEGMENTS, tail_bytes=0) as log:
        for size in sizes:
            log.append(memoryview(one(os.urandom(size))))
        written = await values(log)
        assert len(log.segments) > 10
    async with open_log(tmp_path, clock, SMALL_SEGMENTS, tail_bytes=0) as log:
        assert await values(log) == written
        for _ in range(60):
            offset, limit = rand.randrange(300), rand.choice([1, 500, 70_000, 1 << 20])
            data = await cold(log, offset, limit)
            assert read_head(data).base == offset
            assert len(data) <= max(limit, len(written[offset]))


async def test_the_first_record_at_or_after_a_time_is_found(
    tmp_path: Path, clock: HandClock
) -> None:
    """The time look-up is exact within batches and across segments, none is (-1, -1)."""
    async with open_log(tmp_path, clock, SMALL_SEGMENTS, tail_bytes=0) as log:
        for i in range(100):
            rows = [(b"k", bytes(5_000), 1000 + 20 * i), (b"k", b"v", 1010 + 20 * i)]
            log.append(memoryview(batch(rows)))
        assert len(log.segments) > 1
        for i in range(0, 200, 7):
            assert await log.offset_at(1000 + 10 * i - 3) == (i, 1000 + 10 * i)
        assert await log.offset_at(1000 + 10 * 200) == (-1, -1)


async def test_a_repeated_batch_is_appended_once(tmp_path: Path, clock: HandClock) -> None:
    """An idempotent producer's repetition gets the first offset again, also after a restart."""
    first, second = (batch([(b"k", b"v", 1)], (9, 0, n)) for n in (0, 1))
    async with open_log(tmp_path, clock) as log:
        assert [log.append(memoryview(first)), log.append(memoryview(second))] == [0, 1]
        assert log.append(memoryview(first)) == 0
    async with open_log(tmp_path, clock) as log:
        assert [log.append(memoryview(first)), log.append(memoryview(second))] == [0, 1]
        with pytest.raises(KafkaError) as caught:
            log.append(memoryview(batch([(b"k", b"v", 1)], (9, 0, 5))))
        assert caught.value.code == Code.OUT_OF_ORDER_SEQUENCE_NUMBER


async def test_a_producer_that_was_long_idle_is_remembered(
    tmp_path: Path, clock: HandClock
) -> None:
    """Sequences older than what recovery scans come from the index files, also without a clean end."""
    mine = batch([(b"k", b"v", 1)], (9, 0, 0))
    config = TopicConfig(segment_bytes=4 << 20, max_message_bytes=2 << 20)
    async with open_log(tmp_path, clock, config) as log:
        log.append(memoryview(mine))
        for _ in range(9):
            log.append(memoryview(one(os.urandom(1 << 20))))
        log.store.disk.close()  # what was asked for is written, the rest is not
        log.save_index = lambda segment: None  # type: ignore[method-assign]
    async with open_log(tmp_path, clock, config) as log:
        assert log.append(memoryview(mine)) == 0


async def test_deleting_records_moves_the_start(tmp_path: Path, clock: HandClock) -> None:
    """Whole segments before the new start go, the start survives a restart, bad offsets are refused."""
    async with open_log(tmp_path, clock, SMALL_SEGMENTS) as log:
        for _ in range(50):
            log.append(memoryview(one(bytes(50_000))))
        for segment in log.drop_before(30):
            segment.delete()
        assert (log.start, log.end) == (30, 50)
        assert log.segments[0].base <= 30 < log.segments[1].base
        for bad in (51, -2):
            with pytest.raises(KafkaError) as caught:
                log.drop_before(bad)
            assert caught.value.code == Code.OFFSET_OUT_OF_RANGE
    async with open_log(tmp_path, clock, SMALL_SEGMENTS) as log:
        assert (log.start, log.end) == (30, 50)
        for segment in log.drop_before(-1):
            segment.delete()
    async with open_log(tmp_path, clock, SMALL_SEGMENTS) as log:
        assert (log.start, log.end) == (50, 50)
        assert log.append(memoryview(one(b"next"))) == 50


async def test_a_full_disk_is_an_error_until_there_is_space(
    tmp_path: Path, clock: HandClock
) -> None:
    """An append that does not fit is refused with the storage error and leaves no bytes behind."""
    async with open_log(tmp_path, clock, tail_bytes=0) as log:
        log.append(memoryview(one(b"before")))
        size = log.segments[-1].size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300, hard))
        try:
            with pytest.raises(KafkaError) as caught:
                log.append(memoryview(one(bytes(5000))))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.code == Code.KAFKA_STORAGE_ERROR
        assert log.segments[-1].path.stat().st_size == size
        assert log.append(memoryview(one(b"after"))) == 1
    async with open_log(tmp_path, clock) as log:
        found = [bytes(r.raw) for data in await values(log) for r in records(data)]
        assert [b"before" in found[0], b"after" in found[1], len(found)] == [True, True, 2]


async def test_sealed_segments_hold_no_file_open(tmp_path: Path, clock: HandClock) -> None:
    """However many segments a log has, only the one that is written is open."""
    before = len(os.listdir("/proc/self/fd"))
    async with open_log(tmp_path, clock, SMALL_SEGMENTS, tail_bytes=0) as log:
        for _ in range(100):
            log.append(memoryview(one(bytes(100_000))))
        assert len(log.segments) > 20
        await values(log)
        assert len(os.listdir("/proc/self/fd")) <= before + 2


async def test_a_pinned_slice_outlives_its_segment(tmp_path: Path, clock: HandClock) -> None:
    """What is being sent can still be read when retention deletes the file."""
    async with open_log(tmp_path, clock, SMALL_SEGMENTS, tail_bytes=0) as log:
        for i in range(10):
            log.append(memoryview(one(b"%d" % i * 100_000)))
        piece = await log.locate(0, 1)
        assert piece is not None
        for segment in log.drop_before(log.end):
            segment.delete()
        assert b"0" * 100_000 in piece.read(0, piece.length)
        piece.release()
