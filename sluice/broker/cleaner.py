"""What happens by and by: retention, compaction, and the expiry of producers and offsets."""

from __future__ import annotations

import asyncio
import os
import struct

import structlog

from sluice.broker.catalog import Catalog
from sluice.broker.compaction import CompactionStopped, Draft, Round, Source
from sluice.broker.config import BrokerConfig
from sluice.broker.disk import disk_trouble
from sluice.broker.offsets import Offsets
from sluice.broker.partition import Partition
from sluice.broker.segment import Segment

log = structlog.get_logger()

_LEAST_DIRTY = 1 << 20  # bytes; less is not worth a compaction


class Cleaner:
    """Works through all partitions, one after the other; the files are touched in threads."""

    def __init__(self, catalog: Catalog, offsets: Offsets, config: BrokerConfig) -> None:
        self.catalog = catalog
        self.offsets = offsets
        self.config = config
        self.clock = catalog.store.clock
        self.disk = catalog.store.disk

    async def run(self) -> None:
        """For ever; what fails is logged and tried again at the next turn."""
        expired = self.clock.monotonic()
        while True:
            await asyncio.sleep(self.config.retention_interval_s)
            await self.clean()
            if self.clock.monotonic() - expired >= self.config.expiry_interval_s:
                expired = self.clock.monotonic()
                self.expire()

    async def clean(self) -> None:
        """One turn over all logs."""
        for partition in self.catalog:
            if partition.closed:
                continue
            try:
                await self.retain(partition)
            except (OSError, ValueError, struct.error) as exc:  # a damaged log harms no other
                disk_trouble("retention_failed", partition=partition.folder.name, error=str(exc))
            await asyncio.sleep(0)

    def expire(self) -> None:
        """Forget producers and offsets that were not used for long."""
        before = self.clock.time() - self.config.producer_expiry_ms / 1000
        for partition in self.catalog:
            partition.producers.expire(before)
        try:
            self.offsets.expire(self.config.offsets_retention_minutes * 60)
        except OSError as exc:
            disk_trouble("expiry_failed", error=str(exc))

    async def retain(self, partition: Partition) -> None:
        """Roll by age, compact, delete by age and size. Raises OSError."""
        config, now = partition.config, self.clock.time() * 1000
        active = partition.segments[-1]
        if active.size:
            too_old = now - _time(active, active.oldest) > config.segment_ms
            expired = config.delete and 0 <= config.retention_ms < now - _time(
                active, active.newest
            )
            if too_old or expired:
                partition.roll()
        if config.compact:
            await self.compact(partition)
        if config.delete:
            await self._delete_old(partition, now)

    async def _delete_old(self, partition: Partition, now: float) -> None:
        config = partition.config
        total = sum(segment.size for segment in partition.segments)
        keep_from = partition.start
        for oldest in partition.segments[:-1]:
            aged = 0 <= config.retention_ms < now - _time(oldest, oldest.newest)
            over = 0 <= config.retention_bytes <= total - oldest.size
            if not (aged or over):
                break
            total -= oldest.size
            keep_from = oldest.end
        for segment in partition.drop_before(keep_from):
            await self.disk.write(segment.delete)

    async def compact(self, partition: Partition) -> None:
        """Compact the log if enough of it is new. Raises OSError."""
        total = sum(segment.size for segment in partition.segments)
        dirty = sum(s.size for s in partition.segments if s.end > partition.clean_to)
        if dirty < max(_LEAST_DIRTY, partition.config.min_dirty_ratio * total):
            return
        if partition.segments[-1].size:
            partition.roll()
        before, now = partition.segments[:-1], self.clock.time()
        young = partition.config.min_compaction_lag_ms / 1000
        while before and now - before[-1].modified < young:
            before.pop()
        await self._compact(partition, before, now)

    async def _compact(self, partition: Partition, segments: list[Segment], now: float) -> None:
        aged = now - partition.config.delete_retention_ms / 1000
        sources = [Source(s, s.pin(), s.size, s.modified <= aged) for s in segments]
        work = Round(sources, partition.clean_to, partition.config.segment_bytes, self.disk.closing)
        try:
            drafts, clean_to = await self.disk.compact(work.run)
        except CompactionStopped:
            return
        except FileNotFoundError:
            if partition.closed:  # its folder went with the topic
                return
            raise
        finally:
            for source in sources:
                source.segment.unpin()
        for draft in drafts:
            await self._swap(partition, draft)
        partition.clean_to = clean_to
        log.info("log_compacted", partition=partition.folder.name, clean_to=clean_to)

    async def _swap(self, partition: Partition, draft: Draft) -> None:
        """Put a draft in the place of its segments, unless they were deleted meanwhile."""
        old = [source.segment for source in draft.sources]
        at = next((i for i, s in enumerate(partition.segments) if s is old[0]), -1)
        same_size = len(old) == 1 and draft.image.size == old[0].size
        if partition.closed or at < 0 or partition.segments[at : at + len(old)] != old or same_size:
            await self.disk.write(draft.path.unlink, missing_ok=True)
            return
        old[0].index_path.unlink(missing_ok=True)  # it says nothing of the new file
        held = os.open(old[0].path, os.O_RDONLY | os.O_CLOEXEC)
        draft.path.replace(old[0].path)
        self.disk.write_soon(
            "log_not_freed", lambda: os.close(held)
        )  # frees 64 MB: not on the loop
        fresh = Segment(partition.folder, old[0].base)
        fresh.adopt(draft.image)
        fresh.modified = draft.modified
        fresh.seal()
        partition.segments[at : at + len(old)] = [fresh]
        partition.tail.clear()
        partition.save_index(fresh)
        for segment in old[1:]:
            await self.disk.write(segment.delete)


def _time(segment: Segment, timestamp: int) -> float:
    """A timestamp of the segment, ms; that of its last append where producers gave none."""
    return timestamp if timestamp >= 0 else segment.modified * 1000
