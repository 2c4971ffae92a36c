"""What the caches of all workers did, as one table."""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct

from schemas.control import CacheReport, SemanticReport

DOUBT = 1.65  # standard deviations: an upper bound at 95 % of one side


class Summary(Struct, frozen=True):
    """Of all requests since the workers were first used. Rates are of those that may share an answer."""

    requests: int
    total_hits: int
    exact_hits: int
    semantic_hits: int
    coalesced_hits: int
    misses: int
    bypassed: int
    hit_rate: float | None
    exact_hit_rate: float | None
    semantic_hit_rate: float | None
    coalesced_hit_rate: float | None
    total_input_tokens: int  # of the calls that were not made
    total_output_tokens: int
    total_tokens: int
    total_saved_cost: float  # USD, as far as prices are known
    total_saved_seconds: float


class Comparisons(Struct, frozen=True):
    """Kept answers that were compared with fresh ones."""

    same: int
    different: int
    undecided: int


class Own(Struct, frozen=True):
    """What the semantic cache used by itself: to embed, to compare."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost: float  # USD


class Account(Struct, frozen=True):
    """Of the requests that reached the semantic cache, the later ones counting more."""

    mode: str
    shadow: bool
    max_error_rate: float | None
    requests: float
    served: float  # in shadow mode: would have been
    compared: float  # of the served ones
    error_rate: float | None  # wrong answers a request, estimated; None: nothing was compared
    error_rate_bound: float | None  # it is less, with a confidence of 95 %
    confidence: float
    comparisons: Comparisons
    own_usage: Own


class Overview(Struct, frozen=True):
    summary: Summary
    semantic: Account | None
    workers: int


def overview(reports: Iterable[CacheReport]) -> Overview:
    """Of all workers together."""
    found = list(reports)
    accounts = [each.semantic for each in found if each.semantic is not None]
    return Overview(_summary(found), _account(accounts) if accounts else None, len(found))


def _summary(reports: list[CacheReport]) -> Summary:
    counts = {
        result: sum(each.results.get(result, 0) for each in reports)
        for result in ("exact", "semantic", "coalesced", "miss", "bypass")
    }
    hits = counts["exact"] + counts["semantic"] + counts["coalesced"]
    asked = hits + counts["miss"]
    given = sum(each.input_tokens for each in reports)
    made = sum(each.output_tokens for each in reports)
    return Summary(
        requests=asked + counts["bypass"],
        total_hits=hits,
        exact_hits=counts["exact"],
        semantic_hits=counts["semantic"],
        coalesced_hits=counts["coalesced"],
        misses=counts["miss"],
        bypassed=counts["bypass"],
        hit_rate=_rate(hits, asked),
        exact_hit_rate=_rate(counts["exact"], asked),
        semantic_hit_rate=_rate(counts["semantic"], asked),
        coalesced_hit_rate=_rate(counts["coalesced"], asked),
        total_input_tokens=given,
        total_output_tokens=made,
        total_tokens=given + made,
        total_saved_cost=round(sum(each.cost for each in reports), 9),
        total_saved_seconds=round(sum(each.seconds for each in reports), 3),
    )


def _account(reports: list[SemanticReport]) -> Account:
    first = reports[0]
    requests = sum(each.requests for each in reports)
    judged = sum(each.judged for each in reports)
    wrong = max(sum(each.wrong for each in reports), 0.0)
    doubt = DOUBT * math.sqrt(sum(each.variance for each in reports))
    return Account(
        mode=first.mode,
        shadow=first.shadow,
        max_error_rate=first.max_error_rate,
        requests=round(requests, 1),
        served=round(sum(each.served for each in reports), 1),
        compared=round(judged, 1),
        error_rate=_rate(wrong, requests) if judged else None,
        error_rate_bound=_rate(wrong + doubt, requests) if judged else None,
        confidence=0.95,
        comparisons=Comparisons(
            sum(each.same for each in reports),
            sum(each.different for each in reports),
            sum(each.undecided for each in reports),
        ),
        own_usage=Own(
            sum(each.calls for each in reports),
            sum(each.input_tokens for each in reports),
            sum(each.output_tokens for each in reports),
            round(sum(each.cost for each in reports), 9),
        ),
    )


def _rate(part: float, whole: float) -> float | None:
    return round(part / whole, 6) if whole else None
