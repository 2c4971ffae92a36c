"""The operations of the admin API."""

from __future__ import annotations

from typing import Any

from ingress.api.admin_aliases import AliasFields, AliasView
from ingress.api.admin_audit import ASKED
from ingress.api.admin_budgets import BudgetFields, BudgetReset, LimitFields, ResetConfirmation
from ingress.api.admin_cache import MEANT, OF_DAYS
from ingress.api.admin_guardrails import GuardrailFields
from ingress.api.admin_keys import KeyFields, Rotation
from ingress.api.admin_models import CategoryCount, ModelView
from ingress.api.admin_prices import PriceFields, PriceView
from ingress.api.admin_usage import TIME, WHERE
from ingress.api.admin_workflows import WorkflowFields
from ingress.cache_overview import Overview
from ingress.contract import logged, shapes, used
from ingress.contract.about import CSV, EVENTS, JSON, About, Told
from ingress.listing import LISTED
from schemas.budgets import Anchors
from schemas.configured import Configuration
from schemas.control import Purge
from schemas.exchange import Exchange
from schemas.keys import Role
from schemas.operating import Redrive, Rerun

ROOT = "/admin/api/v1"
_ETAG = ("etag",)
_TABLE = (JSON, CSV)


def _about(name: str, tag: str, told: Told, *, role: Role = "admin", **more: Any) -> About:
    return About(id=name, tag=tag, answers=(told,), role=role, errors="problem", **more)


def _got(answer: object, *, etag: bool = False) -> Told:
    return Told(200, "As it stands.", answer, headers=_ETAG if etag else ())


def _set(answer: object, status: int = 200) -> Told:
    return Told(status, "So it is from now on.", answer, headers=_ETAG)


_GONE = Told(204, "It is so.")
_OWN: dict[str, Any] = {"headers": ("if-match",)}

_KEYS = {
    f"GET {ROOT}/auth-keys": _about("listKeys", "Keys", _got(list[shapes.Key])),
    f"POST {ROOT}/auth-keys": _about("createKey", "Keys", _set(shapes.NewKey, 201), body=KeyFields),
    f"GET {ROOT}/auth-keys/{{name}}": _about("getKey", "Keys", _got(shapes.Key, etag=True)),
    f"PATCH {ROOT}/auth-keys/{{name}}": _about(
        "changeKey", "Keys", _set(shapes.Key), body=KeyFields, **_OWN
    ),
    f"DELETE {ROOT}/auth-keys/{{name}}": _about("deleteKey", "Keys", _GONE, **_OWN),
    f"POST {ROOT}/auth-keys/{{name}}/rotate": _about(
        "rotateKey", "Keys", _set(shapes.NewKey), body=Rotation, **_OWN
    ),
    f"POST {ROOT}/auth-keys/{{name}}/deactivate": _about("deactivateKey", "Keys", _GONE, **_OWN),
}
_BUDGETS = {
    f"GET {ROOT}/budgets": _about("listBudgets", "Budgets", _got(shapes.Budgets), role="analyst"),
    f"PUT {ROOT}/budgets/{{user_path}}/{{period}}": _about(
        "setBudget", "Budgets", _set(shapes.BudgetSet), body=BudgetFields, **_OWN
    ),
    f"DELETE {ROOT}/budgets/{{user_path}}/{{period}}": _about(
        "deleteBudget", "Budgets", _GONE, **_OWN
    ),
    f"GET {ROOT}/budgets/settings": _about(
        "getBudgetSettings", "Budgets", _got(Anchors, etag=True)
    ),
    f"PUT {ROOT}/budgets/settings": _about(
        "setBudgetSettings", "Budgets", _set(Anchors), body=Anchors, **_OWN
    ),
    f"POST {ROOT}/budgets/reset-one": _about(
        "resetBudget", "Budgets", _got(shapes.BudgetSet), body=BudgetReset
    ),
    f"POST {ROOT}/budgets/reset": _about(
        "resetBudgets", "Budgets", _got(shapes.BudgetsReset), body=ResetConfirmation
    ),
    f"GET {ROOT}/limits": _about("listLimits", "Limits", _got(shapes.Limits), role="analyst"),
    f"PUT {ROOT}/limits/{{name}}": _about(
        "setLimit", "Limits", _set(shapes.LimitSet), body=LimitFields, **_OWN
    ),
    f"DELETE {ROOT}/limits/{{name}}": _about("deleteLimit", "Limits", _GONE, **_OWN),
}
_PRICES = {
    f"GET {ROOT}/model-pricing-overrides": _about(
        "listPrices", "Prices", _got(list[PriceView]), role="analyst"
    ),
    f"GET {ROOT}/model-pricing-overrides/{{name}}": _about(
        "getPrice", "Prices", _got(PriceView, etag=True), role="analyst"
    ),
    f"PUT {ROOT}/model-pricing-overrides/{{name}}": _about(
        "setPrice", "Prices", _set(PriceView), body=PriceFields, **_OWN
    ),
    f"DELETE {ROOT}/model-pricing-overrides/{{name}}": _about(
        "deletePrice", "Prices", _GONE, **_OWN
    ),
}
_GUARDRAILS = {
    f"GET {ROOT}/guardrails": _about(
        "listGuardrails", "Guardrails", _got(list[shapes.GuardrailSet]), role="analyst"
    ),
    f"GET {ROOT}/guardrails/types": _about(
        "listGuardrailTypes", "Guardrails", _got(list[shapes.GuardrailType]), role="analyst"
    ),
    f"PUT {ROOT}/guardrails/{{name}}": _about(
        "setGuardrail", "Guardrails", _set(shapes.GuardrailSet), body=GuardrailFields, **_OWN
    ),
    f"DELETE {ROOT}/guardrails/{{name}}": _about("deleteGuardrail", "Guardrails", _GONE, **_OWN),
    f"GET {ROOT}/workflows": _about(
        "listWorkflows", "Workflows", _got(list[shapes.WorkflowVersion]), role="analyst"
    ),
    f"POST {ROOT}/workflows": _about(
        "createWorkflow",
        "Workflows",
        Told(201, "It is active.", shapes.WorkflowVersion),
        body=WorkflowFields,
    ),
    f"GET {ROOT}/workflows/guardrails": _about(
        "listWorkflowGuardrails", "Workflows", _got(list[str]), role="analyst"
    ),
    f"GET {ROOT}/workflows/{{name}}": _about(
        "getWorkflow", "Workflows", _got(shapes.WorkflowVersion), role="analyst"
    ),
    f"POST {ROOT}/workflows/{{name}}/deactivate": _about("deactivateWorkflow", "Workflows", _GONE),
}
_ROUTING = {
    f"GET {ROOT}/routing": _about("listRoutingSets", "Routing", _got(shapes.RoutingSets)),
    f"GET {ROOT}/routing/{{name}}": _about(
        "getRoutingSet", "Routing", _got(shapes.RoutingTables, etag=True)
    ),
    f"PUT {ROOT}/routing/{{name}}": _about(
        "setRoutingSet", "Routing", _set(shapes.RoutingTables), body=shapes.RoutingTables, **_OWN
    ),
    f"DELETE {ROOT}/routing/{{name}}": _about("deleteRoutingSet", "Routing", _GONE, **_OWN),
}
_MODELS = {
    f"GET {ROOT}/models": _about(
        "listAllModels", "Models", _got(list[ModelView]), role="analyst", query=("category",)
    ),
    f"GET {ROOT}/models/categories": _about(
        "listModelCategories", "Models", _got(list[CategoryCount]), role="analyst"
    ),
    f"GET {ROOT}/aliases": _about("listAliases", "Models", _got(list[AliasView]), role="analyst"),
    f"GET {ROOT}/aliases/{{name}}": _about(
        "getAlias", "Models", _got(AliasView, etag=True), role="analyst"
    ),
    f"PUT {ROOT}/aliases/{{name}}": _about(
        "setAlias", "Models", _set(AliasView), body=AliasFields, **_OWN
    ),
    f"DELETE {ROOT}/aliases/{{name}}": _about("deleteAlias", "Models", _GONE, **_OWN),
}
_PURGED = Told(202, "Every worker does it as it reads of it.", Purge)
_CACHE = {
    f"GET {ROOT}/cache/overview": _about(
        "getCacheOverview", "Cache", _got(Overview), query=OF_DAYS
    ),
    f"DELETE {ROOT}/cache": _about("purgeCache", "Cache", _PURGED, query=MEANT),
    f"DELETE {ROOT}/cache/{{name}}": _about("purgeCacheEntry", "Cache", _PURGED, query=MEANT),
}


def _used(name: str, row: object) -> About:
    told = Told(200, "By what is used most.", row, _TABLE)
    return _about(name, "Usage", told, role="client", query=(*TIME, *WHERE))


def _page(name: str, tag: str, page: object, role: Role, query: tuple[str, ...]) -> About:
    told = Told(200, "The newest first.", page, _TABLE)
    return _about(name, tag, told, role=role, query=query)


_USAGE = {
    f"GET {ROOT}/usage/summary": _used("getUsageSummary", used.UsageSummary),
    f"GET {ROOT}/usage/daily": _used("getUsageByDay", list[used.UsageOfDay]),
    f"GET {ROOT}/usage/models": _used("getUsageByModel", list[used.UsageOfModel]),
    f"GET {ROOT}/usage/providers": _used("getUsageByProvider", list[used.UsageOfProvider]),
    f"GET {ROOT}/usage/user-paths": _used("getUsageByPath", list[used.UsageOfPath]),
    f"GET {ROOT}/usage/keys": _used("getUsageByKey", list[used.UsageOfKey]),
    f"GET {ROOT}/usage/log": _page(
        "listUsage", "Usage", used.UsagePage, "client", (*TIME, *LISTED)
    ),
    f"GET {ROOT}/audit/log": _page("listAudit", "Audit", used.AuditPage, "analyst", ASKED),
    f"GET {ROOT}/audit/log/{{name}}": _about(
        "getAudit", "Audit", _got(used.AuditDetail), role="analyst"
    ),
    f"GET {ROOT}/audit/conversation": _about(
        "getThread", "Audit", _got(used.Thread), role="analyst", query=("log_id", "thread limit")
    ),
}
_SPAN = ("since",)
_LOG = {
    f"GET {ROOT}/dead-letters": _about(
        "listDeadLetters",
        "Dead letters",
        _got(logged.DeadLetters),
        query=("reason", "request", "since", "until", "letters limit"),
    ),
    f"GET {ROOT}/dead-letters/{{name}}": _about(
        "getDeadLetter", "Dead letters", _got(logged.DeadLetter)
    ),
    f"POST {ROOT}/dead-letters/redrive": _about(
        "redriveDeadLetters", "Dead letters", _got(logged.Redrives), body=Redrive
    ),
    f"GET {ROOT}/requests/{{name}}": _about(
        "findRequest", "Log", _got(logged.Standings), query=(*_SPAN, "bodies")
    ),
    f"DELETE {ROOT}/requests/{{name}}": _about(
        "endRequest", "Log", _got(logged.Cancelled), query=(*_SPAN, "wait")
    ),
    f"GET {ROOT}/replays": _about("listReplays", "Replays", _got(logged.Replays)),
    f"POST {ROOT}/replays": _about(
        "beginReplay",
        "Replays",
        Told(202, "It is begun.", logged.Run, headers=("location",)),
        body=Rerun,
    ),
    f"GET {ROOT}/replays/{{name}}": _about("getReplay", "Replays", _got(logged.Run)),
    f"DELETE {ROOT}/replays/{{name}}": _about("endReplay", "Replays", _got(logged.Run)),
    f"GET {ROOT}/live": _about(
        "watch", "Log", Told(200, "Until you go.", None, (EVENTS,)), role="analyst"
    ),
    f"GET {ROOT}/exchanges/{{partition}}/{{offset}}": _about(
        "getExchange", "Log", _got(Exchange), role="analyst"
    ),
}
_SETTINGS = {
    f"GET {ROOT}/settings": _about("getSettings", "Settings", _got(Configuration)),
    f"GET {ROOT}/dashboard/config": _about(
        "getSwitches", "Settings", _got(dict[str, str]), role="analyst"
    ),
}
_PAGES = (Told(200, "A page, or a file of it.", None, ("text/html", "*/*"), _ETAG),)
_DASHBOARD = {
    "GET /admin/dashboard": About(
        id="getDashboard", tag="Dashboard", answers=_PAGES, public=True, headers=("if-none-match",)
    ),
    "GET /admin/dashboard/{name}": About(
        id="getDashboardFile",
        tag="Dashboard",
        answers=_PAGES,
        public=True,
        headers=("if-none-match",),
    ),
    "GET /docs": About(
        id="getDocs",
        tag="Dashboard",
        answers=(Told(307, "Where this document is shown.", headers=("location",)),),
        public=True,
    ),
}
GOVERNED: dict[str, About] = (_KEYS | _BUDGETS | _GUARDRAILS | _ROUTING | _MODELS | _CACHE) | (
    _PRICES | _USAGE | _LOG | _SETTINGS | _DASHBOARD
)
