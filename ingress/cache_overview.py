"""What the caches of all workers did, as one table, and day by day as the store has it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from ingress.periods import Span
from ingress.usage import NANO, added
from schemas.analytics import Group
from schemas.control import CacheReport, SemanticReport

DOUBT = 1.65  # standard deviations: an upper bound at 95 % of one side


class Day(Struct, frozen=True):
    """Hits of a day, or of another interval, and what the calls would have used that were not made."""

    date: str
    hits: int
    exact_hits: int
    semantic_hits: int
    coalesced_hits: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    saved_cost: float  # USD, as far as prices are known


class Summary(Struct, frozen=True):
    """Of all requests since the workers were first used. Rates are of those that may share an answer.

    Of the requests of some days or of a user path the store knows the hits; the rest is null.
    """

    requests: int | None
    total_hits: int
    exact_hits: int
    semantic_hits: int
    coalesced_hits: int
    misses: int | None
    bypassed: int | None
    hit_rate: float | None
    exact_hit_rate: float | None
    semantic_hit_rate: float | None
    coalesced_hit_rate: float | None
    total_input_tokens: int  # of the calls that were not made
    total_output_tokens: int
    total_tokens: int
    total_saved_cost: float  # USD, as far as prices are known
    total_saved_seconds: float | None


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
    daily: Sequence[Day] | None = None  # None: the store cannot be asked


def overview(
    reports: Iterable[CacheReport], daily: Sequence[Day] | None, *, of_days: bool = False
) -> Overview:
    """Of all workers together, and `daily` beside it; `of_days`: the summary is of these."""
    found = list(reports)
    accounts = [each.semantic for each in found if each.semantic is not None]
    account = _account(accounts) if accounts else None
    summary = _summary_of_days(daily or ()) if of_days else _summary(found)
    return Overview(summary, account, len(found), daily)


def days(groups: Iterable[Group], span: Span) -> list[Day]:
    """Sums of hits by `start` and `cache`; a day without hits has no row."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(span.label(group.names[0]), []).append(group)
    return [_day(label, found[label]) for label in sorted(found)]


def _day(label: str, groups: list[Group]) -> Day:
    counts = added(each.counts for each in groups)
    given, made = counts.saved_input_tokens, counts.saved_output_tokens
    return Day(
        date=label,
        hits=counts.requests,
        exact_hits=_hits(groups, "exact"),
        semantic_hits=_hits(groups, "semantic"),
        coalesced_hits=_hits(groups, "coalesced"),
        input_tokens=given,
        output_tokens=made,
        total_tokens=given + made,
        saved_cost=counts.saved_cost / NANO,
    )


def _hits(groups: list[Group], kind: str) -> int:
    return sum(each.counts.requests for each in groups if each.names[1] == kind)


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


def _summary_of_days(daily: Sequence[Day]) -> Summary:
    given = sum(each.input_tokens for each in daily)
    made = sum(each.output_tokens for each in daily)
    return Summary(
        requests=None,
        total_hits=sum(each.hits for each in daily),
        exact_hits=sum(each.exact_hits for each in daily),
        semantic_hits=sum(each.semantic_hits for each in daily),
        coalesced_hits=sum(each.coalesced_hits for each in daily),
        misses=None,
        bypassed=None,
        hit_rate=None,
        exact_hit_rate=None,
        semantic_hit_rate=None,
        coalesced_hit_rate=None,
        total_input_tokens=given,
        total_output_tokens=made,
        total_tokens=given + made,
        total_saved_cost=round(sum(each.saved_cost for each in daily), 9),
        total_saved_seconds=None,
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
