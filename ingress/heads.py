"""A stored exchange as the lists of usage and of the audit log show it, in GoModel's words."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from ingress.shown import Shown

NANO = 1e9
HITS = frozenset({"exact", "semantic", "coalesced"})
# Of what the gateway's own routes are; others are told by operation and dialect.
_ENDPOINTS = {
    ("chat", "openai_chat"): "/v1/chat/completions",
    ("chat", "openai_responses"): "/v1/responses",
    ("chat", "openai_completions"): "/v1/completions",
    ("chat", "anthropic"): "/v1/messages",
    ("embeddings", "openai_chat"): "/v1/embeddings",
}
_CHARACTERS = 4  # a token, about

Json = dict[str, Any]


class _Attempt(Struct, frozen=True):
    model: str = ""
    provider: str = ""
    error: str | None = None


class _Usage(Struct, frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    details: dict[str, int] = {}


class _Cost(Struct, frozen=True):
    total: int = 0
    input: int = 0
    output: int = 0
    source: str = ""


class _Cache(Struct, frozen=True):
    result: str = ""
    saved: _Usage | None = None
    saved_cost: int | None = None


class _Error(Struct, frozen=True):
    code: str = ""
    type: str = ""
    message: str = ""


class _Timings(Struct, frozen=True):
    total: float = 0.0
    queued: float = 0.0
    upstream: float | None = None
    first_token: float | None = None


class _Body(Struct, frozen=True):
    format: str = ""
    content_type: str = ""
    bytes: int = 0
    truncated: bool = False
    body: Raw | UnsetType = UNSET


class Head(Shown, frozen=True, kw_only=True, rename={"request_id": "_id"}):
    """What of a document is shown; the rest is passed over."""

    request_id: str
    client_ip: str | None = None
    client_request_id: str | None = None
    rule: str | None = None
    workflow: str | None = None
    finish_reason: str | None = None
    error: _Error | None = None
    usage: _Usage | None = None
    cost: _Cost | None = None
    timings: _Timings = _Timings()
    attempts: tuple[_Attempt, ...] = ()
    cache: _Cache | None = None
    request: _Body = _Body()
    response: _Body | None = None
    http_headers: dict[str, str] | None = None
    without: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """Of the last call, or of the answer of a cache."""
        return self.attempts[-1].model if self.attempts else self.response_model or ""

    @property
    def cache_type(self) -> str | None:
        """The kind of hit."""
        return self.cache.result if self.cache and self.cache.result in HITS else None

    @property
    def endpoint(self) -> str:
        return _ENDPOINTS.get((self.operation, self.dialect), self.operation)


_decode = msgspec.json.Decoder(Head).decode


def head(document: Raw) -> Head:
    """Of a document as JSON."""
    return _decode(document)


def place(found: Head) -> tuple[str, str]:
    """By which lists are ordered."""
    return found.created_at, found.request_id


def usage_entry(found: Head, vendor: str | None) -> Json:
    """A row of the usage log, of a provider of that vendor. A hit shows the tokens that it saved, and costs nothing."""
    used = found.usage or (found.cache.saved if found.cache else None) or _Usage()
    cost = found.cost
    return {
        "id": found.request_id,
        "request_id": found.client_request_id or found.request_id,
        "timestamp": found.finished_at,
        "model": found.model,
        "provider": vendor,
        "provider_name": found.provider,
        "endpoint": found.endpoint,
        "user_path": found.user_path,
        "auth_key_id": found.client,
        "cache_type": found.cache_type,
        "stream": found.stream,
        "status_code": found.status,
        "outcome": found.outcome,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "total_tokens": used.input_tokens + used.output_tokens,
        "raw_data": {**used.details, **_details(used)},
        "input_cost": None if cost is None else cost.input / NANO,
        "output_cost": None if cost is None else cost.output / NANO,
        "total_cost": None if cost is None else cost.total / NANO,
        "saved_cost": (found.cache.saved_cost or 0) / NANO if found.cache else 0.0,
        "costs_calculation_caveat": _caveat(found),
        "duration": found.timings.total,
        "first_token": found.timings.first_token,
    }


def audit_entry(found: Head, vendor: str | None, *, bodies: bool = False) -> Json:
    """A row of the audit log; with `bodies` what was asked and answered, as far as it is stored."""
    return {
        "id": found.request_id,
        "timestamp": found.created_at,
        "duration_ns": round(found.timings.total * 1e6) * 1000,
        "requested_model": found.request_model,
        "resolved_model": f"{found.provider}/{found.model}" if found.provider else None,
        "provider": vendor,
        "provider_name": found.provider,
        "alias_used": bool(found.request_model and found.model)
        and found.request_model not in (found.model, f"{found.provider}/{found.model}"),
        "workflow_version_id": found.workflow,
        "cache_type": found.cache_type,
        "status_code": found.status,
        "outcome": found.outcome,
        "request_id": found.client_request_id or found.request_id,
        "auth_key_id": found.client,
        "auth_method": {None: "no_key", "master": "master_key"}.get(found.client, "api_key"),
        "client_ip": found.client_ip,
        "method": "POST",
        "path": found.endpoint,
        "user_path": found.user_path,
        "stream": found.stream,
        "error_type": found.error.type if found.error else None,
        "data": _data(found, bodies),
        "usage": _audit_usage(found.usage),
    }


def _data(found: Head, bodies: bool) -> Json:  # handed on
    data: Json = {
        "error_code": found.error.code if found.error else None,
        "error_message": found.error.message if found.error else None,
        "finish_reason": found.finish_reason,
        "attempts": [
            {"provider": each.provider, "model": each.model, "error": each.error}
            for each in found.attempts
        ],
        "response_headers": found.http_headers,
        "request_body_too_big_to_handle": found.request.truncated,
        "response_body_too_big_to_handle": bool(found.response and found.response.truncated),
    }
    if len({each.provider for each in found.attempts}) > 1:
        data["failover"] = {"target_model": f"{found.provider}/{found.model}"}
    if bodies:
        data["request_body"] = _content(found.request)
        data["response_body"] = _content(found.response)
    return data


def _content(body: _Body | None) -> Raw | None:
    return None if body is None or body.body is UNSET else body.body


def _audit_usage(used: _Usage | None) -> Json | None:
    if used is None:
        return None
    cached = used.cached_input_tokens
    return {
        "entries": 1,
        "input_tokens": used.input_tokens,
        "uncached_input_tokens": max(
            used.input_tokens - cached - used.cache_creation_input_tokens, 0
        ),
        "cached_input_tokens": cached,
        "cache_write_input_tokens": used.cache_creation_input_tokens,
        "output_tokens": used.output_tokens,
        "total_tokens": used.input_tokens + used.output_tokens,
        "cached_input_ratio": cached / used.input_tokens if used.input_tokens else 0.0,
        "estimated_cached_characters": cached * _CHARACTERS,
    }


def _details(used: _Usage) -> Json:
    counts = {
        "cached_input_tokens": used.cached_input_tokens,
        "cache_creation_input_tokens": used.cache_creation_input_tokens,
        "reasoning_tokens": used.reasoning_tokens,
    }
    return {name: count for name, count in counts.items() if count}


def _caveat(found: Head) -> str | None:
    if found.usage is not None and found.usage.estimated:
        return "usage was estimated"
    if found.cost is None:
        return "no price is known"
    return None
