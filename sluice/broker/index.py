"""The sparse index of a segment: where batches stand, and how new what precedes them is."""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from pathlib import Path

from sluice.broker.files import replace_file

FIRST_SPACING = 8192  # bytes of log between two entries, until the index grows
MAX_ENTRIES = 4096  # of the segment that is written
SEALED_ENTRIES = 512  # of one that is only read: a cold read then scans a little more
_MAGIC = 0x534C5549_00000002
_FIXED = 8  # numbers before the arrays


class Index:
    """Three parallel arrays, at most MAX_ENTRIES long: full, every second entry goes."""

    __slots__ = ("offsets", "positions", "spacing", "times")

    def __init__(self) -> None:
        self.offsets = array("q")
        self.positions = array("q")
        self.times = array("q")  # newest timestamp before the entry, ms
        self.spacing = FIRST_SPACING

    def add(self, offset: int, position: int, newest: int) -> None:
        """Note the batch at `position`, unless the previous entry is close."""
        if self.positions and position - self.positions[-1] < self.spacing:
            return
        if len(self.positions) >= MAX_ENTRIES:
            self.thin(MAX_ENTRIES // 2)
        self.offsets.append(offset)
        self.positions.append(position)
        self.times.append(newest)

    def thin(self, most: int) -> None:
        """Keep at most `most` entries, evenly."""
        while len(self.positions) > most:
            self.offsets = self.offsets[::2]
            self.positions = self.positions[::2]
            self.times = self.times[::2]
            self.spacing *= 2

    def position(self, offset: int) -> int:
        """Where to begin looking for `offset`."""
        at = bisect_right(self.offsets, offset) - 1
        return self.positions[at] if at >= 0 else 0

    def position_of_time(self, timestamp: int) -> int:
        """Where to begin looking for the first record at or after `timestamp` (ms)."""
        at = bisect_left(self.times, timestamp) - 1
        return self.positions[at] if at >= 0 else 0

    def resume(self, position: int) -> tuple[int, int, int]:
        """Forget the entries from the last one before `position` on, which is where to scan again.

        Returns that entry: position, offset, newest timestamp before it; (0, -1, -1) if none.
        """
        keep = bisect_left(self.positions, position) - 1
        if keep <= 0:
            entry, keep = (0, -1, -1), 0
        else:
            entry = (self.positions[keep], self.offsets[keep], self.times[keep])
        del self.offsets[keep:], self.positions[keep:], self.times[keep:]
        return entry


@dataclass(frozen=True, slots=True)
class Image:
    """What an index file says of its segment: sizes in bytes, timestamps in ms."""

    owner: int  # the topic's id: a late write must not speak for a new topic of the same name
    index: Index
    size: int
    end: int
    newest: int
    oldest: int
    producers: bytes  # the partition's producers at that time, encoded


def image_bytes(image: Image) -> bytes:
    index = image.index
    fixed = array(
        "q",
        [
            _MAGIC,
            image.owner,
            len(index.offsets),
            image.size,
            image.end,
            image.newest,
            image.oldest,
            index.spacing,
        ],
    )
    arrays = (fixed, index.offsets, index.positions, index.times)
    data = b"".join(part.tobytes() for part in arrays) + image.producers
    return data + zlib.crc32(data).to_bytes(4, "little")


def read_image(path: Path) -> Image | None:
    """The index at `path`; None if it is absent, damaged or of another version."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) < 8 * _FIXED + 4 or zlib.crc32(data[:-4]).to_bytes(4, "little") != data[-4:]:
        return None
    magic, owner, count, size, end, newest, oldest, spacing = array("q", data[: 8 * _FIXED])
    if magic != _MAGIC:
        return None
    index, pos = Index(), 8 * _FIXED
    for part in (index.offsets, index.positions, index.times):
        part.frombytes(data[pos : pos + 8 * count])
        pos += 8 * count
    index.spacing = spacing
    return Image(owner, index, size, end, newest, oldest, data[pos:-4])


def save_image(path: Path, data: bytes) -> None:
    """Replace the index file; runs in a thread."""
    replace_file(path, data)
