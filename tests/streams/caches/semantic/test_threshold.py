"""The plain decision."""

from __future__ import annotations

from streams.caches.semantic.threshold import Threshold
from tests.streams.caches.semantic.samples import neighbour


def test_near_enough_is_served() -> None:
    """From the threshold on; a caller can only tighten it."""
    decision = Threshold()

    assert decision.decide("open an account", [neighbour("opening accounts", 0.92)]).serve
    assert decision.decide("open an account", [neighbour("opening accounts", 0.919)]).reason == (
        "threshold"
    )
    near = [neighbour("opening accounts", 0.95)]
    assert not decision.decide("open an account", near, least=0.96).serve
    assert decision.decide("open an account", near, least=0.1).serve


def test_a_guard_overrules_it() -> None:
    """However near."""
    verdict = decision_of("can I not open an account", "can I open an account", 0.99)

    assert verdict == "negation"


def decision_of(asked: str, known: str, similarity: float) -> str:
    return Threshold().decide(asked, [neighbour(known, similarity)]).reason


def test_what_was_not_served_is_kept_under_its_own_answer() -> None:
    """It learns nothing else."""
    decision = Threshold()

    missed, served = decision.decide("x", []), decision.decide("a b", [neighbour("a b", 1.0)])

    assert decision.learn(missed, None).keep
    assert decision.learn(missed, None).group is None
    assert not decision.learn(served, None).keep
