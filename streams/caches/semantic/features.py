"""What the score looks at: how near, how far ahead of others, how it went before, which words differ."""

from __future__ import annotations

import math

from msgspec import Struct

from streams.caches.semantic.candidates import Candidate
from streams.caches.semantic.lexicon import Lexical, lexical


class History(Struct, array_like=True):
    """How one answer did so far."""

    right: float = 0.0
    wrong: float = 0.0
    worst: float = -1.0  # the highest similarity at which it was wrong

    @property
    def judged(self) -> float:
        return self.right + self.wrong

    @property
    def rate(self) -> float:
        return (self.right + 1) / (self.judged + 2)

    def note(self, same: bool, similarity: float) -> None:
        if same:
            self.right += 1
        else:
            self.wrong += 1
            self.worst = max(self.worst, similarity)

    def plus(self, other: History) -> History:
        return History(
            self.right + other.right, self.wrong + other.wrong, max(self.worst, other.worst)
        )


NAMES = (
    "similarity",
    "similarity squared",
    "margin",
    "share",
    "share by similarity",
    "margin by similarity",
    "rate of right answers",
    "answers judged",
    "above the worst",
    "rate of this key",
    "judgements of this key",
    "rate against this rival",
    "judgements against this rival",
    "margin squared",
    "share squared",
    "keys",
    "depth",
    "margin of depth",
    "words known",
    "same content words",
    "same trigrams",
    "numbers differ",
    "negation differs",
    "names differ",
    "question word differs",
    "length ratio",
    "one word exchanged",
)
COUNT = len(NAMES)


class Past(Struct, frozen=True):
    """How a candidate did so far: its answer, its key, and its answer when the same rival came second."""

    answer: History
    key: History
    rivalry: History


def features(asked: str, found: Candidate, past: Past) -> tuple[float, ...]:
    """One number for each of NAMES."""
    near, margin = found.similarity, found.similarity - found.runner_up
    return (
        near,
        near * near,
        margin,
        found.share,
        found.share * near,
        margin * near,
        past.answer.rate,
        math.log1p(past.answer.judged),
        near - past.answer.worst,
        past.key.rate,
        math.log1p(past.key.judged),
        past.rivalry.rate,
        math.log1p(past.rivalry.judged),
        margin * margin,
        found.share * found.share,
        math.log1p(found.keys),
        found.depth,
        found.depth - found.runner_up_depth,
        found.known,
        *_words(lexical(asked), lexical(found.key.text)),
    )


def _words(asked: Lexical, known: Lexical) -> tuple[float, ...]:
    lengths = sorted((len(asked.words), len(known.words)))
    return (
        _overlap(asked.content, known.content),
        _overlap(asked.trigrams, known.trigrams),
        float(asked.numbers != known.numbers),
        float(asked.negations != known.negations),
        float(asked.names != known.names),
        float(asked.question != known.question),
        lengths[0] / max(lengths[1], 1),
        float(len(asked.content - known.content) == len(known.content - asked.content) == 1),
    )


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))
