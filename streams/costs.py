"""The cost of a finished request: by its usage, or an estimate of it, and by the prices of now."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from schemas.costs import Cost, priced
from schemas.exchange import Attempt, Cached
from schemas.prices import Pricing
from schemas.requests import RELAYED, Request
from schemas.usage import Usage
from streams.estimates import estimated_usage

# The rates of an instance's model; None: unknown.
Prices = Callable[[str, str], Pricing | None]
NO_COST = Cost(0)
_ANSWERED = 200


def no_prices(instance: str, model: str) -> Pricing | None:
    """Of a worker that knows none."""
    return None


def usage_of(
    request: Request, told: Usage | None, attempts: list[Attempt], answer: bytes
) -> Usage | None:
    """What the request used: as told, else estimated if a provider worked for it and was not asked for
    anything that only it understands."""
    if told is not None or not attempts or attempts[-1].status != _ANSWERED:
        return told
    if request.operation in RELAYED or request.operation not in ("chat", "embeddings"):
        return None
    return estimated_usage(request.body, answer)


def cost_of(
    usage: Usage | None, attempts: list[Attempt], provider: str, model: str, prices: Prices
) -> Cost | None:
    """All that was paid for the request; None if any of it is not known. Without a call it is nothing."""
    if not attempts:
        return NO_COST
    failed = 0
    for attempt in attempts:
        if attempt.usage is None or (attempt is attempts[-1] and attempt.usage == usage):
            continue  # the usage of the last one is the request's own
        cost = priced(attempt.usage, prices(attempt.provider, attempt.model))
        if cost is None:
            return None
        failed += cost.total
    own = NO_COST if usage is None else priced(usage, prices(provider, model))
    if own is None or not failed:
        return own
    return replace(own, total=own.total + failed, attempts=failed)


def with_savings(cached: Cached | None, provider: str, model: str, prices: Prices) -> Cached | None:
    """What the caches were, with the price of the call that was not made."""
    if cached is None or cached.saved is None:
        return cached
    cost = priced(cached.saved, prices(provider, model))
    return cached if cost is None else replace(cached, saved_cost=cost.total)
