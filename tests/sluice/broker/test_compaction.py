"""Compaction as a function from files to files; in the broker: test_cleaner."""

from pathlib import Path
from threading import Event

import pytest

from sluice.broker.batch import records
from sluice.broker.compaction import CompactionStopped, Round, Source
from sluice.broker.partition import Partition
from sluice.broker.segment import find_batch
from sluice.broker.topic_config import TopicConfig
from tests.sluice.broker.support import HandClock, batch, open_log


async def filled(log: Partition, clock: HandClock, keys: int, count: int) -> list[Source]:
    for i in range(count):
        log.append(memoryview(batch([(b"%040d" % (i % keys), bytes(500), clock.ms)])))
    log.roll()
    return [Source(s, s.pin(), s.size, False) for s in log.segments[:-1]]


def offsets(path: Path) -> list[int]:
    data, found, pos = path.read_bytes(), [], 0
    with open(path, "rb") as file:
        while hit := find_batch(file.fileno(), pos, len(data), lambda _: True):
            pos, head = hit
            found += [r.offset for r in records(data[pos : pos + head.size])]
            pos += head.size
    return found


async def test_a_round_with_few_keys_at_once_stays_right(tmp_path: Path, clock: HandClock) -> None:
    """With room for only some keys a round cleans what it knows and says up to where; none is lost."""
    async with open_log(tmp_path, clock, TopicConfig(segment_bytes=50_000)) as log:
        sources = await filled(log, clock, keys=200, count=1000)
        clean_to, latest = 0, set[int]()
        for _ in range(100):
            work = Round(sources, clean_to, 50_000, Event(), max_keys=90)
            drafts, clean_to = work.run()
            found = [o for draft in drafts for o in offsets(draft.path)]
            covered = {o for s in sources if s.segment.base < clean_to for o in span(s)}
            assert set(range(clean_to - 90, clean_to)) & covered <= set(found)
            latest |= set(found)
            if clean_to >= 1000:
                break
        assert clean_to == 1000
        assert set(range(800, 1000)) <= latest
        for source in sources:
            source.segment.unpin()


def span(source: Source) -> range:
    return range(source.segment.base, source.segment.end)


async def test_neighbours_are_merged_up_to_a_segment(tmp_path: Path, clock: HandClock) -> None:
    """Drafts take the place of several segments, never of more than fit into one."""
    async with open_log(tmp_path, clock, TopicConfig(segment_bytes=50_000)) as log:
        sources = await filled(log, clock, keys=10, count=500)
        drafts, clean_to = Round(sources, 0, 200_000, Event()).run()
        assert clean_to == 500
        assert 1 < len(drafts) < len(sources)
        assert all(sum(s.size for s in draft.sources) <= 200_000 for draft in drafts)
        assert [o for draft in drafts for o in offsets(draft.path)] == list(range(490, 500))
        for source in sources:
            source.segment.unpin()


async def test_a_closing_broker_stops_it(tmp_path: Path, clock: HandClock) -> None:
    """When the broker closes, a compaction gives up and leaves no draft."""
    async with open_log(tmp_path, clock) as log:
        sources = await filled(log, clock, keys=10, count=500)
        closing = Event()
        closing.set()
        with pytest.raises(CompactionStopped):
            Round(sources, 0, 1 << 20, closing).run()
        assert list(log.folder.glob("*.cleaned")) == []
        for source in sources:
            source.segment.unpin()
