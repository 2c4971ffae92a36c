"""The errors of budgets: three more of the tree in `errors.py`."""

from __future__ import annotations

from schemas.errors import GatewayError, InvalidRequest, RateLimited


class BudgetExceeded(RateLimited):
    """A budget is used up: ask again when its period ends."""

    code = "budget_exceeded"


class BudgetCheckFailed(GatewayError):
    """Nobody can say now what is spent: see Redis, or set BUDGET_ON_FAILURE=open."""

    status = 503
    code = "budget_check_failed"
    type = "provider_error"
    retryable = True


class UnknownPrice(InvalidRequest):
    """What this model costs is not known: say it under `prices` in config.yaml."""

    code = "unknown_price"
