"""What a decision is asked, what it says, and what it is told afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from streams.caches.semantic.candidates import Candidate
from streams.caches.vectors.base import Neighbour


class Verdict(Struct, frozen=True):
    """Whether a kept answer may be served, and what is wanted back.

    It holds all that `learn` needs, and may be dropped: then nothing is learnt.
    """

    candidate: Candidate | None = None
    features: tuple[float, ...] = ()
    confidence: float = 0.0  # estimated probability that the candidate's answer is right
    serve: bool = False
    judged: bool = False  # somebody shall find out whether the candidate's answer was right
    reason: str = ""  # why it is not served: a guard's name, threshold, unsure, budget
    weight: float = 1.0  # one over the probability with which it was chosen to be judged


class Lesson(Struct, frozen=True):
    """What the store of vectors has to do about a question, once its own answer is known or not."""

    keep: bool = False  # add the question, if there is a fresh answer to it
    group: str | None = None  # under this answer; None: under its own
    drop: str | None = None  # the id of a key that led to a wrong answer


class Decision(Protocol):
    """Decides for one namespace. Neither blocks nor waits."""

    def decide(self, asked: str, neighbours: Sequence[Neighbour], least: float = 0.0) -> Verdict:
        """For a question and its nearest neighbours, of which there may be none; never below the
        cosine `least`."""
        ...

    def learn(self, verdict: Verdict, same: bool | None, rival: bool | None = None) -> Lesson:
        """Whether the candidate's answer was right; None: nobody looked. Where it was not, whether its
        rival's was: the question joins that answer, instead of founding one more of the same."""
        ...
