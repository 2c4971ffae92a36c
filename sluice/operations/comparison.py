"""What a replay says of two models: counts, costs, latencies. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from schemas.exchange import Exchange
from sluice.operations.differences import Verdict
from sluice.operations.replay import Pair

Price = Callable[[Exchange], float | None]


class Latency(Struct, frozen=True):
    """Seconds; None if nothing was measured."""

    p50: float | None
    p95: float | None


class Side(Struct, frozen=True, kw_only=True):
    """One of the two."""

    completed: int
    input_tokens: int
    output_tokens: int
    cost: float | None  # dollars of those whose price is known; None: of none
    priced: int  # how many those are
    latency: Latency  # of the provider's calls
    first_token: Latency


class Difference(Struct, frozen=True, kw_only=True):
    """One request, twice."""

    request_id: str
    replayed_as: str
    verdict: Verdict
    error: str | None  # code
    before_seconds: float | None
    after_seconds: float | None
    before_cost: float | None
    after_cost: float | None


class Comparison(Struct, frozen=True, kw_only=True):
    """All of it."""

    model: str
    requests: int
    equal: int
    changed: int
    failed: int
    before: Side
    after: Side
    answers: list[Difference]


def compared(model: str, pairs: Sequence[Pair], price: Price) -> Comparison:
    """Of all pairs."""
    answers = [_difference(pair, price) for pair in pairs]
    verdicts = [each.verdict for each in answers]
    return Comparison(
        model=model,
        requests=len(pairs),
        equal=verdicts.count("equal"),
        changed=verdicts.count("changed"),
        failed=verdicts.count("failed"),
        before=_side([pair.before for pair in pairs], price),
        after=_side([pair.after for pair in pairs if pair.after is not None], price),
        answers=answers,
    )


def _difference(pair: Pair, price: Price) -> Difference:
    after = pair.after
    error = "no_outcome" if after is None else after.error.code if after.error else None
    return Difference(
        request_id=pair.before.request_id,
        replayed_as=pair.request_id,
        verdict=pair.verdict,
        error=error,
        before_seconds=pair.before.timings.upstream,
        after_seconds=after.timings.upstream if after else None,
        before_cost=price(pair.before),
        after_cost=price(after) if after else None,
    )


def _side(found: Sequence[Exchange], price: Price) -> Side:
    usages = [each.usage for each in found if each.usage is not None]
    costs = [each for each in map(price, found) if each is not None]
    ended = [each for each in found if each.outcome == "completed"]
    return Side(
        completed=len(ended),
        input_tokens=sum(each.input_tokens for each in usages),
        output_tokens=sum(each.output_tokens for each in usages),
        cost=math.fsum(costs) if costs else None,
        priced=len(costs),
        latency=latency(each.timings.upstream for each in ended),
        first_token=latency(each.timings.first_token for each in ended),
    )


def latency(measured: Iterable[float | None]) -> Latency:
    """Nearest-rank percentiles of what was measured."""
    values = sorted(each for each in measured if each is not None)
    if not values:
        return Latency(None, None)
    return Latency(*(values[math.ceil(share * len(values)) - 1] for share in (0.5, 0.95)))
