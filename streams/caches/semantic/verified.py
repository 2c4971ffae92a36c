"""The verified decision: it serves a candidate only as long as the account of wrong answers allows.

Two things keep the error rate. The frontier chooses which candidates are sure enough, from all that
was seen; the ledger counts what the served ones really cost, and closes the cache when the account is
empty. What the ledger has left over is spent: it raises what the frontier may allow, so that an
estimate that was too careful does not stay so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from msgspec import Struct
from typing_extensions import override

from streams.caches.semantic.candidates import candidate
from streams.caches.semantic.decision import Decision, Lesson, Verdict
from streams.caches.semantic.features import features
from streams.caches.semantic.frontier import CLOSED, Frontier
from streams.caches.semantic.learnt import Learnt
from streams.caches.semantic.rows import Rows
from streams.caches.semantic.score import Score, cross_fitted, fit
from streams.caches.vectors.base import Neighbour

AIMED_EVERY = 25  # requests
CLOSE = 0.97  # from this cosine on, another key of the same answer finds nothing that the first does not


class Limits(Struct, frozen=True):
    """What is asked of the decision. Only the first is the user's; the others suit any traffic."""

    max_error_rate: float = 0.01  # wrong answers a request
    judged: float = 0.3  # share of the served answers that are compared with a fresh one
    judged_first: int = 4000  # so many served answers are all compared
    judged_least: float = 0.5  # times the share: of the surest
    most: float = 2.5  # times max_error_rate that may be aimed at while spending what is left over
    patience: float = 500.0  # requests over which it is spent, and a quarter of those seen
    first_fit: int = 50  # labels before the first fit
    window: int = 1500  # requests that the frontier looks back at, at least


class Sample(Struct, frozen=True):
    """What was seen of candidates, and how many requests the recent part of it stands for."""

    rows: Rows
    requests: float


def fitted(sample: Sample) -> tuple[Score, Frontier] | None:
    """The slow part of learning; None as long as nothing right or nothing wrong was seen."""
    rows = sample.rows
    labels, weights, values = rows.labels, rows.weights, rows.features
    looked = labels >= 0
    wrong, right = int((labels == 0).sum()), int((labels == 1).sum())
    if not wrong or not right:
        return None
    score = fit(values[looked], labels[looked], weights[looked])
    scores = score.of_all(values)
    if min(wrong, right) >= 4:
        scores[looked] = cross_fitted(score, values[looked], labels[looked], weights[looked])
    # What came earlier met an emptier cache.
    new = rows.requests < 1.0
    return score, Frontier(scores[new], labels[new], weights[new], sample.requests)


class Verified(Decision):
    """Learns in one namespace. Nothing is slow but `refit`: up to half a second with 20,000 rows."""

    def __init__(self, limits: Limits, learnt: Learnt, random: Callable[[], float]) -> None:
        self.limits = limits
        self.learnt = learnt
        self._random = random
        self._score: Score | None = None
        self._frontier: Frontier | None = None
        self._threshold = CLOSED
        self._fitted = 0
        self._doubt = 0.1  # mean root of the probability of being wrong, of served answers

    @override
    def decide(self, asked: str, neighbours: Sequence[Neighbour], least: float = 0.0) -> Verdict:
        self.learnt.asked()
        found = candidate(asked, neighbours)
        if found is None:
            return Verdict()
        if found.veto is not None:
            return Verdict(found, judged=True, reason=found.veto)
        values = features(asked, found, self.learnt.past(found))
        confidence = self._score.of(values) if self._score is not None else 0.0
        reason = self._refusal(confidence) or ("threshold" if found.similarity < least else "")
        if reason:
            return Verdict(found, values, confidence, judged=True, reason=reason)
        self.learnt.ledger.answered(confidence)
        chance = self._chance(confidence)
        return Verdict(
            found, values, confidence, serve=True, judged=self._random() < chance, weight=1 / chance
        )

    def _refusal(self, confidence: float) -> str:
        if self._frontier is None or confidence < self._threshold:
            return "unsure"
        left = self.learnt.ledger.balance(self.limits.max_error_rate)
        return "" if left >= 1.0 - confidence else "budget"

    def _chance(self, confidence: float) -> float:
        """Of being judged: the less sure, the likelier (Neyman's allocation)."""
        doubt = math.sqrt(1.0 - confidence)
        self._doubt += (doubt - self._doubt) / 200
        served = self.learnt.ledger.served
        share = max(self.limits.judged, self.limits.judged_first / served)
        if served <= self.limits.judged_first:
            return 1.0
        return min(1.0, max(self.limits.judged_least * share, share * doubt / self._doubt))

    @override
    def learn(self, verdict: Verdict, same: bool | None, rival: bool | None = None) -> Lesson:
        found = verdict.candidate
        if found is None:
            return Lesson(keep=True)
        if same is not None:
            self.learnt.note(found, same)
            if verdict.serve:
                self.learnt.ledger.found(same, verdict.confidence, verdict.weight)
        if verdict.features:
            label = -1 if same is None else int(same)
            self.learnt.row(verdict.features, label, verdict.weight if label >= 0 else 0.0)
        if self._frontier is not None and self.learnt.seen % AIMED_EVERY == 0:
            self._aim()
        if same is None:
            return Lesson(keep=not verdict.serve)
        if same:
            return Lesson(keep=found.similarity < CLOSE, group=found.key.group)
        joined = found.rival.group if rival and found.rival is not None else None
        return Lesson(keep=True, group=joined, drop=found.key.id if verdict.serve else None)

    @property
    def due(self) -> bool:
        """Whether enough was found out since the last fit to make another one."""
        labels = self.learnt.all_labels
        return labels - self._fitted >= max(self.limits.first_fit, min(labels // 6, 500))

    def refit(self) -> None:
        """Learn from all that was seen. Blocks: see `sample`."""
        self.take(fitted(self.sample()))

    def sample(self) -> Sample:
        """What is to be learnt from: a copy, so that `fitted` may run in a thread while this goes on
        deciding. `take` what it made."""
        self._fitted = self.learnt.all_labels
        return Sample(*self.learnt.recent(self.limits.window))

    def take(self, made: tuple[Score, Frontier] | None) -> None:
        """Decide by what was made of a sample from now on; None changes nothing."""
        if made is not None:
            self._score, self._frontier = made
            self._aim()

    def _aim(self) -> None:
        """Spend what is left over, and save where too much was spent."""
        assert self._frontier is not None
        allowed, ledger = self.limits.max_error_rate, self.learnt.ledger
        patience = self.limits.patience + ledger.requests / 4
        aim = allowed + ledger.balance(allowed) / patience
        self._threshold = self._frontier.threshold(
            min(max(aim, allowed / 4), allowed * self.limits.most)
        )
