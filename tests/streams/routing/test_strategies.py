"""The orders in which candidates are asked."""

from collections import Counter

from providers.base import Endpoint, Target
from streams.routing.config import Strategy
from streams.routing.strategies import Candidate, ordered


def candidate(name: str, **known: float) -> Candidate:
    endpoint = Endpoint(name, {}, "http://x", "http://x/models", {})
    return Candidate(Target(endpoint, "m"), **known)


def names(strategy: Strategy, *candidates: Candidate, seed: str = "r") -> list[str]:
    return [one.target.instance for one in ordered(strategy, candidates, seed)]


def test_priority_keeps_the_order() -> None:
    """As configured, whatever else is known."""
    assert names("priority", candidate("b", latency=9.0), candidate("a", latency=1.0)) == ["b", "a"]


def test_weights_are_shares() -> None:
    """Of 4,000 requests each comes first about as often as its weight says, a weight of 0 never."""
    three = (candidate("a", weight=3.0), candidate("b", weight=1.0), candidate("c", weight=0.0))
    first = Counter(names("weighted", *three, seed=str(number))[0] for number in range(4000))

    assert 2850 <= first["a"] <= 3150
    assert first["c"] == 0
    assert names("weighted", *three)[-1] == "c"


def test_the_fastest_comes_first_after_those_not_measured() -> None:
    """Who was never measured is tried, then by time to first token."""
    assert names(
        "least_latency",
        candidate("slow", latency=2.0),
        candidate("fast", latency=0.1),
        candidate("new"),
    ) == ["new", "fast", "slow"]


def test_the_cheapest_comes_first_and_unknown_prices_last() -> None:
    """By the price of this request."""
    assert names(
        "least_cost",
        candidate("unknown"),
        candidate("dear", price=2.0),
        candidate("cheap", price=0.1),
    ) == ["cheap", "dear", "unknown"]


def test_consistent_moves_only_the_seeds_of_who_left() -> None:
    """The same user gets the same candidate; when one goes, nobody else's users move."""
    all_three = [candidate(name) for name in "abc"]
    for number in range(300):
        seed = f"user-{number}"
        before = names("consistent", *all_three, seed=seed)
        assert before == names("consistent", *reversed(all_three), seed=seed)
        without = [one for one in all_three if one.target.instance != "b"]
        after = names("consistent", *without, seed=seed)[0]
        assert after == (before[0] if before[0] != "b" else before[1])
