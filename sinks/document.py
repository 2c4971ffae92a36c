"""The stored document: what analysts read, the same in every store. Described in docs/exchanges.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace

from schemas.clock import from_rfc3339, rfc3339
from schemas.costs import Cost
from schemas.exchange import Attempt, Cached, ErrorInfo, Exchange, Outcome, Timings, Without
from schemas.guardrails import Verdict
from schemas.redaction import NOTHING, Redaction
from schemas.requests import Position
from schemas.usage import Usage
from sinks.bodies import StoredBody, as_text, stored, without_content

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class StoredUsage(Struct, frozen=True, kw_only=True):
    """Every count is there, so that sums and averages need no defaults."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_input_tokens: int
    cache_creation_input_tokens: int
    reasoning_tokens: int
    reported_cost: int | UnsetType = UNSET
    estimated: bool | UnsetType = UNSET
    details: dict[str, int] | UnsetType = UNSET


class StoredCost(Struct, frozen=True, kw_only=True):
    """Nano-dollars. All but `estimated` are always there."""

    total: int
    input: int
    output: int
    attempts: int
    source: str
    estimated: bool | UnsetType = UNSET


class StoredTimings(Struct, frozen=True, kw_only=True):
    """Seconds; `upstream` and `first_token` only where a provider was called."""

    total: float
    queued: float
    upstream: float | UnsetType = UNSET
    first_token: float | UnsetType = UNSET


class Document(Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"request_id": "_id"}):
    """One exchange as it is stored. Fields are schemas.exchange.Exchange's; absent ones are left out."""

    request_id: str
    schema_version: int
    outcome: Outcome
    created_at: str
    finished_at: str
    operation: str
    dialect: str
    stream: bool
    source: str
    user_path: str
    client: str | None = None
    client_ip: str | None = None
    client_request_id: str | None = None
    traceparent: str | None = None
    request_model: str | None
    provider: str | None = None
    rule: str | None = None
    response_model: str | None = None
    status: int
    finish_reason: str | None = None
    error: ErrorInfo | None = None
    usage: StoredUsage | None = None
    cost: StoredCost | None = None
    timings: StoredTimings
    attempts: tuple[Attempt, ...]
    cache: Cached | None = None
    repeats: str | None = None
    workflow: str | None = None
    guardrails: tuple[Verdict, ...] = ()
    without: tuple[Without, ...] = ()
    batch_id: str | None = None
    custom_id: str | None = None
    delivery_attempt: int
    kafka: Position
    request: StoredBody
    response: StoredBody | None = None
    http_headers: dict[str, str] | UnsetType = UNSET


def document(
    exchange: Exchange, *, bodies: bool, body_limit: int, redaction: Redaction = NOTHING
) -> Document:
    """The view of an exchange that is stored; ValueError if its times are none.

    Without `bodies`, or where the exchange is to be stored without them, neither bodies nor headers are in
    it; without an audit, who asked from where is not, either. A longer body than `body_limit` bytes is cut.
    """
    answer, audited = exchange.response, "audit" not in exchange.without
    bodies = bodies and audited and "bodies" not in exchange.without
    return Document(
        request_id=exchange.request_id,
        schema_version=exchange.schema_version,
        outcome=exchange.outcome,
        created_at=_moment(exchange.created_at),
        finished_at=_moment(exchange.finished_at),
        operation=exchange.operation,
        dialect=exchange.dialect,
        stream=exchange.stream,
        source=exchange.source,
        user_path=exchange.user_path,
        client=exchange.client,
        client_ip=exchange.client_ip if audited else None,
        client_request_id=exchange.client_request_id if audited else None,
        traceparent=exchange.traceparent,
        request_model=exchange.request_model,
        provider=exchange.provider,
        rule=exchange.rule,
        response_model=exchange.response_model,
        status=exchange.status,
        finish_reason=exchange.finish_reason,
        error=exchange.error,
        usage=None if exchange.usage is None else _usage(exchange.usage),
        cost=None if exchange.cost is None else _cost(exchange.cost),
        timings=_timings(exchange.timings),
        attempts=exchange.attempts,
        cache=exchange.cache,
        repeats=exchange.repeats,
        workflow=exchange.workflow,
        guardrails=exchange.guardrails,
        without=exchange.without,
        batch_id=exchange.batch_id,
        custom_id=exchange.custom_id,
        delivery_attempt=exchange.delivery_attempt,
        kafka=exchange.kafka,
        request=stored(exchange.request, body_limit, redaction)
        if bodies
        else without_content(exchange.request),
        response=None
        if answer is None
        else (stored(answer, body_limit, redaction) if bodies else without_content(answer)),
        http_headers=redaction.headers_of(exchange.http_headers)
        if bodies and exchange.http_headers is not UNSET
        else UNSET,
    )


def to_json(found: Document) -> bytes:
    """JSON, with the bodies' bytes as they are."""
    return _encode(found)


def to_builtins(found: Document) -> dict[str, Any]:
    """Nested dicts with real datetimes; msgspec.DecodeError if a number in a body has no Python form."""
    fields = _decode(_encode(found))
    fields["created_at"] = datetime.fromisoformat(found.created_at)
    fields["finished_at"] = datetime.fromisoformat(found.finished_at)
    for attempt in fields["attempts"]:
        attempt["started_at"] = datetime.fromisoformat(attempt["started_at"])
    return fields


def with_text_bodies(found: Document, limit: int) -> Document:
    """The same with both bodies as text of at most `limit` bytes, for a store that cannot hold the JSON."""
    answer = found.response
    return replace(
        found,
        request=as_text(found.request, limit),
        response=None if answer is None else as_text(answer, limit),
    )


def _usage(usage: Usage) -> StoredUsage:
    return StoredUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_creation_input_tokens=usage.cache_creation_input_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        reported_cost=UNSET if usage.reported_cost is None else usage.reported_cost,
        estimated=usage.estimated or UNSET,
        details=usage.details or UNSET,
    )


def _cost(cost: Cost) -> StoredCost:
    return StoredCost(
        total=cost.total,
        input=cost.input,
        output=cost.output,
        attempts=cost.attempts,
        source=cost.source,
        estimated=cost.estimated or UNSET,
    )


def _timings(timings: Timings) -> StoredTimings:
    known = {name: value for name, value in asdict(timings).items() if value is not None}
    return StoredTimings(**known)


def _moment(text: str) -> str:
    """In the one form that sorts as text: UTC, microseconds, `Z`."""
    if len(text) == 27 and text[-1] == "Z":
        datetime.fromisoformat(text)
        return text
    return rfc3339(from_rfc3339(text))
