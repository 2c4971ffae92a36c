"""What the admin API answers, where a handler puts it together from structs of its own and more."""

from __future__ import annotations

from types import GenericAlias
from typing import Any

import msgspec
from msgspec import Struct

from schemas.budgets import Budget, Limit
from schemas.guardrails import Guardrail
from schemas.keys import ManagedKey
from schemas.routing_sets import RoutingSet
from schemas.workflows import Features, Payload


def _made_of(
    name: str, about: str, of: type[Struct], changed: dict[str, Any], left_out: tuple[str, ...] = ()
) -> Any:
    """A struct with all fields of another one, told whole, but for those that are changed."""
    fields = [each for each in msgspec.structs.fields(of) if each.name not in left_out]
    types = {each.encode_name: each.type for each in fields} | changed
    return _holding(name, about, types)


def _holding(name: str, about: str, types: dict[str, Any]) -> Any:
    """A struct with these members."""
    return msgspec.defstruct(
        name, list(types.items()), namespace={"__doc__": about}, module=__name__, kw_only=True
    )


class Ending(Struct):
    """A former value of a key, which is taken a while longer."""

    expires_at: str


_SHOWN = {"former": list[Ending], "enabled": bool, "active": bool}
Key = _made_of("Key", "A managed key; its value is not kept.", ManagedKey, _SHOWN, ("secret_hash",))
NewKey = _made_of(
    "NewKey",
    "A managed key with its value, which is told here and never again.",
    ManagedKey,
    _SHOWN | {"value": str},
    ("secret_hash",),
)

_PERIOD = {
    "amount": float | None,
    "period_label": str,
    "period_start": str,
    "period_end": str,
    "period_ratio": float,
}
BudgetSet = _made_of("BudgetSet", "A budget and its present period.", Budget, _PERIOD)
BudgetSpent = _made_of(
    "BudgetSpent",
    "A budget, its present period, and what of it is spent.",
    Budget,
    _PERIOD
    | {
        "spent": float,
        "spent_tokens": int,
        "spent_is_exact": bool,
        "has_usage": bool,
        "remaining": float | None,
        "usage_ratio": float,
    },
)
LimitSet = _made_of("LimitSet", (Limit.__doc__ or ""), Limit, {})


Budgets = _holding(
    "Budgets", "All budgets.", {"budgets": GenericAlias(list, BudgetSpent), "server_time": str}
)
BudgetsReset = _holding(
    "BudgetsReset", "Those that begin anew.", {"budgets": GenericAlias(list, BudgetSet)}
)
Limits = _holding("Limits", "All limits.", {"limits": GenericAlias(list, LimitSet)})

GuardrailSet = _made_of(
    "GuardrailSet",
    "A guardrail.",
    Guardrail,
    {"name": str, "summary": str, "config": dict[str, Any]},
)


class Option(Struct):
    """One of the values that a field may have."""

    value: str
    label: str


class FormField(Struct):
    """A field of a guardrail's `config`, for a form."""

    key: str
    label: str
    input: str
    required: bool
    options: list[Option]


class GuardrailType(Struct):
    """A type of guardrails."""

    type: str
    label: str
    description: str
    defaults: dict[str, Any]
    fields: list[FormField]


class WorkflowScope(Struct):
    """To what a workflow applies."""

    scope_provider_name: str | None
    scope_model: str | None
    scope_user_path: str | None


class WorkflowVersion(Struct):
    """One version of a workflow."""

    id: str
    scope: WorkflowScope
    scope_type: str
    scope_display: str
    version: int
    active: bool
    managed_default: bool
    name: str
    description: str
    workflow_payload: Payload
    workflow_hash: str
    created_at: str
    effective_features: Features


class RoutingTables(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tables `routing.rules`, `routing.fallbacks` and `aliases`, as `config.yaml` has them."""

    rules: list[dict[str, Any]] = []
    fallbacks: dict[str, Any] = {}
    aliases: dict[str, Any] = {}


# Its members are raw JSON, of which a schema knows nothing.
assert RoutingTables.__struct_fields__ == RoutingSet.__struct_fields__


class NamedSet(Struct):
    """A routing set and its name."""

    name: str
    set: RoutingTables


class RoutingSets(Struct):
    """All of them, in the order in which they count."""

    sets: list[NamedSet]
