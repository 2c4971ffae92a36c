"""What remote stores keep beside a vector, as one string with a checksum."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Struct

from streams.caches.vectors.base import Entry, Neighbour

ATTEMPTS = 3


class _Payload(Struct, frozen=True, array_like=True):
    id: str
    group: str
    text: str
    answer: bytes


class Row(Struct, frozen=True):
    """What a store found: its own name of the entry, what it kept, and the cosine."""

    name: str
    payload: object
    similarity: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Payload).decode


def name_of(namespace: str, entry_id: str) -> str:
    """A UUID, which every store takes as a name."""
    return str(uuid5(NAMESPACE_URL, f"sluice:{namespace}:{entry_id}"))


def packed(entry: Entry) -> str:
    """For `neighbour`."""
    payload = _encode(_Payload(entry.id, entry.group, entry.text, entry.answer))
    return base64.b64encode(zlib.crc32(payload).to_bytes(4) + payload).decode()


def neighbour(row: Row) -> Neighbour | None:
    """None if what was kept cannot be read."""
    if not isinstance(row.payload, str):
        return None
    try:
        data = base64.b64decode(row.payload, validate=True)
        if zlib.crc32(data[4:]).to_bytes(4) != data[:4]:
            return None
        kept = _decode(data[4:])
    except (binascii.Error, msgspec.MsgspecError, ValueError):
        return None
    similarity = min(max(row.similarity, -1.0), 1.0)
    return Neighbour(kept.id, kept.group, kept.text, kept.answer, similarity)


async def sound(
    search: Callable[[], Awaitable[Iterable[Row]]],
    forget: Callable[[Sequence[str]], Awaitable[object]],
) -> Sequence[Neighbour]:
    """What `search` finds and can be read, the nearest first. What cannot is forgotten and looked past:
    it would take the place of a right one each time."""
    found: list[Neighbour] = []
    for _ in range(ATTEMPTS):
        rows = list(await search())
        read = [(row, neighbour(row)) for row in rows]
        found = [each for _, each in read if each is not None]
        damaged = [row.name for row, each in read if each is None]
        if not damaged:
            break
        await forget(damaged)
    return sorted(found, key=lambda each: -each.similarity)
