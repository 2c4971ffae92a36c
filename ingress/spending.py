"""What is spent of a budget, by the sums that sinks keep: for those who look, never to refuse anybody."""

from __future__ import annotations

from typing import Any

from ingress.usage import added
from schemas.analytics import Reports, Sums, Where
from schemas.budgets import HOURLY, Budget
from schemas.clock import from_rfc3339, rfc3339
from schemas.costs import NANO


async def spent(reports: Reports, budget: Budget, begin: float, now: float) -> dict[str, Any]:
    """The members that tell of it, under GoModel's names. Sums are kept by the hour: of a budget that
    began in the middle of one they hold a little more, and `spent_is_exact` says so."""
    if budget.last_reset_at is not None:
        begin = max(begin, from_rfc3339(budget.last_reset_at))
    since = begin // HOURLY * HOURLY
    groups = await reports.sums(
        Sums(
            since=rfc3339(since),
            until=rfc3339((now // HOURLY + 1) * HOURLY),
            period="hour",
            where=Where(user_path=budget.user_path, hits=False),
        )
    )
    counts = added(group.counts for group in groups)
    tokens = counts.input_tokens + counts.output_tokens
    parts = []
    if budget.amount is not None:
        parts.append(counts.total_cost / budget.amount)
    if budget.tokens is not None:
        parts.append(tokens / budget.tokens)
    return {
        "spent": counts.total_cost / NANO,
        "spent_tokens": tokens,
        "spent_is_exact": since == begin,
        "has_usage": counts.requests > 0,
        "remaining": None if budget.amount is None else (budget.amount - counts.total_cost) / NANO,
        "usage_ratio": round(max(parts, default=0.0), 6),
    }
