"""Produce: a hand-written codec, because every record passes here."""

from __future__ import annotations

import asyncio
import struct

from sluice.broker.catalog import Catalog
from sluice.broker.errors import Code, KafkaError
from sluice.broker.syncer import Syncer
from sluice.broker.wire import I16, I32, I64, Malformed

_HEAD, _PART, _RESULT = struct.Struct(">hii"), struct.Struct(">ii"), struct.Struct(">ihqq")
_NO_ERRORS = b"\0\0\0\0\xff\xff"  # record errors and message, version 8
_MAX_PARTS = 1 << 16

Parts = list[tuple[int, memoryview]]  # partition number, its batch


class Produce:
    """Parses, appends and answers produce requests."""

    def __init__(self, catalog: Catalog, syncer: Syncer) -> None:
        self._catalog = catalog
        self._syncer = syncer

    def serve(
        self, frame: memoryview, pos: int, version: int, out: bytearray
    ) -> bytearray | asyncio.Future[bytearray] | None:
        """The response appended to `out`; None when the client wants none (acks 0).

        Nothing is appended to any log unless the whole request is sound; else raises Malformed or
        struct.error.
        """
        transaction = I16.unpack_from(frame, pos)[0]
        pos += 2 + max(transaction, 0)
        acks, _, count = _HEAD.unpack_from(frame, pos)
        topics = _parse(frame, pos + _HEAD.size, count)
        out += I32.pack(len(topics))
        for raw, parts in topics:
            out += raw
            out += I32.pack(len(parts))
            self._topic(str(raw[2:], "utf-8"), parts, version, out, acks)
        out += b"\0\0\0\0"
        if not acks:
            return None
        return self._after_sync(out) if self._syncer.before_ack else out

    def _topic(self, name: str, parts: Parts, version: int, out: bytearray, acks: int) -> None:
        for number, data in parts:
            error, base, start = Code.NONE, -1, -1
            try:
                partition = self._catalog.partition(name, number)
                if not -1 <= acks <= 1:
                    raise KafkaError(Code.INVALID_REQUIRED_ACKS)
                base = partition.append(data)
                start = partition.start
            except KafkaError as exc:
                error = exc.code
            out += _RESULT.pack(number, error, base, -1)
            if version >= 5:
                out += I64.pack(start)
            if version >= 8:
                out += _NO_ERRORS

    def _after_sync(self, out: bytearray) -> asyncio.Future[bytearray]:
        answer: asyncio.Future[bytearray] = asyncio.get_running_loop().create_future()

        def synced(flushed: asyncio.Future[None]) -> None:
            if answer.done():
                return
            if error := flushed.exception():
                answer.set_exception(error)
            else:
                answer.set_result(out)

        self._syncer.flushed().add_done_callback(synced)
        return answer


def _parse(frame: memoryview, pos: int, count: int) -> list[tuple[memoryview, Parts]]:
    """Topics (the name with its length, as it stands) and their batches."""
    if not 0 <= count <= _MAX_PARTS:
        raise Malformed(f"{count} topics")
    topics = []
    for _ in range(count):
        size = I16.unpack_from(frame, pos)[0]
        if size < 0:
            raise Malformed("a topic without a name")
        raw = frame[pos : pos + 2 + size]
        str(raw[2:], "utf-8")
        parts, pos = _parse_parts(frame, pos + 2 + size)
        topics.append((raw, parts))
    return topics


def _parse_parts(frame: memoryview, pos: int) -> tuple[Parts, int]:
    count = I32.unpack_from(frame, pos)[0]
    if not 0 <= count <= _MAX_PARTS:
        raise Malformed(f"{count} partitions")
    pos += 4
    parts: Parts = []
    for _ in range(count):
        number, size = _PART.unpack_from(frame, pos)
        pos += _PART.size
        end = pos + max(size, 0)
        if size < -1 or end > len(frame):
            raise Malformed(f"records of {size} bytes")
        parts.append((number, frame[pos:end]))
        pos = end
    return parts, pos
