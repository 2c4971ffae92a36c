"""Request ids: UUIDv7 (RFC 9562), time-ordered, with the reply slot in the 12 bits of `rand_a`."""

from __future__ import annotations

import os
import re

MAX_SLOT = 0xFFF
_OURS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_POOL = 512  # bytes: one system call for many ids
_HEX = "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}"


def new_id(milliseconds: int, slot: int = 0) -> str:
    """A new id, made at `milliseconds` since the epoch by the ingress process of `slot` (0 to 4095)."""
    high = int.from_bytes(_random(8), "big")
    return _HEX.format(
        milliseconds >> 16 & 0xFFFFFFFF,
        milliseconds & 0xFFFF,
        0x7000 | slot,
        0x8000 | high >> 50,
        high & 0xFFFFFFFFFFFF,
    )


_pool = b""
_used = 0


def _random(size: int) -> bytes:
    global _pool, _used
    if _used + size > len(_pool):
        _pool, _used = os.urandom(_POOL), 0
    _used += size
    return _pool[_used - size : _used]


def milliseconds_of(request_id: str) -> int | None:
    """When an id of ours was made, since the epoch; None if it is none."""
    if _OURS.fullmatch(request_id) is None:
        return None
    return int(request_id[:8] + request_id[9:13], 16)


def slot_of(request_id: str) -> int | None:
    """The reply slot that an id of ours carries; None if the id is not a UUIDv7."""
    if len(request_id) != 36 or request_id[14] != "7":
        return None
    try:
        return int(request_id[15:18], 16)
    except ValueError:
        return None
