"""A partition: its segments on disk, its newest batches in memory, the fetches that wait for more."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from schemas.clock import Clock
from sluice.broker.batch import Head, placed, produced_head, read_head, records
from sluice.broker.compression import CannotDecode
from sluice.broker.disk import Disk, disk_trouble
from sluice.broker.errors import Code, KafkaError
from sluice.broker.files import replace_file
from sluice.broker.index import save_image
from sluice.broker.producers import Producers
from sluice.broker.recovery import recover
from sluice.broker.segment import Segment, Slice, find_batch, read_exactly
from sluice.broker.syncer import Syncer
from sluice.broker.tail import Tail, Tails
from sluice.broker.topic_config import TopicConfig

log = structlog.get_logger()

_INDEX_EVERY = 16 << 20  # bytes that a segment grows by before its index is saved again


class Waiter(Protocol):
    """A fetch that wants to hear of new records."""

    def wake(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Store:
    """What all partitions of a broker share."""

    folder: Path
    clock: Clock
    disk: Disk
    syncer: Syncer
    tails: Tails


class Partition:
    """One log. Appends and tail reads are synchronous and on the event loop; the rest waits for threads."""

    def __init__(
        self, store: Store, topic: str, number: int, config: TopicConfig, owner: int
    ) -> None:
        """Open the log and recover it; `owner` is the topic's id. Raises OSError."""
        self.store, self.topic, self.number, self.config = store, topic, number, config
        self.owner = owner
        self.folder = store.folder / f"{topic}-{number}"
        self.folder.mkdir(exist_ok=True)
        self.waiters: set[Waiter] = set()
        self.producers = Producers()
        self.tail = Tail(store.tails)
        self.clean_bytes = self.clean_to = (
            0  # what the last compaction left, and up to which offset
        )
        self.compacted_at = 0.0  # epoch seconds
        self.closed = self._failing = False
        self.segments = self._open()
        self.start = max(self.segments[0].base, self._saved_start())
        last = self.segments[-1]
        self.end = last.end = max(last.end, self.start)
        self.producers.forget_from(self.end)

    def _open(self) -> list[Segment]:
        for draft in self.folder.glob("*.cleaned"):
            draft.unlink()
        bases = sorted(int(path.stem) for path in self.folder.glob("*.log")) or [0]
        found: list[Segment] = []
        for base in bases:
            segment = Segment(self.folder, base)
            if found and base < found[-1].end:  # merged into the one before by a compaction
                segment.seal()
                segment.delete()
                continue
            recover(segment, self.producers, self.owner, last=base == bases[-1])
            if found:
                found[-1].seal()
            found.append(segment)
        return found

    def _saved_start(self) -> int:
        with suppress(OSError, ValueError):
            return int((self.folder / "start").read_text())
        return 0

    # -- writing

    def append(self, data: memoryview) -> int:
        """Store one produced batch and wake who waits; returns its base offset. Raises KafkaError."""
        head = produced_head(data, self.config.max_message_bytes)
        idempotent = head.producer_id >= 0 and head.sequence >= 0
        if idempotent and (known := self.producers.repetition(head)) is not None:
            return known
        base, now = self.end, self.store.clock.time()
        batch, head = placed(data, base), head._replace(base=base)
        segment = self._write(batch, head, now)
        self.end = head.end
        if idempotent:
            self.producers.note(head, base, now)
        self.tail.append(base, batch)
        self.store.syncer.changed(segment)
        if segment.size - segment.saved >= _INDEX_EVERY:
            self.save_index(segment)
        for waiter in self.waiters:
            waiter.wake()
        return base

    def _write(self, batch: bytearray, head: Head, now: float) -> Segment:
        try:
            segment = self.segments[-1]
            if segment.size and segment.size + len(batch) > self.config.segment_bytes:
                segment = self.roll()
            segment.append(batch, head, now)
        except OSError as exc:
            if not self._failing:  # once, not for every retry of every client
                self._failing = True
                disk_trouble("append_failed", partition=self.folder.name, error=str(exc))
            raise KafkaError(Code.KAFKA_STORAGE_ERROR, str(exc)) from exc
        if self._failing:
            self._failing = False
            disk_trouble("append_recovered", partition=self.folder.name)
        return segment

    def roll(self) -> Segment:
        """Begin a new segment; raises OSError, then the old one stays."""
        fresh, old = Segment(self.folder, self.end), self.segments[-1]
        self.segments.append(fresh)
        old.seal()
        self.save_index(old)
        return fresh

    def save_index(self, segment: Segment) -> None:
        path, image = segment.index_path, segment.image(self.owner, self.producers.encode())
        self.store.disk.write_soon("index_not_saved", lambda: save_image(path, image))

    # -- reading

    async def locate(self, offset: int, limit: int) -> Slice | None:
        """A pinned slice from the batch with `offset` on, found in a thread; None if there is none."""
        at = max(bisect_right(self.segments, offset, key=lambda s: s.base) - 1, 0)
        for segment in self.segments[at:]:
            if segment.end <= offset or segment not in self.segments:  # deleted while we waited
                continue
            start, size, fd = segment.index.position(offset), segment.size, segment.pin()
            found = None
            try:
                found = await self.store.disk.read(
                    find_batch, fd, start, size, lambda head: head.end > offset
                )
            finally:
                if found is None:
                    segment.unpin()
            if found:
                position, head = found
                length = min(max(limit, head.size), size - position)
                return Slice(segment, fd, position, length, head.size)
        return None

    async def offset_at(self, timestamp: int) -> tuple[int, int]:
        """(offset, timestamp) of the first record at or after the time (ms); (-1, -1) if none."""
        for segment in tuple(self.segments):
            if segment.newest < timestamp or segment not in self.segments:
                continue
            start, size, fd = segment.index.position_of_time(timestamp), segment.size, segment.pin()
            try:
                found = await self.store.disk.read(
                    _find_time, fd, (start, size), timestamp, self.start
                )
            finally:
                segment.unpin()
            if found:
                return found
        return -1, -1

    # -- keeping

    def drop_before(self, offset: int) -> list[Segment]:
        """Move the start of the log; returns the segments to delete. Raises KafkaError, OSError."""
        offset = self.end if offset == -1 else offset
        if not 0 <= offset <= self.end:
            raise KafkaError(Code.OFFSET_OUT_OF_RANGE)
        if offset <= self.start:
            return []
        if offset == self.end and self.segments[-1].size:
            self.roll()
        first = bisect_right(self.segments, offset, key=lambda s: s.base) - 1
        if self.segments[first].base != offset:  # else the files tell: a full disk can be emptied
            replace_file(self.folder / "start", b"%d" % offset)
        self.start = offset
        gone = self.segments[:first]
        del self.segments[:first]
        return gone

    def close(self, *, save: bool) -> None:
        """No more appends or waiting fetches; with `save` the disk's threads save the index."""
        self.closed = True
        self.tail.clear()
        if save:
            self.save_index(self.segments[-1])
        self.segments[-1].seal()
        for waiter in tuple(self.waiters):
            waiter.wake()


def _find_time(
    fd: int, span: tuple[int, int], timestamp: int, start: int
) -> tuple[int, int] | None:
    """The first record at or after the time in the bytes of `span`; runs in a thread."""
    pos, size = span
    while found := find_batch(fd, pos, size, lambda head: head.max_timestamp >= timestamp):
        pos, head = found
        batch = read_exactly(fd, head.size, pos)
        try:
            for record in records(batch):
                if record.timestamp >= timestamp and record.offset >= start:
                    return record.offset, record.timestamp
        except CannotDecode:
            return max(read_head(batch).base, start), head.max_timestamp
        pos += head.size
    return None
