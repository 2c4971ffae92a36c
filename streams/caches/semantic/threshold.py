"""The plain decision: near enough, and no guard against it. It learns nothing."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from streams.caches.semantic.candidates import nearest
from streams.caches.semantic.decision import Decision, Lesson, Verdict
from streams.caches.vectors.base import Neighbour

DEFAULT = 0.92  # GoModel's; always a cosine, whatever a store counts in


class Threshold(Decision):
    """Serves the nearest key that no guard stops, from this cosine on."""

    def __init__(self, least: float = DEFAULT) -> None:
        self.least = least

    @override
    def decide(self, asked: str, neighbours: Sequence[Neighbour], least: float = 0.0) -> Verdict:
        found = nearest(asked, neighbours)
        if found is None:
            return Verdict()
        if found.veto is not None:
            return Verdict(found, reason=found.veto)
        if found.similarity < max(self.least, least):
            return Verdict(found, reason="threshold")
        return Verdict(found, confidence=found.similarity, serve=True)

    @override
    def learn(self, verdict: Verdict, same: bool | None, rival: bool | None = None) -> Lesson:
        return Lesson() if verdict.serve else Lesson(keep=True)
