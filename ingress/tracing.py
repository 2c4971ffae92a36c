"""Spans of an ingress: one of each request to a model route, and below it one of its record."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable
from typing import Any

from ingress.caller import traceparent
from ingress.guards import IncomingRequest
from schemas import headers as h
from schemas.tracing import Span, Tracer


def request_span(tracer: Tracer, request: IncomingRequest, route: str) -> Span:
    """An HTTP request, from its head to the last byte of its answer.

    `route` is what the metrics call it: a path itself may hold names and ids.
    """
    return tracer.start(
        f"{request.method} {route}",
        "server",
        traceparent(request.headers),
        {
            "http.request.method": request.method,
            "http.route": route,
            "url.path": request.path,
            "url.scheme": request.scheme,
            "network.protocol.version": request.version,
        },
    )


def answered(request: IncomingRequest, status: int) -> None:
    """It is over, if it was traced; only what is our fault or a provider's is an error of a server's span."""
    if (span := request.span) is None:
        return
    span.set({"http.response.status_code": status, "sluice.request_id": request.gateway_id or ""})
    span.end(str(status) if status >= 500 else None)


def record_span(tracer: Tracer, topic: str, headers: h.Headers) -> Span:
    """A record on its way into the log, below what its headers say."""
    found = h.first(headers)
    parent = found.get(h.TRACEPARENT)
    return tracer.start(
        f"send {topic}",
        "producer",
        parent.decode() if parent is not None else None,
        {
            "messaging.system": "kafka",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": topic,
            "messaging.message.id": found.get(h.CE_ID, b"").decode(),
        },
    )


def acknowledged(span: Span) -> Callable[[Future[Any]], None]:
    """Ends it when the record is acknowledged, or is not."""

    def done(future: Future[Any]) -> None:
        failed = future.cancelled() or future.exception() is not None
        span.end("log_unavailable" if failed else None)

    return done
