"""What budgets and limits need to know; `sluice/settings/` fills it in and documents each field."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from schemas.budgets import Budget

OnFailure = Literal["closed", "open"]
UnknownPrice = Literal["allow", "refuse"]


class BudgetsConfig(Struct, frozen=True, kw_only=True):
    """Times are seconds."""

    seeds: tuple[
        Budget, ...
    ] = ()  # of the settings; one of the same name on llm.config counts instead
    on_failure: OnFailure = "closed"  # nobody can say what is spent
    unknown_price: UnknownPrice = "allow"
    max_tokens: int = 4096  # taken for an answer of which neither request nor model says how long
    redis_url: str | None = None
    redis_prefix: str = "sluice:accounts:"
    redis_timeout: float = 0.2
    file: str | None = None  # without Redis: what is spent, from one start to the next
