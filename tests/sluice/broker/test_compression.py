"""Decoders: gzip, snappy and LZ4 as clients write them; damage is an error, not an endless loop."""

import gzip
import os
import struct
import zlib

import pytest
from hypothesis import given, settings, strategies as st

from sluice.broker import compression
from sluice.broker.compression import GZIP, LZ4, SNAPPY, CannotDecode, decompress

SNAPPY_RAW = b"\x0a\x08abc\x1e\x03\x00"  # "abc", then 7 bytes from 3 back: copies overlap
XERIAL = b"\x82SNAPPY\x00" + bytes(8)


def lz4_frame(*blocks: bytes, flags: int = 0x60) -> bytes:
    head = struct.pack("<IBBB", 0x184D2204, flags, 0x40, 0)
    return head + b"".join(blocks) + bytes(4)


def test_gzip() -> None:
    """What gzip packed comes back."""
    data = os.urandom(1000) * 5
    assert decompress(GZIP, gzip.compress(data)) == data


def test_snappy_raw_and_framed() -> None:
    """librdkafka's bare snappy and the framing of Java clients both decode, with overlapping copies."""
    raw = b"\x0a\x08abc" + bytes([((7 - 4) << 2) | 1, 3])
    assert decompress(SNAPPY, raw) == b"abcabcabca"
    framed = XERIAL + 2 * (struct.pack(">i", len(raw)) + raw)
    assert decompress(SNAPPY, framed) == b"abcabcabca" * 2


def test_lz4_blocks() -> None:
    """Stored and packed blocks decode, with an overlapping match and long lengths."""
    stored = struct.pack("<I", 0x80000000 | 5) + b"12345"
    packed = bytes([0x3F]) + b"abc" + struct.pack("<H", 3) + bytes([255, 1]) + bytes([0x20]) + b"yz"
    block = struct.pack("<I", len(packed)) + packed
    expected = b"abc" + (b"abc" * 100)[: 15 + 255 + 1 + 4] + b"yz"
    assert decompress(LZ4, lz4_frame(stored, block)) == b"12345" + expected


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        (4, b"\x28\xb5\x2f\xfd"),
        (GZIP, b"no gzip"),
        (GZIP, gzip.compress(b"x" * 1000, mtime=0)[:-20]),
        (SNAPPY, b"\x0a\x08abc\xff\xff"),
        (SNAPPY, SNAPPY_RAW[:4]),
        (LZ4, b"no frame at all"),
        (LZ4, lz4_frame(struct.pack("<I", 50) + b"short")),
    ],
)
def test_what_cannot_be_decoded_says_so(codec: int, data: bytes) -> None:
    """zstd and damaged bytes raise CannotDecode, which leaves the batch as it is."""
    with pytest.raises(CannotDecode):
        decompress(codec, data)


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that unpacks to more than the limit is not unpacked."""
    monkeypatch.setattr(compression, "MAX_BODY", 10_000)
    with pytest.raises(CannotDecode):
        decompress(GZIP, gzip.compress(bytes(20_000)))
    with pytest.raises(CannotDecode):
        decompress(SNAPPY, b"\xa0\x9c\x01\x00a" + (b"\xfe\x01\x00" * 400))


@settings(deadline=None)
@given(st.sampled_from([GZIP, SNAPPY, LZ4]), st.binary(max_size=200))
def test_any_bytes_decode_or_fail(codec: int, data: bytes) -> None:
    """No input makes a decoder fail in another way."""
    for begin in (b"", zlib.compress(b"x"), XERIAL, lz4_frame()[:7]):
        try:
            decompress(codec, begin + data)
        except CannotDecode:
            continue
