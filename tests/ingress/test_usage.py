"""Sums as they are told."""

from __future__ import annotations

from ingress.usage import added, percentiles, told
from schemas.analytics import BOUNDS, BUCKETS, Counts


def buckets(**counts: int) -> tuple[int, ...]:
    return tuple(counts.get(f"b{number}", 0) for number in range(BUCKETS))


def test_percentiles_are_between_the_ends_of_a_bucket() -> None:
    """Half of a hundred in one bucket is its middle; what is beyond the last end is that end."""
    found = percentiles(buckets(b7=100))

    assert (BOUNDS[6], BOUNDS[7]) == (0.5, 1.0)
    assert found == {"p50": 0.75, "p95": 0.975, "p99": 0.995}
    assert percentiles(buckets(b0=1))["p50"] == 0.0025
    assert percentiles(buckets(b15=1))["p99"] == BOUNDS[-1]
    assert percentiles(buckets()) == {"p50": None, "p95": None, "p99": None}


def test_costs_are_unknown_or_zero() -> None:
    """Without any known price they are null, of nothing they are 0; what is not known is counted."""
    unknown = told(Counts(requests=2))
    partly = told(Counts(requests=2, priced=1, total_cost=1_500_000_000))

    assert (unknown["total_cost"], unknown["unpriced_requests"]) == (None, 2)
    assert (partly["total_cost"], partly["unpriced_requests"]) == (1.5, 1)
    assert told(Counts())["total_cost"] == 0


def test_hits_show_what_they_saved() -> None:
    """The tokens of hits and of calls are added up; a cost is only what was paid."""
    found = told(
        Counts(
            requests=2, priced=2, input_tokens=3, saved_input_tokens=10, saved_output_tokens=5,
            output_tokens=2, total_cost=10**9, saved_cost=2 * 10**9,
        )
    )  # fmt: skip

    assert (found["input_tokens"], found["output_tokens"], found["total_tokens"]) == (13, 7, 20)
    assert (found["total_cost"], found["saved_cost"]) == (1.0, 2.0)


def test_all_of_them_together() -> None:
    """Numbers and histograms are summed; nothing is zero."""
    one = Counts(requests=1, latency=buckets(b1=1), first_token=buckets())

    assert added([one, one]).latency == buckets(b1=2)
    assert added([one, one]).requests == 2
    assert added([]) == Counts()
