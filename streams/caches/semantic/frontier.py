"""Where to draw the line: how many wrong answers each serving threshold would have let through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.caches.semantic.score import Array

CLOSED = 2.0  # no score reaches it
DOUBT = 1.0  # standard deviations of the estimate that are added to it


class Frontier:
    """Thresholds, falling, and the share of wrong answers among all requests that each would cost.

    The share is estimated without bias from the score and, where a row was judged, from what was
    found (doubly robust); it never falls while the threshold does, so that a lucky stretch further
    down is not reached across an unlucky one. One more wrong answer is added for the one to come.
    """

    def __init__(self, scores: Array, labels: Array, weights: Array, requests: float) -> None:
        """Rows of the requests that had a candidate; labels 1, 0, or -1 for nobody looked."""
        expected = 1.0 - scores
        looked = labels >= 0
        surprise = np.where(looked, weights * ((1.0 - labels) - expected), 0.0)
        spread = np.where(
            looked, weights * np.maximum(weights - 1.0, 0.0) * ((1.0 - labels) - expected) ** 2, 0.0
        )
        order: NDArray[np.intp] = np.argsort(-scores, kind="stable")
        wrong = np.cumsum((expected + surprise)[order])
        # What was judged varies, and so does what comes: as a Poisson number does.
        deviation = np.sqrt(np.cumsum(spread[order]) + np.cumsum(expected[order]))
        self._shares = np.maximum.accumulate((wrong + DOUBT * deviation + 1.0) / (requests + 1.0))
        self._scores = scores[order]

    def threshold(self, allowed: float) -> float:
        """The lowest score that may be served if `allowed` of all requests may be answered wrong."""
        within = int(np.searchsorted(self._shares, allowed, side="right"))
        return float(self._scores[within - 1]) if within else CLOSED
