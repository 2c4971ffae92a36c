"""What remote stores keep."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from streams.caches.vectors.payload import Row, name_of, neighbour, packed, sound
from tests.streams.caches.vectors.samples import entry

GOOD = packed(entry("a", 0.9))


def test_it_comes_back() -> None:
    """With the cosine that the store gave, within its limits."""
    found = neighbour(Row("name", GOOD, 1.0000001))

    assert found is not None
    assert (found.id, found.group, found.answer) == ("a", "group of a", b"answer \x00\xff")
    assert found.similarity == 1.0


@pytest.mark.parametrize(
    "damaged", [None, 7, "", "AAAA", "ä", "x" + GOOD, GOOD[:-8], GOOD.swapcase()]
)
def test_damage_is_seen(damaged: object) -> None:
    """By form and by checksum."""
    assert neighbour(Row("name", damaged, 0.9)) is None


def test_names_are_of_one_namespace() -> None:
    """The same id in another one is another entry."""
    assert name_of("n", "a") == name_of("n", "a") != name_of("m", "a")


async def test_what_is_damaged_is_forgotten_and_looked_past() -> None:
    """Once it is gone, what it hid is found."""
    rows = {"a": Row("a", "?", 0.99), "b": Row("b", GOOD, 0.8)}

    async def search() -> Sequence[Row]:
        return list(rows.values())[:1]

    async def forget(names: Sequence[str]) -> None:
        for name in names:
            del rows[name]

    assert [each.similarity for each in await sound(search, forget)] == [0.8]
