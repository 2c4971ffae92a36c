"""What the admin API answers of usage and of the audit: rows of `ingress/usage.py` and `ingress/heads.py`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from schemas.exchange import Exchange


class Percentiles(Struct):
    """Seconds; null of nothing."""

    p50: float | None
    p95: float | None
    p99: float | None


class _Row(Struct, kw_only=True):
    failed: int
    cancelled: int
    total_tokens: int
    cached_input_tokens: int
    cache_write_input_tokens: int
    reasoning_tokens: int
    total_cost: float | None
    saved_cost: float
    unpriced_requests: int
    latency: Percentiles
    first_token: Percentiles


class UsageSummary(_Row, kw_only=True):
    """Everything in one row. Costs are US dollars, null where no price is known."""

    total_requests: int
    total_input_tokens: int
    total_output_tokens: int
    total_input_cost: float | None
    total_output_cost: float | None


class UsageRow(_Row, kw_only=True):
    """One row. Costs are US dollars, null where no price is known."""

    requests: int
    input_tokens: int
    output_tokens: int
    input_cost: float | None
    output_cost: float | None


class UsageOfDay(UsageRow, kw_only=True):
    """One interval."""

    date: str


class UsageOfModel(UsageRow, kw_only=True):
    """One model of one provider."""

    model: str | None
    provider: str | None
    provider_name: str


class UsageOfProvider(UsageRow, kw_only=True):
    """One provider."""

    provider: str | None
    provider_name: str


class UsageOfPath(UsageRow, kw_only=True):
    """One user path."""

    user_path: str | None


class UsageOfKey(UsageRow, kw_only=True):
    """One key; null of those who have none."""

    auth_key_id: str | None


class UsageEntry(Struct, kw_only=True):
    """One request. Of what a cache answered the tokens are those that it saved."""

    id: str
    request_id: str
    timestamp: str
    model: str
    provider: str | None
    provider_name: str | None
    endpoint: str
    user_path: str
    auth_key_id: str | None
    cache_type: str | None
    stream: bool
    status_code: int
    outcome: str
    input_tokens: int
    output_tokens: int
    total_tokens: int
    raw_data: dict[str, int]
    input_cost: float | None
    output_cost: float | None
    total_cost: float | None
    saved_cost: float
    costs_calculation_caveat: str | None
    duration: float
    first_token: float | None


class AuditEntry(Struct, kw_only=True):
    """One request, without its bodies."""

    id: str
    timestamp: str
    duration_ns: int
    requested_model: str | None
    resolved_model: str | None
    provider: str | None
    provider_name: str | None
    alias_used: bool
    workflow_version_id: str | None
    cache_type: str | None
    status_code: int
    outcome: str
    request_id: str
    auth_key_id: str | None
    auth_method: str
    client_ip: str | None
    method: str
    path: str
    user_path: str
    stream: bool
    error_type: str | None
    data: dict[str, Any]
    usage: dict[str, Any] | None


class _Page(Struct, kw_only=True):
    total: int
    total_is_exact: bool
    limit: int
    offset: int
    next_cursor: str | None


class UsagePage(_Page, kw_only=True):
    """A page of the usage log."""

    entries: list[UsageEntry]


class AuditPage(_Page, kw_only=True):
    """A page of the audit log."""

    entries: list[AuditEntry]


class AuditDetail(AuditEntry, kw_only=True):
    """One request with its bodies, in `data`, and the whole document."""

    exchange: Exchange


class Thread(Struct, kw_only=True):
    """Requests that went on with each other, the oldest first, with their bodies in `data`."""

    anchor_id: str
    entries: list[AuditEntry]
