"""Spans of a sink: one of each exchange, from its batch's arrival until it is in the store."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.tracing import Span, Tracer
from sinks.batches import Batch
from sinks.config import SinkConfig


def spans(tracer: Tracer, config: SinkConfig, batch: Batch) -> Sequence[Span]:
    """Of those exchanges of the batch that belong to a trace."""
    return [
        tracer.start(
            f"store {config.storage_type}",
            "consumer",
            document.traceparent,
            {
                "messaging.system": "kafka",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.batch.message_count": len(batch.documents),
                "db.system.name": config.storage_type,
                "sluice.request_id": document.request_id,
            },
        )
        for document in batch.documents
        if document.traceparent is not None
    ]


def end(spans: Sequence[Span], *, kept: bool) -> None:
    """All is where it belongs; or it comes again, and has spans of its own then."""
    for span in spans:
        span.end(None if kept else "redelivered")
