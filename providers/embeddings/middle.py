"""Where the dialects of embeddings meet."""

from __future__ import annotations

import binascii
import struct
from base64 import b64decode, b64encode

import msgspec
from msgspec import Raw, Struct

from schemas.errors import UpstreamError
from schemas.usage import Usage

_floats = msgspec.json.Decoder(list[float]).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class Asked(Struct, frozen=True):
    """What is asked for, and how the caller wants it."""

    texts: tuple[str, ...]
    dimensions: int | None = None
    base64: bool = False  # vectors as base64 of little-endian float32 rather than as numbers
    single: bool = False  # one vector by itself, not a list of one


class Embedded(Struct, frozen=True):
    """The vectors, one a text and in their order, as JSON arrays of numbers as the provider wrote them."""

    vectors: tuple[Raw, ...]
    usage: Usage | None = None
    model: str | None = None


def packed(vector: Raw) -> Raw:
    """A vector as base64: https://platform.openai.com/docs/api-reference/embeddings/create."""
    try:
        values = _floats(vector)
        return Raw(_encode(b64encode(struct.pack(f"<{len(values)}f", *values)).decode()))
    except (msgspec.DecodeError, struct.error, OverflowError) as error:
        raise UpstreamError(f"The provider sent what is no vector: {error}.") from error


def unpacked(vector: Raw) -> Raw:
    """A vector as numbers: some providers send base64 whatever they are asked for."""
    if bytes(memoryview(vector)[:1]) != b'"':
        return vector
    try:
        data = b64decode(_text(vector), validate=True)
        values = struct.unpack(f"<{len(data) // 4}f", data)
    except (msgspec.DecodeError, binascii.Error, struct.error, ValueError) as error:
        raise UpstreamError(f"The provider sent what is no vector: {error}.") from error
    return Raw(_encode(values))
