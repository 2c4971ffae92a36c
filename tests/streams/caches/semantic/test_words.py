"""The lists."""

from __future__ import annotations

from streams.caches.semantic.words import NAMES, OPPOSITES, STOP_WORDS, listed


def test_lists_do_not_contradict_each_other() -> None:
    """Opposites go both ways, and no name is a stop word."""
    assert all(word in OPPOSITES[other] for word, others in OPPOSITES.items() for other in others)
    assert not NAMES & STOP_WORDS
    assert listed("a b  a") == {"a", "b"}
