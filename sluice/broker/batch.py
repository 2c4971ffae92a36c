"""Record batches (magic 2): the header, what a producer must keep to, the records inside."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from aiokafka.record.util import calc_crc32c

from sluice.broker.compression import GZIP, LZ4, CannotDecode, decompress
from sluice.broker.errors import Code, KafkaError

HEADER = struct.Struct(">qiibIhiqqqhii")
_PLACE = struct.Struct(">qii")  # base offset, length, leader epoch: before what the checksum covers
LENGTH_AT = 12  # bytes before what the length field counts
CRC_FROM = 21  # the checksum covers the attributes and all that follows
_CODEC, _TIMESTAMP_TYPE, _TRANSACTIONAL, _CONTROL = 7, 8, 16, 32

crc32c: Callable[[bytes | bytearray | memoryview], int] = calc_crc32c


class Head(NamedTuple):
    """A batch's header; offsets are the broker's, timestamps are milliseconds."""

    base: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    sequence: int
    record_count: int

    @property
    def size(self) -> int:
        return self.length + LENGTH_AT

    @property
    def end(self) -> int:
        """The offset after the batch's last."""
        return self.base + self.last_delta + 1

    @property
    def codec(self) -> int:
        return self.attributes & _CODEC


class Record(NamedTuple):
    """One record: its offset, time (ms), key, whether it has a value, and its bytes in the body."""

    offset: int
    timestamp: int
    key: bytes | None
    full: bool
    raw: memoryview


def read_head(data: bytes | bytearray | memoryview, pos: int = 0) -> Head:
    """The header at `pos`; the caller made sure that HEADER.size bytes are there."""
    return Head._make(HEADER.unpack_from(data, pos))


def produced_head(data: memoryview, max_bytes: int) -> Head:
    """The header of what a producer sent for one partition; KafkaError as Kafka refuses it."""
    if len(data) < HEADER.size:
        raise KafkaError(Code.INVALID_RECORD, "exactly one record batch is needed")
    head = read_head(data)
    if head.magic != 2 or head.size != len(data):
        raise KafkaError(Code.INVALID_RECORD, "exactly one record batch of magic 2 is needed")
    if head.size > max_bytes:
        raise KafkaError(Code.MESSAGE_TOO_LARGE)
    if head.attributes & (_TIMESTAMP_TYPE | _TRANSACTIONAL | _CONTROL):
        raise KafkaError(Code.INVALID_RECORD, "no transactions, control records or broker's times")
    if head.codec > 4:
        raise KafkaError(Code.UNSUPPORTED_COMPRESSION_TYPE)
    if head.record_count <= 0 or head.last_delta != head.record_count - 1:
        raise KafkaError(Code.INVALID_RECORD, "offsets of a new batch must be consecutive")
    if crc32c(data[CRC_FROM:]) != head.crc:
        raise KafkaError(Code.CORRUPT_MESSAGE)
    _check_records(head, data[HEADER.size :])
    return head


def _check_records(head: Head, body: memoryview) -> None:
    """As many records must stand there as the header says: no consumer gets past a batch in which
    they do not. What is in a record is not looked at, nor what only zstd could unpack."""
    pos = 0
    try:
        if head.codec:
            if head.codec > LZ4:
                return
            body = memoryview(decompress(head.codec, bytes(body)))
        for _ in range(head.record_count):
            size, pos = _varint(body, pos)
            if size <= 0:
                raise IndexError
            pos += size
    except (CannotDecode, IndexError) as exc:
        raise KafkaError(Code.INVALID_RECORD, "the records cannot be read") from exc
    if pos != len(body):
        raise KafkaError(Code.INVALID_RECORD, "more bytes than records")


def placed(data: memoryview, base: int) -> bytearray:
    """A copy of a produced batch that stands at offset `base`."""
    batch = bytearray(data)
    _PLACE.pack_into(batch, 0, base, len(batch) - LENGTH_AT, 0)
    return batch


def records(batch: bytes | bytearray) -> Iterator[Record]:
    """The records of a stored batch; raises CannotDecode."""
    head = read_head(batch)
    body = memoryview(decompress(head.codec, bytes(batch[HEADER.size :])))
    pos = 0
    try:
        for _ in range(head.record_count):
            record, pos = _record(head, body, pos)
            yield record
    except IndexError as exc:
        raise CannotDecode("a record is cut") from exc


def _record(head: Head, body: memoryview, start: int) -> tuple[Record, int]:
    size, pos = _varint(body, start)
    end = pos + size
    since, pos = _varint(body, pos + 1)
    delta, pos = _varint(body, pos)
    length, pos = _varint(body, pos)
    key = bytes(body[pos : pos + length]) if length >= 0 else None
    value, _ = _varint(body, pos + max(length, 0))
    if end > len(body) or size <= 0:
        raise IndexError
    when = head.first_timestamp + since
    return Record(head.base + delta, when, key, value >= 0, body[start:end]), end


def _varint(buf: memoryview, pos: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = buf[pos]
        pos += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return (value >> 1) ^ -(value & 1), pos
        shift += 7


def thinned(batch: bytes, kept: list[Record]) -> bytes:
    """The batch with only `kept` of its records: same offsets, gzip if it was compressed."""
    head = read_head(batch)
    body = b"".join(record.raw for record in kept)
    attributes = head.attributes & ~_CODEC
    if head.codec:
        packer = zlib.compressobj(wbits=31)
        body = packer.compress(body) + packer.flush()
        attributes |= GZIP
    fresh = head._replace(
        length=HEADER.size - LENGTH_AT + len(body), attributes=attributes, record_count=len(kept)
    )
    out = bytearray(HEADER.pack(*fresh)) + body
    struct.pack_into(">I", out, 17, crc32c(memoryview(out)[CRC_FROM:]))
    return bytes(out)
