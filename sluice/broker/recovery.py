"""What a broker does with a segment at its start: trust the index, scan the rest, cut a torn tail."""

from __future__ import annotations

import os
from collections.abc import Callable

import structlog

from sluice.broker.batch import CRC_FROM, HEADER, Head, crc32c, read_head
from sluice.broker.index import read_image
from sluice.broker.producers import Producers
from sluice.broker.segment import Segment

log = structlog.get_logger()

_RESCAN = 1 << 20  # bytes before the end that are checked again although they are indexed
_CHUNK = 4 << 20


def recover(segment: Segment, producers: Producers, owner: int, *, last: bool) -> None:
    """Fill in an opened segment from its files; the last one of a partition loses a torn tail.

    An index file counts only if it is of the topic `owner`. `producers` becomes what it knew plus the batches scanned here. Raises OSError.
    """
    fd = segment.pin()
    try:
        on_disk = os.fstat(fd).st_size
        segment.modified = os.fstat(fd).st_mtime
        segment.named = True
        image = read_image(segment.index_path)
        if image and image.owner == owner and image.size <= on_disk:
            producers.decode(image.producers)
            segment.adopt(image)
            if not last and image.size == on_disk:
                return
            segment.size, offset, segment.newest = segment.index.resume(on_disk - _RESCAN)
            segment.end = max(offset, segment.base)
        _scan(segment, fd, on_disk, lambda head: producers.note(head, head.base, segment.modified))
        if segment.size < on_disk:
            torn = on_disk - segment.size
            if last:
                segment.cut()
            log.warning("log_tail_torn", path=str(segment.path), bytes=torn, removed=last)
    finally:
        segment.unpin()


def _scan(segment: Segment, fd: int, on_disk: int, seen: Callable[[Head], None]) -> None:
    """Count the whole, sound batches from the segment's size on."""
    while segment.size + HEADER.size <= on_disk:
        chunk = memoryview(os.pread(fd, _CHUNK, segment.size))
        head = read_head(chunk)
        if head.size > len(chunk) and _plausible(segment, head, on_disk):
            chunk = memoryview(os.pread(fd, head.size, segment.size))
        if not _count(segment, chunk, on_disk, seen):
            return


def _count(segment: Segment, chunk: memoryview, on_disk: int, seen: Callable[[Head], None]) -> bool:
    """Count the batches of a chunk that begins with one; False if there is none to go on from."""
    at = 0
    while at + HEADER.size <= len(chunk):
        head = read_head(chunk, at)
        if not _plausible(segment, head, on_disk):
            return False
        if at + head.size > len(chunk):
            return at > 0
        if crc32c(chunk[at + CRC_FROM : at + head.size]) != head.crc:
            return False
        seen(head)
        segment.note(head)
        at += head.size
    return True


def _plausible(segment: Segment, head: Head, on_disk: int) -> bool:
    return (
        head.magic == 2
        and head.length >= HEADER.size - 12
        and head.base >= segment.end
        and head.last_delta >= 0
        and segment.size + head.size <= on_disk
    )
