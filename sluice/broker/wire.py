"""Kafka's message encoding: schemas written as text, a bounds-checked reader, an encoder."""

from __future__ import annotations

import re
import struct
from typing import Any

# A message is described by "name:type ..."; "@3" or "@0-2" after a name limits the field to these
# versions; [...] is an array; a "?" before a type or an array allows null. Only non-flexible
# versions are offered (and ApiVersions 3), so this is all there is to the encoding.
Schema = list[tuple[str, Any, int, int]]
Message = dict[str, Any]

I16, I32, I64 = struct.Struct(">h"), struct.Struct(">i"), struct.Struct(">q")
_NUMBERS = {
    "i8": struct.Struct(">b"),
    "i16": I16,
    "i32": I32,
    "i64": I64,
    "bool": struct.Struct(">?"),
}
_LENGTHS = {"str": I16, "bytes": I32}


class Malformed(ValueError):
    """Bytes that are no request of the protocol; the connection that sent them is closed."""


class Array:
    """An array type: its item is a primitive's name, another array, or the fields of a struct."""

    __slots__ = ("item", "nullable")

    def __init__(self, item: Any, nullable: bool) -> None:
        self.item = item
        self.nullable = nullable


def schema(text: str) -> Schema:
    """Parse the notation above."""
    return _Parser(text).fields()


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = re.findall(r"[\w@-]+:|\?\[|\[|\]|\??\w+", text)[::-1]

    def kind(self) -> Any:
        token = self.tokens.pop()
        if not token.endswith("["):
            return token
        item = self.fields() if self.tokens[-1].endswith(":") else self.kind()
        self.tokens.pop()
        return Array(item, token == "?[")

    def fields(self) -> Schema:
        found: Schema = []
        while self.tokens and self.tokens[-1] != "]":
            name, _, versions = self.tokens.pop()[:-1].partition("@")
            low, _, high = versions.partition("-")
            found.append((name, self.kind(), int(low or 0), int(high or 99)))
        return found


class Reader:
    """Decodes a request body from `pos` on; raises Malformed where it ends too early."""

    __slots__ = ("buf", "pos")

    def __init__(self, buf: memoryview, pos: int = 0) -> None:
        self.buf = buf
        self.pos = pos

    def number(self, codec: struct.Struct) -> Any:
        self.pos += codec.size
        if self.pos > len(self.buf):
            raise Malformed("the request ends within a number")
        return codec.unpack_from(self.buf, self.pos - codec.size)[0]

    def raw(self, length: struct.Struct) -> memoryview | None:
        """The bytes of a string or of `bytes`; None for null."""
        size = self.number(length)
        if size < 0:
            if size != -1:
                raise Malformed(f"a length of {size}")
            return None
        self.pos += size
        if self.pos > len(self.buf):
            raise Malformed("the request ends within a string")
        return self.buf[self.pos - size : self.pos]

    def count(self) -> int:
        """The length of an array, -1 for null; never more than the bytes that are left."""
        count: int = self.number(I32)
        if count < -1 or count > len(self.buf) - self.pos:
            raise Malformed(f"an array of {count} items")
        return count

    def take(self, kind: Any, version: int) -> Any:
        if isinstance(kind, Array):
            return self._array(kind, version)
        if codec := _NUMBERS.get(kind):
            return self.number(codec)
        name = kind.lstrip("?")
        raw = self.raw(_LENGTHS[name])
        if raw is None:
            if kind == name:
                raise Malformed("null where a string is needed")
            return None
        return str(raw, "utf-8") if name == "str" else bytes(raw)

    def _array(self, kind: Array, version: int) -> list[Any] | None:
        count = self.count()
        if count < 0:
            if not kind.nullable:
                raise Malformed("null where an array is needed")
            return None
        if isinstance(kind.item, list):
            return [self.struct(kind.item, version) for _ in range(count)]
        return [self.take(kind.item, version) for _ in range(count)]

    def struct(self, fields: Schema, version: int) -> Message:
        return {
            name: self.take(kind, version)
            for name, kind, low, high in fields
            if low <= version <= high
        }


def encode(out: bytearray, fields: Schema, values: Message, version: int) -> bytearray:
    """Append a response to `out`; what is missing in `values` is 0, null or empty."""
    for name, kind, low, high in fields:
        if low <= version <= high:
            _encode(out, kind, values.get(name), version)
    return out


def _encode(out: bytearray, kind: Any, value: Any, version: int) -> None:
    if isinstance(kind, Array):
        if value is None and kind.nullable:
            out += I32.pack(-1)
        else:
            _encode_array(out, kind, value or (), version)
    elif codec := _NUMBERS.get(kind):
        out += codec.pack(value or 0)
    elif value is None:
        out += _LENGTHS[kind.lstrip("?")].pack(-1 if kind[0] == "?" else 0)
    else:
        raw = value.encode() if kind.endswith("str") else value
        out += _LENGTHS[kind.lstrip("?")].pack(len(raw))
        out += raw


def _encode_array(out: bytearray, kind: Array, items: Any, version: int) -> None:
    out += I32.pack(len(items))
    for item in items:
        if isinstance(kind.item, list):
            encode(out, kind.item, item, version)
        else:
            _encode(out, kind.item, item, version)
