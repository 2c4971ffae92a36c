"""By what a kept question can be forgotten."""

from __future__ import annotations

import msgspec
import pytest

from streams.caches import entry as entries
from streams.caches.entry import Entry
from streams.caches.meaning.labels import labels, selections
from streams.caches.vectors.base import All, ByLabel

KEPT = Entry(
    key="a" * 64,
    body=b"{}",
    stored_at=0.0,
    expires_at=1.0,
    provider="sim",
    model="m",
    user_path="/team/x",
    request_model="alias",
    tags=("docs",),
)
FIRST = "b" * 64  # the question that has this answer, too


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"key": "a" * 64}, True),
        ({"key": FIRST}, True),
        ({"key": "c" * 64}, False),
        ({"tag": "docs"}, True),
        ({"tag": "x"}, False),
        ({"model": "alias"}, True),
        ({"model": "sim/m"}, True),
        ({"model": "m"}, True),
        ({"model": "sim"}, False),
        ({"user_path": "/team"}, True),
        ({"user_path": "/team/x/"}, True),
        ({"user_path": "/"}, True),
        ({"user_path": "/te"}, False),
        ({"tag": "docs", "model": "other"}, True),
    ],
    ids=str,
)
def test_what_is_meant(said: dict[str, str], meant: bool) -> None:
    """As of an exact entry, a key also means the answers that were found to be the same; of several
    things that are said, one alone decides."""
    found = labels(KEPT, FIRST)
    chosen = selections(msgspec.convert(said, entries.Selection))
    assert any(isinstance(each, ByLabel) and each.label in found for each in chosen) is meant


def test_without_a_word_all_are_meant() -> None:
    """However old."""
    assert selections(entries.Selection(before=5.0)) == (All(),)
