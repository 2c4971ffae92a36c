"""Request ids."""

import uuid

import pytest
from hypothesis import given, strategies as st

from schemas.ids import MAX_SLOT, milliseconds_of, new_id, slot_of


@given(st.integers(0, 2**48 - 1), st.integers(0, MAX_SLOT))
def test_ids_are_uuid7_and_carry_the_slot(milliseconds: int, slot: int) -> None:
    """Any reader sees a UUIDv7 with its time; we see the reply slot."""
    made = new_id(milliseconds, slot)
    read = uuid.UUID(made)

    assert read.version == 7
    assert read.variant == uuid.RFC_4122
    assert read.int >> 80 == milliseconds
    assert slot_of(made) == slot
    assert milliseconds_of(made) == milliseconds


def test_ids_are_ordered_by_time_and_never_repeat() -> None:
    """Time first, then chance."""
    made = [new_id(milliseconds) for milliseconds in range(1000, 1100) for _ in range(50)]

    assert len(set(made)) == len(made)
    assert [each[:13] for each in made] == sorted(each[:13] for each in made)


@pytest.mark.parametrize("text", ["", "x" * 36, str(uuid.UUID(int=5)), "abc"])
def test_foreign_ids_have_no_slot(text: str) -> None:
    """A client's own id says nothing about an ingress."""
    assert slot_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 36,
        str(uuid.UUID(int=5)),
        new_id(5).upper().replace("0", "A"),
        new_id(5) + "0",
        new_id(5).replace("-", ""),
        "0198a000-0000-4000-8000-000000000001",
    ],
    ids=["empty", "letters", "nil", "upper", "longer", "bare", "random"],
)
def test_foreign_ids_have_no_time(text: str) -> None:
    """Nor does an id of ours that is spelled otherwise."""
    assert milliseconds_of(text) is None
