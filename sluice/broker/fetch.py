"""Fetch: a hand-written codec, answers from memory or from files, and the wait for more."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from sluice.broker.catalog import Catalog
from sluice.broker.errors import Code
from sluice.broker.memory import ResponseMemory
from sluice.broker.partition import Partition
from sluice.broker.segment import Slice
from sluice.broker.wire import I16, I32, I64, Malformed

Chunk = bytes | bytearray | Slice

DIRECT = 64 << 10  # bytes that may be held for a client without asking
_HEAD = struct.Struct(">iiiib")
_RESULT = struct.Struct(">ihqq")
_PARTS = {4: struct.Struct(">iqi"), 5: struct.Struct(">iqqi"), 9: struct.Struct(">iiqqi")}


@dataclass(slots=True, eq=False)
class Wanted:
    """What is asked of one partition: from `offset`, at most `limit` bytes."""

    partition: Partition | None
    number: int
    offset: int
    limit: int


@dataclass(slots=True)
class FetchRequest:
    """A parsed request; `max_wait` in seconds, topics by their encoded names."""

    version: int
    max_wait: float
    min_bytes: int
    max_bytes: int
    topics: list[tuple[bytes, list[Wanted]]]

    def partitions(self) -> list[Partition]:
        return [p.partition for _, parts in self.topics for p in parts if p.partition]


@dataclass(slots=True)
class Answer:
    """A response: `size` bytes of records, of which `held` are charged to the response memory."""

    chunks: list[Chunk] = field(default_factory=list)
    size: int = 0
    held: int = 0
    urgent: bool = False  # it has an error to tell
    cold: list[tuple[Wanted, int]] = field(default_factory=list)  # to be located; limit


def parse_fetch(frame: memoryview, pos: int, version: int, catalog: Catalog) -> FetchRequest:
    """Decode; raises Malformed or struct.error."""
    _, max_wait, min_bytes, max_bytes, _ = _HEAD.unpack_from(frame, pos)
    pos += _HEAD.size + (8 if version >= 7 else 0)
    layout = _PARTS[9 if version >= 9 else 5 if version >= 5 else 4]
    (count,) = I32.unpack_from(frame, pos)
    pos += 4
    if count < 0:
        raise Malformed(f"{count} topics")
    topics = []
    for _ in range(count):
        (size,) = I16.unpack_from(frame, pos)
        (parts,) = I32.unpack_from(frame, pos + 2 + max(size, 0))
        if size < 0 or parts < 0 or parts * layout.size > len(frame) - pos:
            raise Malformed(f"{parts} partitions")
        raw = bytes(frame[pos : pos + 2 + size])
        known = catalog.partitions(str(raw[2:], "utf-8"))
        pos += 6 + size
        end = pos + layout.size * parts
        values = layout.iter_unpack(frame[pos:end])
        topics.append((raw, [_wanted(known, v, version) for v in values]))
        pos = end
    return FetchRequest(version, max(max_wait, 0) / 1000, min_bytes, max_bytes, topics)


def _wanted(known: Sequence[Partition], values: tuple[int, ...], version: int) -> Wanted:
    number = values[0]
    partition = known[number] if 0 <= number < len(known) else None
    return Wanted(partition, number, values[2] if version >= 9 else values[1], values[-1])


class Collector:
    """Puts the answer to a fetch together from what is there now."""

    def __init__(self, memory: ResponseMemory) -> None:
        self._memory = memory

    def collect(self, request: FetchRequest) -> Answer:
        """The answer; if its `cold` is not empty, these must be located first."""
        answer = _Assembly(request, {}, tail=True).run()
        if answer.cold or answer.size <= DIRECT:
            return answer
        if self._memory.take(answer.size):
            answer.held = answer.size
            return answer
        return _Assembly(request, {}, tail=False).run()

    def give_back(self, answer: Answer) -> None:
        """The answer is not sent: free the memory that it was charged for."""
        self._memory.give_back(answer.held)
        answer.held = 0

    def collect_located(self, request: FetchRequest, found: dict[Wanted, Slice | None]) -> Answer:
        """The answer with `found` slices, which it owns (or releases) from now on."""
        assembly = _Assembly(request, found, tail=True)
        answer = assembly.run()
        in_memory = answer.size - assembly.sliced
        if in_memory > DIRECT:
            if self._memory.take(in_memory):
                answer.held = in_memory
            else:
                answer = _Assembly(request, found, tail=False).run()
        used = {id(chunk) for chunk in answer.chunks}
        for piece in found.values():
            if piece is not None and id(piece) not in used:
                piece.release()
        answer.cold.clear()
        return answer


class _Assembly:
    def __init__(
        self, request: FetchRequest, found: dict[Wanted, Slice | None], *, tail: bool
    ) -> None:
        self.request = request
        self.found = found
        self.tail = tail
        self.left = request.max_bytes
        self.sliced = 0
        self.answer = Answer()
        self.out = bytearray(b"\0\0\0\0" if request.version < 7 else bytes(10))

    def run(self) -> Answer:
        self.out += I32.pack(len(self.request.topics))
        for raw, parts in self.request.topics:
            self.out += raw
            self.out += I32.pack(len(parts))
            for part in parts:
                self._part(part)
        self.answer.chunks.append(self.out)
        return self.answer

    def _part(self, part: Wanted) -> None:
        partition, error = part.partition, Code.NONE
        data: Sequence[Chunk] = ()
        end = start = -1
        if partition is None or partition.closed:
            error = Code.UNKNOWN_TOPIC_OR_PARTITION
        else:
            end, start = partition.end, partition.start
            if not start <= part.offset <= end:
                error = Code.OFFSET_OUT_OF_RANGE
            elif part.offset < end and (self.left > 0 or not self.answer.size):
                data = self._data(partition, part)
        self.answer.urgent |= error != Code.NONE
        self._append(part.number, error, (end, start), data)

    def _append(
        self, number: int, error: int, span: tuple[int, int], data: Sequence[Chunk]
    ) -> None:
        size = sum(map(_size, data))
        version, out = self.request.version, self.out
        self.left -= size
        self.answer.size += size
        out += _RESULT.pack(number, error, span[0], span[0])
        if version >= 5:
            out += I64.pack(span[1])
        out += b"\xff\xff\xff\xff" * (2 if version >= 11 else 1)
        out += I32.pack(size)
        if size:
            self.answer.chunks.append(out)
            self.answer.chunks += data
            self.out = bytearray()

    def _data(self, partition: Partition, part: Wanted) -> Sequence[Chunk]:
        limit = min(part.limit, self.left)
        if part in self.found:
            piece = self.found[part]
            if piece is None or not piece.clip(limit, whole_first=not self.answer.size):
                return ()
            self.sliced += piece.length
            return (piece,)
        batches = partition.tail.read(part.offset, limit) if self.tail else None
        if batches is None:
            self.answer.cold.append((part, limit))
            return ()
        if self.answer.size and len(batches[0]) > limit:
            return ()  # only the first batch of a response may exceed the limits
        return batches


def _size(chunk: Chunk) -> int:
    return chunk.length if isinstance(chunk, Slice) else len(chunk)
