"""What the caches of all workers did."""

from __future__ import annotations

import pytest

from ingress.cache_overview import overview
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
        ]
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
    found = overview([CacheReport("a", semantic=SemanticReport("threshold", requests=9.0))])
    assert found.summary.hit_rate is None
    assert found.semantic is not None
    assert found.semantic.error_rate is None
    assert overview([]).semantic is None
