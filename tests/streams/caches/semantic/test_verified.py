"""The verified decision, in a world whose right answers are known."""

from __future__ import annotations

from random import Random

import pytest

from streams.caches.semantic.learnt import Learnt
from streams.caches.semantic.verified import Limits, Verified
from tests.streams.caches.semantic.samples import Run, World, neighbour, run, verified


def test_nothing_is_served_before_anything_was_learnt() -> None:
    """However near it is."""
    verdict = verified(1).decide("a b c", [neighbour("a b c", 1.0)])

    assert (verdict.serve, verdict.judged, verdict.reason) == (False, True, "unsure")


@pytest.mark.parametrize("seed", range(2))
def test_the_budget_is_kept_and_spent(seed: int) -> None:
    """3,000 requests: not more than 1 % wrong, and not far less."""
    found = run(seed, 3_000)

    assert found.wrong <= 0.0105 * found.asked
    assert found.wrong >= 0.004 * found.asked
    assert found.served > 0.3 * found.asked


def test_more_is_served_where_more_may_be_wrong() -> None:
    """5 % instead of 1 %."""
    strict, lax = run(5, 2_500), run(5, 2_500, Limits(max_error_rate=0.05))

    assert strict.served < lax.served
    assert 0.01 * lax.asked < lax.wrong <= 0.0525 * lax.asked


def test_small_namespaces_keep_it_too() -> None:
    """Of 1,000 requests each, none has more than 1.6 % wrong."""
    runs = [run(seed, 1_000) for seed in range(10, 15)]

    assert max(found.wrong for found in runs) <= 16


def test_an_erring_judge_costs_hits_and_not_the_bound() -> None:
    """2 % of its judgements are wrong."""
    found = run(7, 3_000, noise=0.02)

    assert found.wrong <= 0.0125 * found.asked


def test_few_served_answers_are_compared_in_the_end() -> None:
    """All at first; then the share that is asked for, more of the unsure ones."""
    found = run(8, 3_000, Limits(max_error_rate=0.05, judged=0.2, judged_first=100))

    assert 0.15 < found.judged / found.served < 0.5


def test_when_the_world_changes_the_cache_closes() -> None:
    """All answers turn wrong at half time: a handful of them is served, then no more."""
    world = World(9)
    found = Run(verified(9), 9)
    for _ in range(1_500):
        found.ask(*world.ask())
    served, wrong = found.served, found.wrong
    found.intents = dict.fromkeys(found.intents, -1)
    for _ in range(500):
        found.ask(*world.ask())

    assert served > 300
    assert found.wrong - wrong <= 0.01 * 2_000 - wrong + 2


def test_what_was_learnt_is_taken_along() -> None:
    """After a restart it serves from the first request on; another worker does, too."""
    world = World(11)
    first = Run(verified(11), 11)
    for _ in range(1_500):
        first.ask(*world.ask())
    saved = first.decision.learnt.save()
    for worker in ("w", "another"):
        learnt = Learnt(worker)
        assert learnt.merge(saved)
        again = Run(Verified(Limits(), learnt, Random(1).random), 12)
        again.vectors, again.keys = first.vectors.copy(), list(first.keys)
        again.intents = dict(first.intents)
        assert again.decision.due
        again.decision.refit()
        for _ in range(400):
            again.ask(*world.ask())
        assert again.served > 100


def test_lessons() -> None:
    """What becomes of a question in the store."""
    decision = verified(13)
    assert decision.learn(decision.decide("a b", []), None).keep

    verdict = decision.decide("a b", [neighbour("a b c", 0.9)])
    assert decision.learn(verdict, True).group == "g"
    lesson = decision.learn(verdict, False)
    assert (lesson.keep, lesson.group, lesson.drop) == (True, None, None)
    second = [neighbour("a b c", 0.9), neighbour("x y z", 0.5, "other")]
    lesson = decision.learn(decision.decide("a b", second), False, True)
    assert (lesson.keep, lesson.group) == (True, "other"), "it joins the rival that was right"
    close = decision.decide("a b", [neighbour("a b c", 0.99)])
    assert not decision.learn(close, True).keep
    guarded = decision.decide("a not b", [neighbour("a b", 0.99)])
    assert (guarded.reason, guarded.serve, guarded.features) == ("negation", False, ())
