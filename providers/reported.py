"""What a provider itself says that a call cost, as it stands in a usage object."""

from __future__ import annotations

from decimal import Decimal

from schemas.costs import nano

_TICKS = "cost_in_usd_ticks"  # https://docs.x.ai: ten thousand millions a dollar


def reported_cost(members: dict[str, object]) -> int | None:
    """Nano-dollars; None if it says nothing."""
    ticks = members.get(_TICKS)
    if isinstance(ticks, int) and not isinstance(ticks, bool) and ticks >= 0:
        return int((Decimal(ticks) / 10).to_integral_value())
    cost = members.get("cost")
    if isinstance(cost, dict):  # https://docs.perplexity.ai: the parts, and `total_cost`
        return _nano(cost.get("total_cost"))
    found = _nano(cost)
    if found is None or members.get("is_byok") is not True:
        return found
    # https://openrouter.ai/docs/use-cases/usage-accounting: with a key of one's own `cost` is only
    # the fee; what the provider is paid stands beside it.
    details = members.get("cost_details")
    theirs = _nano(details.get("upstream_inference_cost")) if isinstance(details, dict) else None
    return found + (theirs or 0)


def _nano(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return nano(float(value))
