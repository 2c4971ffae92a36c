"""Where the line is drawn."""

from __future__ import annotations

import numpy as np

from streams.caches.semantic.frontier import CLOSED, Frontier


def test_the_line_lies_where_wrong_answers_begin() -> None:
    """Of 2,000 judged requests the surer half is right: about that half is served."""
    scores = np.linspace(1.0, 0.0, 2_000)
    labels = (scores > 0.5).astype(float)

    found = Frontier(scores, labels, np.ones(2_000), 2_000).threshold(0.01)

    assert 0.45 < found <= 0.52


def test_more_is_let_through_the_more_is_allowed() -> None:
    """And nothing at all where not even one is."""
    numbers = np.random.default_rng(3)
    scores = numbers.random(3_000)
    labels = (numbers.random(3_000) < scores).astype(float)
    frontier = Frontier(scores, labels, np.ones(3_000), 3_000)

    found = [frontier.threshold(allowed) for allowed in (0.0, 0.002, 0.01, 0.05, 0.2)]

    assert found == sorted(found, reverse=True)
    assert found[0] == CLOSED
    assert found[-1] < 0.6


def test_rows_that_nobody_looked_at_count_as_their_score_says() -> None:
    """And the judged ones for those that were not."""
    scores = np.full(1_000, 0.999)
    labels, weights = np.full(1_000, -1.0), np.zeros(1_000)

    assert Frontier(scores, labels, weights, 1_000).threshold(0.01) == 0.999
    labels[:50], weights[:50] = 0.0, 20.0
    assert Frontier(scores, labels, weights, 1_000).threshold(0.01) == CLOSED
