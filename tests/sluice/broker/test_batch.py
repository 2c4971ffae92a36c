"""Record batches: what is accepted from producers, and the records inside."""

import struct

import pytest

from sluice.broker.batch import CRC_FROM, crc32c, placed, produced_head, read_head, records, thinned
from sluice.broker.errors import Code, KafkaError
from tests.sluice.broker.support import batch, one

ROWS = [(b"a", b"1", 1000), (None, b"2", 1005), (b"c", None, 990)]


def changed(at: int, layout: str, value: int) -> bytes:
    data = bytearray(batch(ROWS))
    struct.pack_into(layout, data, at, value)
    return bytes(data)


def refusal(data: bytes, limit: int = 1 << 20) -> int:
    with pytest.raises(KafkaError) as caught:
        produced_head(memoryview(data), limit)
    return caught.value.code


@pytest.mark.parametrize("compression", [0, 1])
def test_records_are_read(compression: int) -> None:
    """Offsets, times, keys and the absence of a value come out of a batch, also a compressed one."""
    stored = placed(memoryview(batch(ROWS, compression=compression)), 70)
    found = [(r.offset, r.timestamp, r.key, r.full) for r in records(stored)]
    assert found == [(70, 1000, b"a", True), (71, 1005, None, True), (72, 990, b"c", False)]


@pytest.mark.parametrize("compression", [0, 1])
def test_a_thinned_batch_is_sound(compression: int) -> None:
    """Dropping records keeps the offsets of the others, the span of the batch and a right checksum."""
    stored = bytes(placed(memoryview(batch(ROWS, (5, 1, 9), compression)), 70))
    thin = thinned(stored, [list(records(stored))[2]])
    head = read_head(thin)
    assert (head.base, head.end, head.record_count, head.sequence) == (70, 73, 1, 9)
    assert [(r.offset, r.key) for r in records(thin)] == [(72, b"c")]
    assert crc32c(thin[CRC_FROM:]) == head.crc


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", Code.INVALID_RECORD),
        (batch(ROWS)[:40], Code.INVALID_RECORD),
        (batch(ROWS) * 2, Code.INVALID_RECORD),
        (batch(ROWS) + b"x", Code.INVALID_RECORD),
        (changed(16, ">b", 1), Code.INVALID_RECORD),
        (changed(8, ">i", -5), Code.INVALID_RECORD),
        (changed(21, ">h", 16), Code.INVALID_RECORD),
        (changed(21, ">h", 32), Code.INVALID_RECORD),
        (changed(21, ">h", 7), Code.UNSUPPORTED_COMPRESSION_TYPE),
        (changed(23, ">i", 7), Code.INVALID_RECORD),
        (changed(57, ">i", 0), Code.INVALID_RECORD),
        (changed(62, ">b", 1), Code.CORRUPT_MESSAGE),
    ],
)
def test_unsound_batches_are_refused(data: bytes, code: int) -> None:
    """A batch that Kafka refuses is refused with the same code; none reaches the log."""
    assert refusal(data) == code


def test_the_size_limit_counts_the_whole_batch() -> None:
    """`max.message.bytes` is the size of the batch with its header, as in Kafka."""
    data = one(b"x" * 1000)
    assert produced_head(memoryview(data), len(data)).record_count == 1
    assert refusal(data, len(data) - 1) == Code.MESSAGE_TOO_LARGE
