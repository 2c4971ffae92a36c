"""What the caches of all workers did."""

from __future__ import annotations

import pytest

from ingress.cache_overview import days, overview
from ingress.periods import span
from schemas.analytics import Counts, Group
from schemas.control import CacheReport, SemanticReport


def test_workers_are_added_up() -> None:
    """Rates are of what may share an answer; the error rate is of all accounts together, with a bound
    that grows with what is not known."""
    found = overview(
        [
            CacheReport(
                "a",
                {"exact": 2, "semantic": 3, "miss": 5, "bypass": 7},
                input_tokens=10,
                output_tokens=20,
                cost=0.5,
                seconds=2.0,
                semantic=SemanticReport(
                    "verified", max_error_rate=0.01, requests=100.0, wrong=1.0, judged=5.0, same=4
                ),
            ),
            CacheReport(
                "b",
                {"coalesced": 2, "miss": 8},
                semantic=SemanticReport("verified", requests=300.0, wrong=1.0, variance=1.0),
            ),
        ],
        [],
    )
    summary, account = found.summary, found.semantic
    assert (summary.requests, summary.total_hits, summary.misses) == (27, 7, 13)
    assert summary.hit_rate == 0.35
    assert summary.semantic_hit_rate == 0.15
    assert (summary.total_tokens, summary.total_saved_cost) == (30, 0.5)
    assert account is not None
    assert account.error_rate == 0.005
    assert account.error_rate_bound == pytest.approx((2 + 1.65) / 400, abs=1e-6)
    assert account.comparisons.same == 4
    assert found.workers == 2


def test_what_is_not_known_is_not_said() -> None:
    """No rate without requests, no error rate without comparisons."""
    found = overview([CacheReport("a", semantic=SemanticReport("threshold", requests=9.0))], None)
    assert found.summary.hit_rate is None
    assert found.semantic is not None
    assert found.semantic.error_rate is None
    assert found.daily is None
    assert overview([], None).semantic is None


def test_hits_day_by_day() -> None:
    """In the days of the caller's time zone, by kind, with what they saved; a summary of days has what
    the store knows of them, and says of nothing else."""
    said = {"start_date": "2026-03-01", "end_date": "2026-03-02"}
    asked = span(said, "Europe/Berlin", 1_772_400_000.0)
    hit = Counts(requests=1, saved_input_tokens=5, saved_output_tokens=7, saved_cost=250_000_000)
    groups = [
        Group(("2026-03-01T10:00:00Z", "exact"), hit),
        Group(("2026-03-01T23:00:00Z", "exact"), hit),
        Group(("2026-03-01T23:00:00Z", "semantic"), hit),
        Group(("2026-03-02T10:00:00Z", "coalesced"), hit),
    ]
    first, second = daily = days(groups, asked)
    assert (first.date, first.hits, first.exact_hits, first.saved_cost) == (
        "2026-03-01",
        1,
        1,
        0.25,
    )
    assert (second.exact_hits, second.semantic_hits, second.coalesced_hits) == (1, 1, 1)
    assert (second.hits, second.input_tokens, second.total_tokens) == (3, 15, 36)

    every = [CacheReport("a", {"exact": 100})]
    summary = overview(every, daily, of_days=True).summary
    assert (summary.total_hits, summary.semantic_hits, summary.total_tokens) == (4, 1, 48)
    assert summary.total_saved_cost == 1.0
    assert (summary.requests, summary.hit_rate) == (None, None)
    assert overview(every, daily).summary.total_hits == 100
