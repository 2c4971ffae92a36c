"""Decoders of record batches' codecs: for compaction, the time look-up, and what foreign producers send."""

from __future__ import annotations

import zlib

NONE, GZIP, SNAPPY, LZ4 = 0, 1, 2, 3
MAX_BODY = 128 << 20  # bytes; a batch that unpacks to more is left alone
_XERIAL = b"\x82SNAPPY\x00"
_LZ4_FRAME = 0x184D2204


class CannotDecode(ValueError):
    """The codec is zstd, which Python 3.11 cannot read, or the bytes are damaged."""


def decompress(codec: int, body: bytes) -> bytes:
    """The records of a batch's body; raises CannotDecode."""
    try:
        if codec == NONE:
            return body
        if codec == GZIP:
            return _gzip(body)
        if codec == SNAPPY:
            return _snappy_stream(body)
        if codec == LZ4:
            return _lz4_frame(body)
    except (zlib.error, IndexError, ValueError) as exc:
        raise CannotDecode(f"codec {codec}") from exc
    raise CannotDecode(f"codec {codec}")


def _gzip(body: bytes) -> bytes:
    inflater = zlib.decompressobj(31)
    data = inflater.decompress(body, MAX_BODY)
    if not inflater.eof:
        raise ValueError("longer than allowed, or cut")
    return data


def _snappy_stream(body: bytes) -> bytes:
    """Java and aiokafka frame snappy as xerial does, librdkafka does not."""
    if not body.startswith(_XERIAL):
        return _snappy(body)
    pos, out = 16, bytearray()
    while pos < len(body):
        size = int.from_bytes(body[pos : pos + 4], "big")
        out += _snappy(body[pos + 4 : pos + 4 + size])
        pos += 4 + size
    return bytes(out)


def _snappy(data: bytes) -> bytes:
    size = shift = pos = 0
    while True:
        byte = data[pos]
        pos += 1
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    out = bytearray()
    while pos < len(data):
        pos = _snappy_element(data, pos, out)
    if len(out) != size:
        raise ValueError("wrong size")
    return bytes(out)


def _snappy_element(data: bytes, pos: int, out: bytearray) -> int:
    tag = data[pos]
    kind, high = tag & 3, tag >> 2
    pos += 1
    if kind == 0:
        extra = max(high - 59, 0)
        length = (int.from_bytes(data[pos : pos + extra], "little") if extra else high) + 1
        pos += extra
        out += data[pos : pos + length]
        return pos + length
    if kind == 1:
        _copy(out, (tag >> 5) << 8 | data[pos], (high & 7) + 4)
        return pos + 1
    width = 2 if kind == 2 else 4
    _copy(out, int.from_bytes(data[pos : pos + width], "little"), high + 1)
    return pos + width


def _copy(out: bytearray, distance: int, length: int) -> None:
    """Append `length` bytes from `distance` back; they may overlap what is appended."""
    start = len(out) - distance
    if distance <= 0 or start < 0 or len(out) + length > MAX_BODY:
        raise ValueError("a copy from outside")
    piece = bytes(out[start : start + length])
    if len(piece) < length:
        piece = (piece * (length // len(piece) + 1))[:length]
    out += piece


def _lz4_frame(data: bytes) -> bytes:
    if int.from_bytes(data[:4], "little") != _LZ4_FRAME:
        raise ValueError("no LZ4 frame")
    flags = data[4]
    pos = 7 + (8 if flags & 8 else 0)
    out = bytearray()
    while mark := int.from_bytes(data[pos : pos + 4], "little"):
        size = mark & 0x7FFFFFFF
        block = data[pos + 4 : pos + 4 + size]
        if len(block) < size:
            raise ValueError("cut")
        if mark >> 31:
            out += block
        else:
            _lz4_block(block, out)
        pos += 4 + size + (4 if flags & 16 else 0)
    return bytes(out)


def _lz4_block(data: bytes, out: bytearray) -> None:
    pos = 0
    while pos < len(data):
        token = data[pos]
        length, pos = _lz4_length(data, pos + 1, token >> 4)
        out += data[pos : pos + length]
        pos += length
        if pos >= len(data):  # the last sequence has only literals
            return
        distance = data[pos] | data[pos + 1] << 8
        length, pos = _lz4_length(data, pos + 2, token & 15)
        _copy(out, distance, length + 4)


def _lz4_length(data: bytes, pos: int, length: int) -> tuple[int, int]:
    if length == 15:
        while True:
            byte = data[pos]
            pos += 1
            length += byte
            if byte != 255:
                break
    return length, pos
