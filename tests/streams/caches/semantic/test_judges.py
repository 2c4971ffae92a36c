"""Whether two answers are the same."""

from __future__ import annotations

import numpy as np
import pytest

from streams.caches.semantic.judges import ByEmbedding, ByModel, Case, Exact
from streams.caches.vectors.base import Vector


async def test_exact_compares_words() -> None:
    """Not white space and case; without a fresh answer it cannot say."""
    assert await Exact().same(Case("a", "b", "Go  left.", "go left.")) is True
    assert await Exact().same(Case("a", "b", "Go left.", "Go right.")) is False
    assert await Exact().same(Case("a", "b", "Go left.")) is None


async def test_embedding_compares_meaning_and_reads_the_words() -> None:
    """Near vectors are the same answer, unless one denies the other."""

    async def embed(text: str) -> Vector:
        return np.array([0.6, 0.8] if "bank" in text else [0.65, 0.76], np.float32)

    judge = ByEmbedding(embed)
    assert await judge.same(Case("a", "b", "At the bank.", "In a branch.")) is True
    assert await judge.same(Case("a", "b", "You can do it.", "You can not do it.")) is False
    assert await judge.same(Case("a", "b", "Within 5 days.", "Within 10 days.")) is False
    assert await judge.same(Case("a", "b", "At the bank.")) is None


@pytest.mark.parametrize(
    ("said", "found"),
    [("yes", True), (" No.", False), ("**Yes**", True), ("maybe", None), ("", None)],
)
async def test_a_model_is_asked_with_both_questions(said: str, found: bool | None) -> None:
    """It needs no fresh answer; what it says that is neither yes nor no is no judgement."""
    prompts = []

    async def complete(prompt: str) -> str:
        prompts.append(prompt)
        return said

    assert await ByModel(complete).same(Case("asked?", "known?", "kept.")) is found
    assert all(part in prompts[0] for part in ("asked?", "known?", "kept."))


async def test_a_model_is_not_asked_what_anybody_sees() -> None:
    """Equal answers."""

    async def complete(prompt: str) -> str:
        raise AssertionError(prompt)

    assert await ByModel(complete).same(Case("a", "b", "Yes!", "yes!")) is True
