"""One file of a partition's log: record batches as on the wire, and a sparse index beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sluice.broker.batch import HEADER, Head, read_head
from sluice.broker.files import sync_folder
from sluice.broker.index import SEALED_ENTRIES, Image, Index, image_bytes

_SCAN = 64 << 10  # bytes read at once while looking for a batch


class Segment:
    """A file named by the offset of its first record. The last one of a partition is written.

    Only the event loop changes a segment. Threads read through `pin`, which keeps the file open
    (and its bytes there, even when it is deleted meanwhile).
    """

    __slots__ = (
        "_fd",
        "_pins",
        "_sealed",
        "base",
        "end",
        "index",
        "modified",
        "named",
        "newest",
        "oldest",
        "path",
        "saved",
        "size",
    )

    def __init__(self, folder: Path, base: int) -> None:
        """Open the segment for writing, creating the file; raises OSError."""
        self.base = self.end = base
        self.path = folder / f"{base:020d}.log"
        self.size = self.saved = 0  # bytes; saved: what the index file covers
        self.newest = self.oldest = -1  # timestamps (ms) of the newest and of the first batch
        self.modified = 0.0  # epoch seconds of the last append
        self.named = False  # whether the folder entry is on the disk
        self.index = Index()
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._pins = 1  # its own, until it is sealed
        self._sealed = False

    @property
    def index_path(self) -> Path:
        return self.path.with_suffix(".index")

    def pin(self) -> int:
        """The open file, until `unpin`; raises OSError."""
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        self._pins += 1
        return self._fd

    def unpin(self) -> None:
        self._pins -= 1
        if not self._pins:
            os.close(self._fd)
            self._fd = -1

    def seal(self) -> None:
        """Nothing is appended any more: the file is closed while nobody reads, the index shrinks."""
        if not self._sealed:
            self._sealed = True
            self.index.thin(SEALED_ENTRIES)
            self.unpin()

    def note(self, head: Head) -> None:
        """Count a batch that stands at the end of the file."""
        self.index.add(head.base, self.size, self.newest)
        if not self.size:
            self.oldest = head.max_timestamp
        self.size += head.size
        self.end = head.end
        self.newest = max(self.newest, head.max_timestamp)

    def append(self, batch: bytearray, head: Head, now: float) -> None:
        """Write a batch at the end; after OSError the file is as before."""
        try:
            written = os.pwrite(self._fd, batch, self.size)
            if written != len(batch):
                raise OSError(f"{written} of {len(batch)} bytes written")
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.note(head)
        self.modified = now

    def cut(self) -> None:
        """Remove what stands behind the last whole batch."""
        os.ftruncate(self._fd, self.size)

    def sync(self) -> None:
        """Bring the file, and once its name, to the disk; runs in a thread, pinned."""
        os.fdatasync(self._fd)
        if not self.named:
            sync_folder(self.path.parent)
            self.named = True

    def image(self, owner: int, producers: bytes) -> bytes:
        """The content of the index file; the caller writes it in a thread."""
        self.saved = self.size
        return image_bytes(
            Image(owner, self.index, self.size, self.end, self.newest, self.oldest, producers)
        )

    def adopt(self, image: Image) -> None:
        """Take over what an index file says."""
        self.index, self.size, self.saved = image.index, image.size, image.size
        self.end, self.newest, self.oldest = image.end, image.newest, image.oldest

    def delete(self) -> None:
        """Remove the files; runs in a thread. Pinned readers still read."""
        self.index_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


@dataclass(slots=True)
class Slice:
    """A piece of a pinned segment to be sent: from `position`, `length` bytes.

    `first` is the size of its first batch: less than that is of no use to a consumer. The last
    batch may be cut, as in Kafka.
    """

    segment: Segment
    fd: int
    position: int
    length: int
    first: int

    def clip(self, limit: int, *, whole_first: bool) -> int:
        """Shorten to `limit` bytes, with `whole_first` not below the first batch; the new length."""
        most = max(limit, self.first) if whole_first else limit
        self.length = 0 if most < self.first else min(self.length, most)
        return self.length

    def read(self, at: int, size: int) -> bytes:
        """Bytes of the slice; runs in a thread. Raises OSError if the file has become shorter."""
        return read_exactly(self.fd, size, self.position + at)

    def release(self) -> None:
        self.segment.unpin()


def read_exactly(fd: int, size: int, position: int) -> bytes:
    """`size` bytes of a segment; raises OSError if it has become shorter."""
    data = os.pread(fd, size, position)
    if len(data) != size:
        raise OSError(f"{size - len(data)} bytes are missing at {position}")
    return data


def find_batch(
    fd: int, start: int, size: int, wanted: Callable[[Head], bool]
) -> tuple[int, Head] | None:
    """Position and header of the first batch from `start` on that is `wanted`; runs in a thread.

    Raises OSError where the disk has damaged the log.
    """
    pos = start
    while pos + HEADER.size <= size:
        chunk = os.pread(fd, min(_SCAN, size - pos), pos)
        at = 0
        while at + HEADER.size <= len(chunk):
            head = read_head(chunk, at)
            if head.size < HEADER.size:
                raise OSError(f"no batch at {pos + at}")
            if wanted(head):
                return pos + at, head
            at += head.size
        if at == 0:
            return None
        pos += at
    return None
