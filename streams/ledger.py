"""Which offsets of a partition are delivered, finished and safe to commit. Pure.

The commit is the lowest offset of unfinished work. Its metadata carries what the offset cannot say:

    s1:<floor>:<flag>:<bitmap>
    s2:<floor>:<flag>:<away>:<bitmap>

`floor` is the lowest `llm.exchanges` offset that can hold a record of a request that this commit does
not mark finished; `flag` is `c` if none of those was ever started, but for those that are away (a clean
stop), else `-`; `bitmap` is base85 of the compressed bits of finished offsets above the commit; `away`
is `<boot id>/<bitmap>`, joined by commas, of what other workers still run.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

MAX_SPAN = 20_000  # offsets that one bitmap covers
MAX_AWAY = 3_000  # characters of it for what is away
MAX_METADATA = 3_800  # characters; the broker's offset.metadata.max.bytes is 4096 by default


class Commit(Struct, frozen=True):
    """What stands at the broker for one partition."""

    offset: int
    floor: int = 0
    clean: bool = False
    finished: frozenset[int] = frozenset()
    away: dict[int, str] = {}  # boot id of who runs it, by unfinished offset


class Delivered(Protocol):
    """What the ledger asks of a request under way."""

    started: bool
    running: bool  # now, in this process
    floor: int | None  # end of llm.exchanges when its first record there was sent; None: not yet


def pack(commit: Commit) -> str:
    """Metadata of a commit. Finished offsets that do not fit are left out; `covered` tells whether any were."""
    prefix = _prefix(commit)
    bitmap = _bits(commit.offset, commit.finished)
    return prefix + (bitmap if len(prefix) + len(bitmap) <= MAX_METADATA else "")


def _prefix(commit: Commit) -> str:
    flag = "c" if commit.clean else "-"
    if not commit.away:
        return f"s1:{commit.floor}:{flag}:"
    return f"s2:{commit.floor}:{flag}:{_away(commit.offset, commit.away)}:"


def _away(base: int, away: Mapping[int, str]) -> str:
    by_owner: dict[str, list[int]] = {}
    for offset, owner in away.items():
        by_owner.setdefault(owner, []).append(offset)
    return ",".join(f"{owner}/{_bits(base, found)}" for owner, found in sorted(by_owner.items()))


def covered(commit: Commit) -> bool:
    """Whether the metadata holds every finished offset of the commit."""
    if any(offset - commit.offset >= MAX_SPAN for offset in commit.finished):
        return False
    bits = len(_bits(commit.offset, commit.finished))
    return len(_prefix(commit)) + bits + 15 <= MAX_METADATA  # the floor may have more digits


def unpack(offset: int, metadata: str | None) -> Commit:
    """Inverse of pack(); metadata that is not ours means that nothing more is known."""
    version, _, rest = (metadata or "").partition(":")
    parts = rest.split(":")
    if {"s1": 3, "s2": 4}.get(version) != len(parts) or not parts[0].isdigit():
        return Commit(offset)
    try:
        finished = _offsets(offset, parts[-1])
        away = {
            each: owner
            for owner, _, bits in (one.partition("/") for one in parts[2].split(","))
            for each in _offsets(offset, bits if version == "s2" else "")
        }
    except (ValueError, zlib.error):
        return Commit(offset)
    return Commit(offset, int(parts[0]), parts[1] == "c", finished, away)


def _offsets(base: int, bitmap: str) -> frozenset[int]:
    bits = zlib.decompress(base64.b85decode(bitmap)) if bitmap else b""
    return frozenset(
        base + index for index in range(len(bits) * 8) if bits[index >> 3] >> (index & 7) & 1
    )


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
        "_ran",
        "_running",
        "away",
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
        self.away = {o: who for o, who in commit.away.items() if o not in self._finished}
        self._ran = frozenset(self.away)

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
        self.away.pop(offset, None)
        self._finished.add(offset)

    def take_over(self, offset: int) -> None:
        """Whoever ran the request at `offset` does so no more, or it is this worker."""
        self.away.pop(offset, None)

    @property
    def finished(self) -> frozenset[int]:
        return frozenset(self._finished)

    def redelivered(self, offset: int) -> bool:
        """Whether the record at `offset` may have run before."""
        return (self.unclean and offset < self.boundary) or offset in self._ran

    def pinning(self, limit: int) -> int | None:
        """The oldest unfinished offset, if more than `limit` offsets lie above it."""
        oldest = min(self._running, default=None)
        return oldest if oldest is not None and self.next_offset - oldest > limit else None

    def commit(self, end: int, *, final: bool, boot_id: str = "") -> Commit:
        """What to commit now. `end` is the known end of the partition's exchanges.

        `final`: nothing starts after this commit, so that it may say that nothing was started but
        what `boot_id` goes on to run.
        """
        base = min(self._running, default=self.next_offset)
        self._finished = {offset for offset in self._finished if offset >= base}
        running = [each for each in self._running.values() if each is not None]
        floors = [end, *(each.floor for each in running if each.floor is not None)]
        clean = final and not any(each.started and not each.running for each in running)
        if base < self.boundary:  # what the predecessor said of these still holds
            floors.append(self._inherited)
            clean = clean and not self.unclean
        away = dict(self.away)
        if final:
            away |= {o: boot_id for o, each in self._running.items() if each and each.running}
            if len(_away(base, away)) > MAX_AWAY:  # the next owner takes it for a crash
                away, clean = {}, False
        found = Commit(base, min(floors), clean, frozenset(self._finished), away)
        if not covered(found):  # what is left out must still be found in the exchanges
            found = replace(found, floor=min(self._floor, found.floor))
        self._floor = found.floor
        return found
