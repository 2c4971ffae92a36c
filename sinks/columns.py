"""The columns in which SQL stores hold what is asked for most, the same in each of them."""

from __future__ import annotations

from msgspec import UNSET

from sinks.document import Document
from sinks.rollups import hit, model

Value = str | int | float | None

COLUMNS = (
    "request_id",
    "created_at",
    "finished_at",
    "outcome",
    "status",
    "operation",
    "dialect",
    "stream",
    "source",
    "user_path",
    "client",
    "client_request_id",
    "provider",
    "request_model",
    "response_model",
    "finish_reason",
    "error_code",
    "delivery_attempt",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_tokens",
    "total_seconds",
    "queued_seconds",
    "upstream_seconds",
    "first_token_seconds",
    "model",
    "cache",
    "cost",
    "left_out",
    "document",
)


def row(found: Document) -> tuple[Value, ...]:
    """The values of all columns but the document."""
    usage, timings = found.usage, found.timings
    return (
        found.request_id,
        found.created_at,
        found.finished_at,
        found.outcome,
        found.status,
        found.operation,
        found.dialect,
        found.stream,
        found.source,
        found.user_path,
        found.client,
        found.client_request_id,
        found.provider,
        found.request_model,
        found.response_model,
        found.finish_reason,
        found.error.code if found.error else None,
        found.delivery_attempt,
        usage.input_tokens if usage else None,
        usage.output_tokens if usage else None,
        usage.cached_input_tokens if usage else None,
        usage.cache_creation_input_tokens if usage else None,
        usage.reasoning_tokens if usage else None,
        timings.total,
        timings.queued,
        None if timings.upstream is UNSET else timings.upstream,
        None if timings.first_token is UNSET else timings.first_token,
        model(found),
        hit(found),
        found.cost.total if found.cost else None,
        ",".join(found.without),
    )
