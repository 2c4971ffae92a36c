"""What an exchange adds to the sums by hour and day that sinks keep, the same in every store. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import UNSET

from schemas.analytics import BOUNDS, BUCKETS, MEASURES, SUMS, Counts, Period
from sinks.document import Document

HITS = frozenset({"exact", "semantic", "coalesced"})
# A name is part of a key: a caller's nonsense shall not fill it.
MAX_NAME = 200
LATENCY_AT = len(SUMS)
FIRST_TOKEN_AT = LATENCY_AT + BUCKETS


class Key(NamedTuple):
    """What is counted together. `start` is the first second of the period."""

    period: Period
    start: str
    model: str
    provider: str
    user_path: str
    client: str
    cache: str


KEY = Key._fields


def model(found: Document) -> str:
    """The model that answered, as its provider calls it; empty if none was asked.

    Not what the caller asked for: anything may stand there, and one model would have many names.
    """
    return found.attempts[-1].model if found.attempts else found.response_model or ""


def hit(found: Document) -> str:
    """The kind of cache that answered; empty if none did."""
    return found.cache.result if found.cache and found.cache.result in HITS else ""


def rolled(documents: Iterable[Document]) -> dict[Key, list[int]]:
    """What these add to each sum, in the order of MEASURES."""
    hours: dict[Key, list[int]] = {}
    for found in documents:
        if found.outcome == "rejected" or "usage" in found.without:
            continue
        key = Key(
            "hour",
            f"{found.created_at[:13]}:00:00Z",
            _name(model(found)),
            _name(found.provider or ""),
            _name(found.user_path),
            _name(found.client or ""),
            hit(found),
        )
        if (counts := hours.get(key)) is None:
            counts = hours[key] = [0] * len(MEASURES)
        _count(counts, found)
    sums = dict(hours)
    for key, counts in hours.items():
        day = key._replace(period="day", start=f"{key.start[:10]}T00:00:00Z")
        known = sums.get(day)
        sums[day] = counts if known is None else list(map(int.__add__, known, counts))
    return sums


def counts_of(sums: Iterable[int]) -> Counts:
    """The struct of what stands in MEASURES' order."""
    numbers = [int(number) for number in sums]
    return Counts(
        **dict(zip(SUMS, numbers, strict=False)),
        latency=tuple(numbers[LATENCY_AT:FIRST_TOKEN_AT]),
        first_token=tuple(numbers[FIRST_TOKEN_AT:]),
    )


def _count(counts: list[int], found: Document) -> None:
    usage, timings = found.usage, found.timings
    counts[0] += 1
    counts[1] += found.outcome in ("failed", "expired")
    counts[2] += found.outcome == "cancelled"
    if usage is not None:
        counts[3] += usage.input_tokens
        counts[4] += usage.output_tokens
        counts[5] += usage.cached_input_tokens
        counts[6] += usage.cache_creation_input_tokens
        counts[7] += usage.reasoning_tokens
    if found.cost is not None:
        counts[10] += 1
        counts[11] += found.cost.input
        counts[12] += found.cost.output
        counts[13] += found.cost.total
    if found.cache is not None:
        if (saved := found.cache.saved) is not None:
            counts[8] += saved.input_tokens
            counts[9] += saved.output_tokens
        counts[14] += found.cache.saved_cost or 0
    counts[15] += round(timings.total * 1e6)
    counts[LATENCY_AT + bisect_left(BOUNDS, timings.total)] += 1
    if timings.first_token is not UNSET:
        counts[FIRST_TOKEN_AT + bisect_left(BOUNDS, timings.first_token)] += 1


def _name(text: str) -> str:
    return text[:MAX_NAME].replace("\0", "\N{REPLACEMENT CHARACTER}")
