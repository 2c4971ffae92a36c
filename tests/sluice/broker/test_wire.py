"""The codec: what it reads and writes, and what it refuses."""

import struct

import pytest
from hypothesis import given, settings, strategies as st

from sluice.broker.apis import APIS
from sluice.broker.wire import Malformed, Reader, encode, schema

SCHEMA = schema("id:i32 name@1:?str tags:[str] rows:?[key:i64 more@2-3:[[i16]]] raw:bytes")


def read(data: bytes, version: int) -> dict[str, object]:
    return Reader(memoryview(data)).struct(SCHEMA, version)


@settings(deadline=None)
@given(
    st.integers(-(2**31), 2**31 - 1),
    st.none() | st.text(max_size=50),
    st.lists(st.text(max_size=5), max_size=4),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    st.binary(max_size=40),
)
def test_what_is_encoded_is_read_back(
    id_: int, name: str | None, tags: list[str], keys: list[int], raw: bytes
) -> None:
    """Every value of a schema survives encoding and decoding."""
    rows = [{"key": key, "more": [[1, 2], []]} for key in keys]
    values = {"id": id_, "name": name, "tags": tags, "rows": rows, "raw": raw}
    assert read(bytes(encode(bytearray(), SCHEMA, values, 2)), 2) == values


def test_fields_of_other_versions_are_left_out() -> None:
    """A field limited to versions is neither written nor read in others."""
    data = encode(bytearray(), SCHEMA, {"id": 1, "name": "x", "rows": [{"key": 5}]}, 0)
    assert read(bytes(data), 0) == {"id": 1, "tags": [], "rows": [{"key": 5}], "raw": b""}


def test_what_is_missing_is_null_only_where_null_is_allowed() -> None:
    """A missing nullable string is null, a missing plain one is empty: clients refuse null there."""
    assert bytes(encode(bytearray(), schema("a:?str b:str c:?bytes d:bytes"), {}, 0)) == (
        b"\xff\xff" + b"\0\0" + b"\xff\xff\xff\xff" + b"\0\0\0\0"
    )


@settings(deadline=None)
@given(st.binary(max_size=60), st.sampled_from(sorted(APIS)))
def test_any_bytes_decode_or_are_malformed(data: bytes, key: int) -> None:
    """No bytes make a request decoder fail in another way, or take long."""
    api = APIS[key]
    for version in range(api.low, api.high + 1):
        try:
            Reader(memoryview(data)).struct(api.request, version)
        except (Malformed, UnicodeDecodeError):
            continue


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("str", struct.pack(">h", 5) + b"abc"),
        ("str", struct.pack(">h", -1)),
        ("str", struct.pack(">h", -7)),
        ("bytes", struct.pack(">i", 1 << 30)),
        ("[i8]", struct.pack(">i", 2**31 - 1)),
        ("[i8]", struct.pack(">i", -2)),
        ("[i8]", struct.pack(">i", -1)),
        ("[i64]", struct.pack(">i", 2) + bytes(15)),
        ("i64", bytes(7)),
    ],
)
def test_lengths_that_cannot_be_are_malformed(kind: str, data: bytes) -> None:
    """Negative, huge and truncated lengths are refused before anything is allocated."""
    with pytest.raises(Malformed):
        Reader(memoryview(data)).struct(schema(f"a:{kind}"), 0)


def test_bad_utf8_is_refused() -> None:
    """A string that is no UTF-8 does not become another string."""
    with pytest.raises(UnicodeDecodeError):
        Reader(memoryview(b"\0\2\xc3\x28")).struct(schema("a:str"), 0)
