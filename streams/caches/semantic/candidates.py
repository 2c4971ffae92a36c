"""One candidate of the neighbours of a question: the answer that most of them speak for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from msgspec import Struct

from streams.caches.semantic.guards import Veto, veto
from streams.caches.semantic.lexicon import Lexical, lexical
from streams.caches.vectors.base import Neighbour

SHARPNESS = 15.0  # a neighbour at cosine s has exp(15 (s - 1)) votes


class Candidate(Struct, frozen=True):
    """An answer, the key that is nearest to the question, and how the others voted."""

    key: Neighbour
    similarity: float
    runner_up: float  # best similarity of any other answer; below all neighbours if there is none
    share: float  # of the votes
    keys: int  # how many of the neighbours are keys of this answer
    depth: float  # mean similarity of the up to three nearest keys of this answer
    runner_up_depth: float  # the same of the answer with the second most votes
    rival: Neighbour | None  # nearest key of the answer with the second most votes
    known: float  # share of the question's content words that these keys have, too
    veto: Veto | None = None


def candidate(asked: str, neighbours: Sequence[Neighbour]) -> Candidate | None:
    """The answer with the most votes. If a guard stops its nearest key, it is vetoed as a whole: that
    another key lets through what this one stops says little about the answer."""
    if not neighbours:
        return None
    words = lexical(asked)
    groups = [
        sorted(members, key=attrgetter("similarity"), reverse=True)
        for _, members in groupby(sorted(neighbours, key=attrgetter("group")), attrgetter("group"))
    ]
    votes = [sum(map(_votes, members)) for members in groups]
    order = sorted(range(len(groups)), key=lambda at: (votes[at], groups[at][0].id), reverse=True)
    first = groups[order[0]]
    others = [groups[at] for at in order[1:]]
    lowest = min(each.similarity for each in neighbours) - 0.05
    return Candidate(
        key=first[0],
        similarity=first[0].similarity,
        runner_up=max((members[0].similarity for members in others), default=lowest),
        share=votes[order[0]] / sum(votes),
        keys=len(first),
        depth=_depth(first),
        runner_up_depth=_depth(others[0]) if others else lowest,
        rival=others[0][0] if others else None,
        known=_known(words, first),
        veto=veto(words, lexical(first[0].text)),
    )


def nearest(asked: str, neighbours: Sequence[Neighbour]) -> Candidate | None:
    """The nearest key that no guard stops; the nearest of all if they stop every one."""
    words = lexical(asked)
    ranked = sorted(neighbours, key=attrgetter("similarity"), reverse=True)
    free = (each for each in ranked if veto(words, lexical(each.text)) is None)
    first = next(free, ranked[0] if ranked else None)
    return candidate(asked, [first]) if first is not None else None


def _votes(neighbour: Neighbour) -> float:
    return math.exp(SHARPNESS * (neighbour.similarity - 1.0))


def _depth(members: Sequence[Neighbour]) -> float:
    nearest = members[:3]
    return sum(each.similarity for each in nearest) / len(nearest)


def _known(words: Lexical, members: Sequence[Neighbour]) -> float:
    if not words.content:
        return 1.0
    seen = frozenset[str]().union(*(lexical(each.text).content for each in members))
    return len(words.content & seen) / len(words.content)
