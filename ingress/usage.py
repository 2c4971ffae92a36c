"""Sums as the usage API tells them: GoModel's names, costs in dollars, percentiles of histograms. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from schemas.analytics import BOUNDS, BUCKETS, SUMS, Counts

NANO = 1e9
PERCENTILES = (50, 95, 99)

Json = dict[str, Any]


def added(counts: Iterable[Counts]) -> Counts:
    """All of them together."""
    every = list(counts)
    sums = {name: sum(getattr(each, name) for each in every) for name in SUMS}
    return Counts(
        **sums,
        latency=_summed([each.latency for each in every]),
        first_token=_summed([each.first_token for each in every]),
    )


def _summed(histograms: list[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*histograms, strict=True))) or (0,) * BUCKETS


def told(counts: Counts) -> Json:
    """The members that every row has. Tokens of hits are those that they saved; costs are what was paid,
    null where no price was known."""
    tokens_in = counts.input_tokens + counts.saved_input_tokens
    tokens_out = counts.output_tokens + counts.saved_output_tokens
    known = counts.priced > 0 or counts.requests == 0
    return {
        "requests": counts.requests,
        "failed": counts.failed,
        "cancelled": counts.cancelled,
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "cached_input_tokens": counts.cached_input_tokens,
        "cache_write_input_tokens": counts.cache_creation_input_tokens,
        "reasoning_tokens": counts.reasoning_tokens,
        "input_cost": counts.input_cost / NANO if known else None,
        "output_cost": counts.output_cost / NANO if known else None,
        "total_cost": counts.total_cost / NANO if known else None,
        "saved_cost": counts.saved_cost / NANO,
        "unpriced_requests": counts.requests - counts.priced,
        "latency": percentiles(counts.latency),
        "first_token": percentiles(counts.first_token),
    }


def percentiles(buckets: tuple[int, ...]) -> Json:
    """Seconds, as far as a histogram knows: linear between the ends of a bucket; null of nothing."""
    return {f"p{each}": _percentile(buckets, each / 100) for each in PERCENTILES}


def _percentile(buckets: tuple[int, ...], part: float) -> float | None:
    total = sum(buckets)
    if not total:
        return None
    rank, before = part * total, 0
    for number, count in enumerate(buckets[:-1]):
        if count and before + count >= rank:
            low = BOUNDS[number - 1] if number else 0.0
            return low + (BOUNDS[number] - low) * (rank - before) / count
        before += count
    return BOUNDS[-1]  # or more: the last bucket has no end
