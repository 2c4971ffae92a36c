"""Who says whether two answers are the same. What a judge gets wrong, the error rate gets wrong: an
answer that it takes for another one costs hits, one that it takes for the same goes uncounted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import numpy as np
from msgspec import Struct
from typing_extensions import override

from streams.caches.semantic.guards import veto
from streams.caches.semantic.lexicon import lexical, normalised
from streams.caches.vectors.base import Vector

SAME = 0.9  # cosine of two answers that say the same; both are longer than questions
ASKED_OF_A_MODEL = """\
Two users asked the questions below. Would one and the same answer be right for both, in every detail \
(numbers, names, dates, negations included)?

Question 1: {known}
Question 2: {asked}
Answer given to question 1: {answer}

Reply with one word: yes or no."""


class Case(Struct, frozen=True):
    """Two questions with the answer that is kept, and the fresh one if there is one."""

    asked: str
    known: str
    kept: str
    fresh: str | None = None


class Judge(Protocol):
    async def same(self, case: Case) -> bool | None:
        """Whether the kept answer is right for what was asked; None: cannot be said. May take as long
        as a call, and raises what the call raises."""
        ...


class Exact(Judge):
    """The same words, but for white space and case."""

    @override
    async def same(self, case: Case) -> bool | None:
        if case.fresh is None:
            return None
        return _plain(case.kept) == _plain(case.fresh)


class ByEmbedding(Judge):
    """The answers' vectors are near, and no guard sees one say the opposite of the other."""

    def __init__(self, embed: Callable[[str], Awaitable[Vector]], least: float = SAME) -> None:
        self._embed = embed
        self._least = least

    @override
    async def same(self, case: Case) -> bool | None:
        if case.fresh is None:
            return None
        if _plain(case.kept) == _plain(case.fresh):
            return True
        if veto(lexical(case.fresh), lexical(case.kept)) is not None:
            return False
        one, other = await self._embed(case.kept), await self._embed(case.fresh)
        return float(np.dot(one, other)) >= self._least


class ByModel(Judge):
    """A model reads both questions and the kept answer: nothing is generated again."""

    def __init__(self, complete: Callable[[str], Awaitable[str]]) -> None:
        """`complete` sends a prompt to the model that judges and gives its answer."""
        self._complete = complete

    @override
    async def same(self, case: Case) -> bool | None:
        if case.fresh is not None and _plain(case.kept) == _plain(case.fresh):
            return True
        prompt = ASKED_OF_A_MODEL.format(known=case.known, asked=case.asked, answer=case.kept)
        word = (await self._complete(prompt)).strip().strip(".!*\"'").lower()
        return {"yes": True, "no": False}.get(word)


def _plain(text: str) -> str:
    return normalised(text).casefold()
