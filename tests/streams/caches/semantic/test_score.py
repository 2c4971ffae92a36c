"""How likely a candidate is right."""

from __future__ import annotations

import numpy as np

from streams.caches.semantic.score import cross_fitted, fit


def test_scores_are_probabilities() -> None:
    """Of a hundred candidates that it gives 90 %, about ninety are right."""
    numbers = np.random.default_rng(1)
    rows = numbers.normal(size=(8_000, 3))
    chance = 1 / (1 + np.exp(-(1.0 + 2.0 * rows[:, 0] - np.maximum(rows[:, 1], 0) * 2)))
    right = (numbers.random(8_000) < chance).astype(float)

    score = fit(rows[:4_000], right[:4_000], np.ones(4_000))
    found = score.of_all(rows[4_000:])

    assert np.abs(found - chance[4_000:]).mean() < 0.04
    assert abs(score.of(tuple(rows[4_000])) - found[0]) < 1e-9
    sure = found > 0.9
    assert abs(right[4_000:][sure].mean() - found[sure].mean()) < 0.02


def test_cross_fitted_scores_know_nothing_of_their_row() -> None:
    """Labels thrown by a coin are not predicted, though a fit would learn some by heart."""
    numbers = np.random.default_rng(2)
    rows, right = numbers.normal(size=(300, 20)), (numbers.random(300) < 0.5).astype(float)
    weights = np.ones(300)

    found = cross_fitted(fit(rows, right, weights), rows, right, weights)

    assert abs(found[right == 1].mean() - found[right == 0].mean()) < 0.1


def test_one_sided_labels_are_no_trouble() -> None:
    """A constant feature, and a single wrong answer among many right ones."""
    rows = np.hstack([np.ones((50, 1)), np.arange(50.0)[:, None]])
    right = np.ones(50)
    right[0] = 0

    score = fit(rows, right, np.ones(50))

    assert score.of((1.0, 49.0)) > score.of((1.0, 0.0))
