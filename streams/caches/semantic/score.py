"""How likely a candidate's answer is right: logistic regression on bent features, by Newton's method."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]
KNOTS = (0.25, 0.5, 0.8, 0.95)  # quantiles at which the line of a feature may bend
PENALTY = 10.0  # of the squared coefficients: there are many, and few labels at first
CAP = 20.0  # no row counts for more than this many
ROWS = 8_000  # the newest that a fit looks at
STEPS = 30
CLOSE_ENOUGH = 1e-5


class Basis(Struct, frozen=True):
    """Standardised features, and for those of many values one more term above each knot."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    bent: tuple[int, ...]  # features, one for each knot
    knots: tuple[float, ...]

    def terms(self, rows: Array) -> Array:
        """One row of terms for each row of features; the last is constant."""
        scaled = (rows - np.array(self.mean)) / np.array(self.deviation)
        above = np.maximum(scaled[:, list(self.bent)] - np.array(self.knots), 0.0)
        return np.hstack([scaled, above, np.ones((len(rows), 1))])


class Score(Struct, frozen=True):
    """A basis and a weight for each of its terms."""

    basis: Basis
    weights: tuple[float, ...]

    def of(self, features: tuple[float, ...]) -> float:
        return float(self.of_all(np.array([features]))[0])

    def of_all(self, rows: Array) -> Array:
        return _sigmoid(self.basis.terms(rows) @ np.array(self.weights))


def fit(rows: Array, right: Array, weights: Array) -> Score:
    """Of labelled rows; there must be right and wrong ones among them."""
    rows, right, weights = rows[-ROWS:], right[-ROWS:], weights[-ROWS:]
    basis = _basis(rows)
    found = _newton(basis.terms(rows), right, np.minimum(weights, CAP))
    return Score(basis, tuple(found.tolist()))


def cross_fitted(score: Score, rows: Array, right: Array, weights: Array, folds: int = 4) -> Array:
    """For each row the score of a fit that has not seen it, on the way from `score`."""
    terms, counted = score.basis.terms(rows), np.minimum(weights, CAP)
    found = np.empty(len(rows))
    fold = np.arange(len(rows)) % folds
    recent = np.arange(len(rows)) >= len(rows) - ROWS
    for part in range(folds):
        inside, rest = fold == part, (fold != part) & recent
        fitted = _newton(terms[rest], right[rest], counted[rest], np.array(score.weights))
        found[inside] = _sigmoid(terms[inside] @ fitted)
    return found


def _basis(rows: Array) -> Basis:
    mean, deviation = rows.mean(0), rows.std(0) + 1e-6
    places = np.quantile(rows, KNOTS, axis=0)
    bent, knots = [], []
    for column in range(rows.shape[1]):
        different = np.unique(places[:, column])
        if len(different) == len(KNOTS):
            bent += [column] * len(different)
            knots += ((different - mean[column]) / deviation[column]).tolist()
    return Basis(tuple(mean.tolist()), tuple(deviation.tolist()), tuple(bent), tuple(knots))


def _newton(terms: Array, right: Array, weights: Array, start: Array | None = None) -> Array:
    penalty = np.full(terms.shape[1], PENALTY)
    penalty[-1] = 1e-3  # not 0: a fold may hold nothing but right answers
    found = np.zeros(terms.shape[1]) if start is None else start
    loss = _loss(terms, right, weights, penalty, found)
    for _ in range(STEPS):
        p = _sigmoid(terms @ found)
        gradient = terms.T @ (weights * (p - right)) + penalty * found
        curvature = (terms * (weights * p * (1 - p))[:, None]).T @ terms + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        size, before = 1.0, loss
        while (loss := _loss(terms, right, weights, penalty, found - size * step)) > before:
            size /= 2
            if size < 1e-4:
                return found
        found = found - size * step
        if before - loss < CLOSE_ENOUGH * (1 + abs(loss)):
            break
    return found


def _loss(terms: Array, right: Array, weights: Array, penalty: Array, at: Array) -> float:
    margin = terms @ at
    return float(
        (weights * (np.logaddexp(0, margin) - right * margin)).sum() + (penalty * at * at).sum() / 2
    )


def _sigmoid(values: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -40, 40))))
