"""Every kind of object on `llm.config`."""

from __future__ import annotations

from typing import Any

from schemas.aliases import ALIASES
from schemas.budgets import ANCHORS, BUDGETS, LIMITS
from schemas.guardrails import GUARDRAILS
from schemas.keys import KEYS
from schemas.objects import Kind
from schemas.price_overrides import PRICE_OVERRIDES
from schemas.routing_sets import ROUTING
from schemas.workflows import WORKFLOWS

KINDS: tuple[Kind[Any], ...] = (
    *(KEYS, GUARDRAILS, WORKFLOWS, ROUTING, ALIASES),
    *(BUDGETS, LIMITS, ANCHORS, PRICE_OVERRIDES),
)
