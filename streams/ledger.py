"""Which offsets of a partition are delivered, finished and safe to commit. Pure.

The commit is the lowest offset of unfinished work. Its metadata carries what the offset cannot say:

    s1:<floor>:<flag>:<bitmap>

`floor` is the lowest `llm.exchanges` offset that can hold a record of a request that this commit does
not mark finished; `flag` is `c` if none of those was ever started (a clean stop), else `-`; `bitmap`
is base85 of the compressed bits of finished offsets above the commit.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

MAX_SPAN = 20_000  # offsets that one bitmap covers
MAX_METADATA = 3_800  # characters; the broker's offset.metadata.max.bytes is 4096 by default


class Commit(Struct, frozen=True):
    """What stands at the broker for one partition."""

    offset: int
    floor: int = 0
    clean: bool = False
    finished: frozenset[int] = frozenset()


class Delivered(Protocol):
    """What the ledger asks of a request under way."""

    started: bool
    floor: int | None  # end of llm.exchanges when its first record there was sent; None: not yet


def pack(commit: Commit) -> str:
    """Metadata of a commit. Finished offsets that do not fit are left out; `covered` tells whether any were."""
    prefix = f"s1:{commit.floor}:{'c' if commit.clean else '-'}:"
    bitmap = _bits(commit.offset, commit.finished)
    return prefix + (bitmap if len(prefix) + len(bitmap) <= MAX_METADATA else "")


def covered(commit: Commit) -> bool:
    """Whether the metadata holds every finished offset of the commit."""
    if any(offset - commit.offset >= MAX_SPAN for offset in commit.finished):
        return False
    return len(_bits(commit.offset, commit.finished)) + 30 <= MAX_METADATA


def unpack(offset: int, metadata: str | None) -> Commit:
    """Inverse of pack(); metadata that is not ours means that nothing more is known."""
    parts = (metadata or "").split(":", 3)
    if len(parts) != 4 or parts[0] != "s1" or not parts[1].isdigit():
        return Commit(offset)
    try:
        bits = zlib.decompress(base64.b85decode(parts[3])) if parts[3] else b""
    except (ValueError, zlib.error):
        return Commit(offset)
    finished = frozenset(
        offset + index for index in range(len(bits) * 8) if bits[index >> 3] >> (index & 7) & 1
    )
    return Commit(offset, int(parts[1]), parts[2] == "c", finished)


def _bits(base: int, offsets: Iterable[int]) -> str:
    inside = [offset - base for offset in offsets if 0 <= offset - base < MAX_SPAN]
    if not inside:
        return ""
    bits = bytearray(max(inside) // 8 + 1)
    for index in inside:
        bits[index >> 3] |= 1 << (index & 7)
    return base64.b85encode(zlib.compress(bytes(bits), 1)).decode()


class Ledger:
    """One assigned partition in one generation of the group."""

    __slots__ = (
        "_finished",
        "_floor",
        "_inherited",
        "_running",
        "boundary",
        "next_offset",
        "unclean",
    )

    def __init__(self, commit: Commit, boundary: int, finished: Iterable[int] = ()) -> None:
        self.next_offset = commit.offset
        # Records below may have run before: in an owner that crashed, or not at all.
        self.boundary = boundary
        self.unclean = not commit.clean
        self._running: dict[int, Delivered | None] = {}
        self._finished = set(commit.finished)
        self._finished.update(offset for offset in finished if offset >= commit.offset)
        self._floor = self._inherited = commit.floor

    def deliver(self, offset: int) -> bool:
        """Note that a record was read; False if it is finished or was delivered already."""
        if offset < self.next_offset:
            return False
        self.next_offset = offset + 1
        if offset in self._finished:
            return False
        self._running[offset] = None
        return True

    def attach(self, offset: int, delivered: Delivered) -> None:
        """Say which request a delivered offset belongs to."""
        if offset in self._running:
            self._running[offset] = delivered

    def delivery(self, offset: int) -> Delivered | None:
        """The request at an unfinished offset."""
        return self._running.get(offset)

    def finish(self, offset: int) -> None:
        """The offset needs no more work."""
        self._running.pop(offset, None)
        self._finished.add(offset)

    @property
    def finished(self) -> frozenset[int]:
        return frozenset(self._finished)

    def redelivered(self, offset: int) -> bool:
        """Whether the record at `offset` may have run before."""
        return self.unclean and offset < self.boundary

    def pinning(self, limit: int) -> int | None:
        """The oldest unfinished offset, if more than `limit` offsets lie above it."""
        oldest = min(self._running, default=None)
        return oldest if oldest is not None and self.next_offset - oldest > limit else None

    def commit(self, end: int, *, final: bool) -> Commit:
        """What to commit now. `end` is the known end of the partition's exchanges.

        `final`: nothing starts after this commit, so that it may say that nothing was started.
        """
        base = min(self._running, default=self.next_offset)
        self._finished = {offset for offset in self._finished if offset >= base}
        running = [each for each in self._running.values() if each is not None]
        floors = [end, *(each.floor for each in running if each.floor is not None)]
        clean = final and not any(each.started for each in running)
        if base < self.boundary:  # what the predecessor said of these still holds
            floors.append(self._inherited)
            clean = clean and not self.unclean
        found = Commit(base, min(floors), clean, frozenset(self._finished))
        if not covered(found):  # what is left out must still be found in the exchanges
            found = Commit(base, min(self._floor, found.floor), found.clean, found.finished)
        self._floor = found.floor
        return found
