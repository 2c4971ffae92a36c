"""Compaction: of each key only the last record stays. Runs in a thread, from files to new files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from threading import Event
from typing import BinaryIO

from sluice.broker.batch import Head, Record, read_head, records, thinned
from sluice.broker.compression import CannotDecode
from sluice.broker.index import Image, Index
from sluice.broker.segment import Segment, find_batch, read_exactly

MAX_KEYS = 500_000  # keys of one round: bounds its memory, the rest is for the next round
_WORK = 0.001  # seconds of work after which the thread lets others have the interpreter


class CompactionStopped(Exception):
    """The broker closes; the old files stay."""


@dataclass(frozen=True, slots=True)
class Source:
    """A sealed segment, pinned."""

    segment: Segment
    fd: int
    size: int
    drop_tombstones: bool  # it is old enough for consumers to have seen them


@dataclass(slots=True)
class Draft:
    """A new file that is to take the place of `sources`."""

    path: Path
    sources: list[Source]
    image: Image
    modified: float


@dataclass(slots=True)
class Round:
    """What is compacted at once: keys from `dirty_from` on decide over all of `sources`."""

    sources: list[Source]
    dirty_from: int
    segment_bytes: int
    closing: Event
    max_keys: int = MAX_KEYS
    _latest: dict[bytes, int] = field(default_factory=dict)
    _pause_at: float = 0.0

    def run(self) -> tuple[list[Draft], int]:
        """Write the drafts; returns them and the offset up to which the log is clean.

        Raises OSError or CompactionStopped, and then leaves no draft.
        """
        drafts: list[Draft] = []
        try:
            clean_to = self._gather()
            for group in self._groups(clean_to):
                drafts.append(self._draft(group))  # noqa: PERF401  # what is done must be undone
        except (OSError, CompactionStopped):
            for draft in drafts:
                draft.path.unlink(missing_ok=True)
            raise
        return drafts, clean_to

    def _pace(self) -> None:
        now = time.perf_counter()
        if now < self._pause_at:
            return
        if self.closing.is_set():
            raise CompactionStopped
        time.sleep(_WORK)
        self._pause_at = time.perf_counter() + _WORK

    def _batches(self, source: Source) -> Iterator[tuple[Head, bytes]]:
        pos = 0
        while found := find_batch(source.fd, pos, source.size, lambda _: True):
            self._pace()
            pos, head = found
            yield head, read_exactly(source.fd, head.size, pos)
            pos += head.size

    def _records(self, batch: bytes) -> Iterator[Record]:
        for number, record in enumerate(records(batch)):
            if number % 100 == 99:
                self._pace()
            yield record

    def _gather(self) -> int:
        """Fill the map of keys; returns up to which offset it is complete."""
        clean_to = self.dirty_from
        for source in self.sources:
            if source.segment.end <= self.dirty_from:
                continue
            for head, batch in self._batches(source):
                if len(self._latest) >= self.max_keys:
                    return clean_to
                self._note(batch)
                clean_to = max(head.end, clean_to)
            clean_to = max(source.segment.end, clean_to)
        return clean_to

    def _note(self, batch: bytes) -> None:
        try:
            found = {_short(r.key): r.offset for r in self._records(batch) if r.key is not None}
        except CannotDecode:
            return
        self._latest.update(found)

    def _groups(self, clean_to: int) -> Iterator[list[Source]]:
        """Neighbours that fit into one segment together, so that segments do not dwindle."""
        group: list[Source] = []
        for source in self.sources:
            if source.segment.base >= clean_to:
                break
            if group and sum(s.size for s in group) + source.size > self.segment_bytes:
                yield group
                group = []
            group.append(source)
        if group:
            yield group

    def _draft(self, group: list[Source]) -> Draft:
        first = group[0].segment
        path = first.path.with_suffix(".log.cleaned")
        writer = _Writer()
        try:
            with open(path, "wb") as file:
                for source in group:
                    for _, batch in self._batches(source):
                        if kept := self._kept(batch, source.drop_tombstones):
                            writer.write(file, kept)
                file.flush()
                os.fsync(file.fileno())
        except (OSError, CompactionStopped):
            path.unlink(missing_ok=True)
            raise
        modified = max(s.segment.modified for s in group)
        os.utime(path, (modified, modified))  # tombstones age from the append, not from now
        return Draft(path, group, writer.image(group[-1].segment.end), modified)

    def _kept(self, batch: bytes, drop_tombstones: bool) -> bytes:
        """The batch with its live records only; what cannot be read stays."""
        live, dead = [], 0
        try:
            for record in self._records(batch):
                if self._is_live(record, drop_tombstones):
                    live.append(record)
                else:
                    dead += 1
        except CannotDecode:
            return batch
        if not dead:
            return batch
        return thinned(batch, live) if live else b""

    def _is_live(self, record: Record, drop_tombstones: bool) -> bool:
        if record.key is None:
            return True
        latest = self._latest.get(_short(record.key), -1)
        return latest <= record.offset and (record.full or not drop_tombstones)


class _Writer:
    """Writes batches and indexes them."""

    def __init__(self) -> None:
        self.index = Index()
        self.size = 0
        self.newest = self.oldest = -1

    def write(self, file: BinaryIO, batch: bytes) -> None:
        head = read_head(batch)
        self.index.add(head.base, self.size, self.newest)
        if not self.size:
            self.oldest = head.max_timestamp
        file.write(batch)
        self.size += len(batch)
        self.newest = max(self.newest, head.max_timestamp)

    def image(self, end: int) -> Image:
        return Image(0, self.index, self.size, end, self.newest, self.oldest, b"[]")


def _short(key: bytes) -> bytes:
    """A key as it stands in the map: never longer than 17 bytes."""
    return b"\0" + key if len(key) <= 16 else blake2b(key, digest_size=16).digest()
