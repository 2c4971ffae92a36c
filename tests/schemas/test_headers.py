"""Kafka record headers."""

import pytest

from schemas.headers import first, integer


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (b"\x00\x00\x00\x07", 7),
        (b"\x00\x00\x00\x00\x00\x00\x01\x00", 256),
        (b"7", 7),
        (b"1234", 1234),
        (b"\xff\xff\xff\xff", -1),
    ],
)
def test_integers_are_read_as_spring_or_a_person_writes_them(value: bytes, number: int) -> None:
    """Big-endian of four or eight bytes, or decimal text."""
    assert integer(value) == number


@pytest.mark.parametrize("value", [b"", b"x", b"-1", b"\x00\x07", b"7.0"])
def test_what_is_no_integer_is_refused(value: bytes) -> None:
    """With a reason, not with a wrong partition."""
    with pytest.raises(ValueError, match="neither"):
        integer(value)


def test_the_first_of_equal_names_counts() -> None:
    """And a null value is no value."""
    assert first([("a", None), ("a", b"1"), ("a", b"2"), ("b", b"3")]) == {"a": b"1", "b": b"3"}
