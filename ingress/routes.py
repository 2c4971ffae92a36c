"""Every route, in one list; OPTIONS is made from it."""

from __future__ import annotations

from typing import Any

from sanic import Sanic
from sanic.response import HTTPResponse

from ingress.api import admin_audit, admin_models, admin_usage
from ingress.api.admin_aliases import alias, aliases
from ingress.api.admin_budgets import (
    budget,
    budgets,
    limit,
    limits,
    reset_all,
    reset_one,
    settings as budget_settings,
)
from ingress.api.admin_cache import cache_overview, purge
from ingress.api.admin_guardrails import guardrail, guardrails, types as guardrail_types
from ingress.api.admin_keys import change_key, deactivate_key, key, keys, rotate_key
from ingress.api.admin_log import (
    dead_letter,
    dead_letters,
    one_request,
    redrive,
    replay,
    replays,
)
from ingress.api.admin_prices import price_override, price_overrides
from ingress.api.admin_routing import routing_set, routing_sets
from ingress.api.admin_settings import settings as configured
from ingress.api.admin_switches import switches
from ingress.api.admin_workflows import deactivate_workflow, names, workflow, workflows
from ingress.api.chat import chat
from ingress.api.completions import completions
from ingress.api.contract import asyncapi, docs, openapi
from ingress.api.dashboard import dashboard
from ingress.api.embeddings import embeddings
from ingress.api.files import batches, files
from ingress.api.gemini import gemini
from ingress.api.health import health, metrics, ready
from ingress.api.live import exchange, live
from ingress.api.messages import count_tokens, messages
from ingress.api.models import model, models
from ingress.api.passthrough import METHODS as PASSTHROUGH_METHODS, passthrough
from ingress.api.requests import earlier_request, events
from ingress.api.responses import compact, input_tokens, responses
from ingress.api.stored_responses import cancel_response, input_items, stored_response
from ingress.config import IngressConfig
from ingress.errors import identity_lines
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.route import Handler, Route
from ingress.wire import Answer


def _any(path: str, methods: tuple[str, ...], handler: Handler) -> Route:
    return Route(path, methods, handler, reads_body=True)


def _ask(path: str, handler: Handler) -> Route:
    return _any(path, ("POST",), handler)


def _look(path: str, handler: Handler) -> Route:
    return Route(path, ("GET", "HEAD"), handler)


_ADMIN_ROUTING = (
    _look("/admin/api/v1/routing", routing_sets),
    _any("/admin/api/v1/routing/<name>", ("GET", "HEAD", "PUT", "DELETE"), routing_set),
)
_ADMIN_MODELS = (
    _look("/admin/api/v1/models", admin_models.models),
    _look("/admin/api/v1/models/categories", admin_models.categories),
    _look("/admin/api/v1/aliases", aliases),
    _any("/admin/api/v1/aliases/<name>", ("GET", "HEAD", "PUT", "DELETE"), alias),
)
_ADMIN_LOG = (
    _look("/admin/api/v1/dead-letters", dead_letters),
    _ask("/admin/api/v1/dead-letters/redrive", redrive),
    _look("/admin/api/v1/dead-letters/<name:path>", dead_letter),
    Route("/admin/api/v1/requests/<name:path>", ("GET", "HEAD", "DELETE"), one_request),
    _any("/admin/api/v1/replays", ("GET", "HEAD", "POST"), replays),
    Route("/admin/api/v1/replays/<name>", ("GET", "HEAD", "DELETE"), replay),
)
_ADMIN_USAGE = (
    _look("/admin/api/v1/usage/summary", admin_usage.summary),
    _look("/admin/api/v1/usage/daily", admin_usage.daily),
    _look("/admin/api/v1/usage/models", admin_usage.models),
    _look("/admin/api/v1/usage/providers", admin_usage.providers),
    _look("/admin/api/v1/usage/user-paths", admin_usage.user_paths),
    _look("/admin/api/v1/usage/keys", admin_usage.keys),
    _look("/admin/api/v1/usage/log", admin_usage.log),
    _look("/admin/api/v1/audit/log", admin_audit.log),
    _look("/admin/api/v1/audit/log/<name>", admin_audit.entry),
    _look("/admin/api/v1/audit/conversation", admin_audit.conversation),
)
ROUTES = (
    _ask("/v1/chat/completions", chat),
    _ask("/v1/completions", completions),
    _ask("/v1/responses", responses),
    _ask("/v1/responses/input_tokens", input_tokens),
    _ask("/v1/responses/compact", compact),
    _any("/v1/responses/<name>", ("GET", "HEAD", "DELETE"), stored_response),
    _ask("/v1/responses/<name>/cancel", cancel_response),
    _look("/v1/responses/<name>/input_items", input_items),
    _ask("/v1/embeddings", embeddings),
    # What an SDK asks for below a base URL that is the gateway's root, or one that names its maker:
    # there, too, the lists of models have that maker's form.
    *(
        route
        for root in ("", "/anthropic")
        for route in (
            _ask(f"{root}/v1/messages", messages),
            _ask(f"{root}/v1/messages/count_tokens", count_tokens),
        )
    ),
    *(_ask(f"{root}/models/<name:path>", gemini) for root in ("/v1", "/v1beta")),
    *(_ask(f"/gemini{root}/models/<name:path>", gemini) for root in ("/v1", "/v1beta")),
    *(
        route
        for root in ("/v1", "/v1beta", "/anthropic/v1", "/gemini/v1", "/gemini/v1beta")
        for route in (
            _look(f"{root}/models", models),
            _look(f"{root}/models/<name:path>", model),
        )
    ),
    Route("/v1/requests/<name>", ("GET", "HEAD", "DELETE"), earlier_request),
    _look("/v1/requests/<name>/events", events),
    _any("/v1/files", ("GET", "POST"), files),
    _any("/v1/files/<name>", ("GET", "DELETE"), files),
    _any("/v1/files/<name>/content", ("GET",), files),
    _any("/v1/batches", ("GET", "POST"), batches),
    _any("/v1/batches/<name>", ("GET",), batches),
    _any("/v1/batches/<name>/cancel", ("POST",), batches),
    _any("/v1/batches/<name>/results", ("GET",), batches),
    _any("/admin/api/v1/cache", ("DELETE",), purge),
    _any("/admin/api/v1/cache/<name>", ("DELETE",), purge),
    _any("/admin/api/v1/budgets", ("GET",), budgets),
    _any("/admin/api/v1/budgets/settings", ("GET", "PUT"), budget_settings),
    _any("/admin/api/v1/budgets/reset-one", ("POST",), reset_one),
    _any("/admin/api/v1/budgets/reset", ("POST",), reset_all),
    _any("/admin/api/v1/budgets/<user_path>/<period>", ("PUT", "DELETE"), budget),
    _any("/admin/api/v1/guardrails", ("GET",), guardrails),
    _any("/admin/api/v1/guardrails/types", ("GET",), guardrail_types),
    _any("/admin/api/v1/guardrails/<name>", ("PUT", "DELETE"), guardrail),
    _any("/admin/api/v1/workflows", ("GET", "POST"), workflows),
    _any("/admin/api/v1/workflows/guardrails", ("GET",), names),
    _any("/admin/api/v1/workflows/<name>", ("GET",), workflow),
    _any("/admin/api/v1/workflows/<name>/deactivate", ("POST",), deactivate_workflow),
    _look("/admin/api/v1/model-pricing-overrides", price_overrides),
    _any(
        "/admin/api/v1/model-pricing-overrides/<name:path>",
        ("GET", "HEAD", "PUT", "DELETE"),
        price_override,
    ),
    _any("/admin/api/v1/limits", ("GET",), limits),
    _any("/admin/api/v1/limits/<name>", ("PUT", "DELETE"), limit),
    _any("/admin/api/v1/auth-keys", ("GET", "POST"), keys),
    _any("/admin/api/v1/auth-keys/<name>", ("GET",), key),
    _any("/admin/api/v1/auth-keys/<name>", ("PATCH", "DELETE"), change_key),
    _any("/admin/api/v1/auth-keys/<name>/rotate", ("POST",), rotate_key),
    _any("/admin/api/v1/auth-keys/<name>/deactivate", ("POST",), deactivate_key),
    _look("/admin/api/v1/cache/overview", cache_overview),
    _look("/admin/api/v1/settings", configured),
    _look("/admin/api/v1/dashboard/config", switches),
    _look("/admin/api/v1/live", live),
    _look("/admin/api/v1/exchanges/<partition>/<offset>", exchange),
    _look("/admin/dashboard", dashboard),
    _look("/admin/dashboard/<name:path>", dashboard),
    *_ADMIN_LOG,
    *_ADMIN_USAGE,
    *_ADMIN_ROUTING,
    *_ADMIN_MODELS,
    _look("/health", health),
    _look("/health/ready", ready),
    _look("/openapi.json", openapi),
    _look("/asyncapi.json", asyncapi),
    _look("/docs", docs),
)


def table(config: IngressConfig) -> list[Route]:
    """The routes of a gateway that is configured so, below its prefix."""
    hidden = []
    if not config.admin_enabled:
        hidden += ["/admin/", "/docs"]
    elif not config.dashboard_enabled:
        hidden += ["/admin/dashboard", "/docs"]
    found = [route for route in ROUTES if not route.path.startswith(tuple(hidden))]
    if config.metrics_enabled:
        found.append(_look(config.metrics_path, metrics))
    if config.passthrough_enabled:
        path = "/p/<provider>/<rest:path>"
        found.append(_any(path, PASSTHROUGH_METHODS, passthrough))
    return found


def add_routes(app: Sanic[Any, Any], config: IngressConfig) -> None:
    """Tell the application of its routes."""
    methods: dict[str, tuple[str, ...]] = {}
    for number, route in enumerate(table(config)):
        methods[route.path] = methods.get(route.path, ()) + route.methods
        app.add_route(
            route.handler,  # type: ignore[arg-type]  # None: the answer was written
            config.base_path + route.path,
            methods=route.methods,
            name=f"route-{number}",
            # `stream` only means that the handler reads the body itself.
            stream=route.reads_body,
            ignore_body=not route.reads_body,
        )
    for number, (path, known) in enumerate(methods.items()):
        if "OPTIONS" not in known:
            handler, name = _Options(known), f"options-{number}"
            path = config.base_path + path
            app.add_route(handler, path, methods=["OPTIONS"], ignore_body=True, name=name)


class _Options:
    """Answers OPTIONS with the methods of one path."""

    def __init__(self, methods: tuple[str, ...]) -> None:
        self.methods = (*methods, "OPTIONS")
        self._lines = b"allow: %s\r\n" % ", ".join(self.methods).encode()

    async def __call__(self, request: IncomingRequest, **_: str) -> HTTPResponse:
        gateway: Gateway = request.app.ctx.gateway
        gateway.identify(request)
        return Answer(204, self._lines + identity_lines(request))
