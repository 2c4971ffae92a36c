"""Traces and measurements as the roles know them: `sluice` hands in a Tracer where OpenTelemetry is set
up, and None where it is not. And which request the code that runs is about, for the logs."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Literal, Protocol

from schemas import headers as h

Kind = Literal["server", "client", "producer", "consumer"]
Value = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Value]
# https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
Measurement = Literal[
    "gen_ai.client.operation.duration",  # seconds of one call of a provider
    "gen_ai.client.token.usage",  # tokens of it; gen_ai.token.type: input, output
    "gen_ai.server.time_to_first_token",  # seconds to the first content
]
# Request id and traceparent of what a task works on. A log line says them (sluice/telemetry.py).
ABOUT: ContextVar[tuple[str, str | None] | None] = ContextVar("about", default=None)


class Span(Protocol):
    """Something that takes a while. Nothing of it blocks or raises."""

    @property
    def traceparent(self) -> str:
        """W3C Trace Context, to be sent to whoever works on; also of a trace that is not sampled."""
        ...

    def set(self, attributes: Attributes) -> None: ...

    def end(self, error: str | None = None) -> None:
        """`error`: a low-cardinality code of what went wrong."""
        ...


class Tracer(Protocol):
    """Makes spans and takes measurements, and sends both from a thread of its own."""

    @property
    def content(self) -> bool:
        """Whether messages are to be told, too: OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT."""
        ...

    def start(self, name: str, kind: Kind, parent: str | None, attributes: Attributes) -> Span:
        """A span that begins now. `parent`: a traceparent; None or an invalid one begins a trace."""
        ...

    def measure(self, name: Measurement, value: float, attributes: Attributes) -> None: ...


def trace_id(traceparent: str | None) -> str | None:
    """The trace in a traceparent."""
    parts = traceparent.split("-", 3) if traceparent else ()
    return parts[1] if len(parts) == 4 and len(parts[1]) == 32 else None


def carry(headers: h.Headers, span: Span) -> h.Headers:
    """The headers of a record that belongs to the span."""
    own = (h.TRACEPARENT, span.traceparent.encode())
    return [*(each for each in headers if each[0] != h.TRACEPARENT), own]
