"""What a start makes of files that a crash, a full disk or a bad disk left behind."""

import os
import struct
from pathlib import Path

import pytest

from sluice.broker.topic_config import TopicConfig
from tests.sluice.broker.support import HandClock, batch, one, open_log

FIRST = "00000000000000000000"


async def written(tmp_path: Path, clock: HandClock, count: int = 50) -> Path:
    async with open_log(tmp_path, clock) as log:
        for i in range(count):
            log.append(memoryview(one(b"%d" % i * 20)))
    return tmp_path / "t-0" / f"{FIRST}.log"


@pytest.mark.parametrize("index", ["kept", "lost", "damaged"])
@pytest.mark.parametrize("torn", ["half a batch", "zeros", "garbage", "a header", "a huge length"])
async def test_a_torn_tail_is_cut(tmp_path: Path, clock: HandClock, torn: str, index: str) -> None:
    """Whatever half-written bytes end the log, they go, and every whole batch stays."""
    path = await written(tmp_path, clock)
    whole = path.read_bytes()
    huge = bytearray(one(b"x"))
    struct.pack_into(">qi", huge, 0, 50, 2**31 - 1)
    junk = {
        "half a batch": whole[:80],
        "zeros": bytes(5000),
        "garbage": os.urandom(3000),
        "a header": whole[:30],
        "a huge length": bytes(huge),
    }[torn]
    path.write_bytes(whole + junk)
    if index == "lost":
        path.with_suffix(".index").unlink()
    elif index == "damaged":
        path.with_suffix(".index").write_bytes(os.urandom(200))
    async with open_log(tmp_path, clock) as log:
        assert log.end == 50
        assert path.read_bytes() == whole
        assert log.append(memoryview(one(b"next"))) == 50


async def test_a_flipped_bit_ends_the_log_there(tmp_path: Path, clock: HandClock) -> None:
    """A batch whose checksum is wrong is not served, and offsets go on from it."""
    path = await written(tmp_path, clock)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))
    async with open_log(tmp_path, clock) as log:
        assert log.end == 49
        assert log.append(memoryview(one(b"again"))) == 49


async def test_a_torn_batch_is_no_repetition(tmp_path: Path, clock: HandClock) -> None:
    """A producer whose last batch was torn off may send it again: it is not taken for stored."""
    batches = [batch([(b"k", b"v", 1)], (4, 0, n)) for n in range(3)]
    async with open_log(tmp_path, clock) as log:
        for data in batches:
            log.append(memoryview(data))
    path = tmp_path / "t-0" / f"{FIRST}.log"
    path.write_bytes(path.read_bytes()[:-5])
    async with open_log(tmp_path, clock) as log:
        assert log.end == 2
        assert log.append(memoryview(batches[2])) == 2
        assert log.append(memoryview(batches[1])) == 1


async def test_lost_indexes_are_made_anew(tmp_path: Path, clock: HandClock) -> None:
    """Without any index file every segment is scanned, and nothing is missing."""
    config = TopicConfig(segment_bytes=100_000)
    async with open_log(tmp_path, clock, config) as log:
        for i in range(40):
            log.append(memoryview(one(bytes(10_000), 1000 + i)))
        spans = [(s.base, s.end, s.size) for s in log.segments]
    for path in (tmp_path / "t-0").glob("*.index"):
        path.unlink()
    async with open_log(tmp_path, clock, config) as log:
        assert [(s.base, s.end, s.size) for s in log.segments] == spans
        assert await log.offset_at(1017) == (17, 1017)


async def test_drafts_of_an_unfinished_compaction_are_removed(
    tmp_path: Path, clock: HandClock
) -> None:
    """A draft that was not swapped in is no part of the log."""
    path = await written(tmp_path, clock)
    draft = path.with_suffix(".log.cleaned")
    draft.write_bytes(b"half")
    async with open_log(tmp_path, clock) as log:
        assert log.end == 50
        assert not draft.exists()


async def test_an_index_of_another_topic_is_ignored(tmp_path: Path, clock: HandClock) -> None:
    """An index file written late, by a deleted topic of the same name, does not damage the new one."""
    async with open_log(tmp_path, clock, owner=1) as log:
        for _ in range(30):
            log.append(memoryview(one(b"old")))
    folder = tmp_path / "t-0"
    stale = (folder / f"{FIRST}.index").read_bytes()
    (folder / f"{FIRST}.log").unlink()
    async with open_log(tmp_path, clock, owner=2) as log:
        for _ in range(30):
            log.append(memoryview(one(bytes(50_000))))
    (folder / f"{FIRST}.index").write_bytes(stale)
    async with open_log(tmp_path, clock, owner=2) as log:
        assert log.end == 30
