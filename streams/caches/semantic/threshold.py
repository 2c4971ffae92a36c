"""The plain decision: near enough, and no guard against it. It learns nothing."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from streams.caches.semantic.candidates import nearest
from streams.caches.semantic.decision import Decision, Lesson, Verdict
from streams.caches.semantic.ledger import Ledger
from streams.caches.vectors.base import Neighbour

DEFAULT = 0.92  # GoModel's; always a cosine, whatever a store counts in


class Threshold(Decision):
    """Serves the nearest key that no guard stops, from this cosine on."""

    def __init__(self, least: float = DEFAULT, *, judged: bool = False) -> None:
        """`judged`: all that it would serve is compared. Otherwise nobody knows how often it is wrong."""
        self.least = least
        self.ledger = Ledger()
        self._judged = judged

    @override
    def decide(self, asked: str, neighbours: Sequence[Neighbour], least: float = 0.0) -> Verdict:
        self.ledger.asked()
        found = nearest(asked, neighbours)
        if found is None:
            return Verdict()
        if found.veto is not None:
            return Verdict(found, reason=found.veto)
        if found.similarity < max(self.least, least):
            return Verdict(found, reason="threshold")
        # It claims nothing: what it is wrong is what comparisons find.
        self.ledger.answered(1.0)
        return Verdict(found, confidence=found.similarity, serve=True, judged=self._judged)

    @override
    def learn(self, verdict: Verdict, same: bool | None, rival: bool | None = None) -> Lesson:
        if verdict.serve and same is not None:
            self.ledger.found(same, 1.0, 1.0)
        return Lesson() if verdict.serve else Lesson(keep=True)
