"""OpenTelemetry, where a collector is set: spans of one request through all roles, and the GenAI metrics.

The SDK is imported by `tracer` only, so that a process without a collector does not pay for it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from schemas.metrics import BUCKETS
from schemas.tracing import Attributes, Kind, Measurement, Span, Tracer
from sluice.process import CannotStart, Context
from sluice.settings import Settings, telemetry

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Span as OtelSpan, SpanContext

EXPORT_TIMEOUT = 5.0  # seconds
TOKEN_BUCKETS = tuple(float(4**power) for power in range(14))
UNITS: dict[Measurement, tuple[str, str, Sequence[float]]] = {
    "gen_ai.client.operation.duration": ("s", "Duration of a provider call", BUCKETS),
    "gen_ai.client.token.usage": ("{token}", "Tokens of a provider call", TOKEN_BUCKETS),
    "gen_ai.server.time_to_first_token": ("s", "Time to the first content", BUCKETS),
}


@asynccontextmanager
async def tracer(context: Context, role: str) -> AsyncIterator[Tracer | None]:
    """None without a collector. At the end of the block what is left is sent, within seconds."""
    endpoint = context.settings[telemetry.ENDPOINT]
    if endpoint is None:
        yield None
        return
    try:
        made = Telemetry(context.settings, endpoint, role)
    except ImportError as error:
        raise CannotStart(
            f"{telemetry.ENDPOINT.name} is set, and {error.name} is missing: pip install 'sluice[otel]'"
        ) from error
    try:
        yield made
    finally:
        await asyncio.to_thread(made.close)


class Telemetry(Tracer):
    """The Tracer of one process. ImportError without the SDK."""

    def __init__(self, settings: Settings, endpoint: str, role: str) -> None:
        self._content = settings[telemetry.CAPTURE_CONTENT]
        headers: telemetry.Pairs = settings[telemetry.HEADERS]
        where = _Collector(endpoint.rstrip("/"), dict(headers))
        resource = _resource(settings, role)
        self._traces = _traces(settings, where, resource)
        self._metrics: MeterProvider | None = None
        self._histograms: dict[Measurement, Histogram] = {}
        if settings[telemetry.METRICS_EXPORTER] == "otlp":
            interval = settings[telemetry.METRIC_EXPORT_INTERVAL]
            self._metrics = _metrics(where, resource, interval)
            meter = self._metrics.get_meter("sluice")
            for name, (unit, text, buckets) in UNITS.items():
                self._histograms[name] = meter.create_histogram(
                    name, unit, text, explicit_bucket_boundaries_advisory=buckets
                )
        self._tracer = self._traces.get_tracer("sluice")

    @property
    @override
    def content(self) -> bool:
        return self._content

    @override
    def start(self, name: str, kind: Kind, parent: str | None, attributes: Attributes) -> Span:
        from opentelemetry.context import Context as OtelContext
        from opentelemetry.trace import NonRecordingSpan, SpanKind, set_span_in_context

        given = OtelContext()
        if (remote := _parsed(parent)) is not None:
            given = set_span_in_context(NonRecordingSpan(remote), given)
        kinds = SpanKind[kind.upper()]
        return _Span(self._tracer.start_span(name, given, kinds, attributes))

    @override
    def measure(self, name: Measurement, value: float, attributes: Attributes) -> None:
        if (histogram := self._histograms.get(name)) is not None:
            histogram.record(value, attributes)

    def close(self) -> None:
        """Blocks until all is sent, or for some seconds."""
        self._traces.shutdown()
        if self._metrics is not None:
            shutdown: Any = self._metrics
            shutdown.shutdown(timeout_millis=EXPORT_TIMEOUT * 1000)


class _Span(Span):
    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    @property
    @override
    def traceparent(self) -> str:
        found = self._span.get_span_context()
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"

    @override
    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    @override
    def end(self, error: str | None = None) -> None:
        if error is not None:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class _Collector:
    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = url
        self.headers = headers


def _parsed(traceparent: str | None) -> SpanContext | None:
    """What a traceparent says; None for one that is none."""
    from opentelemetry.trace import SpanContext, TraceFlags

    parts = traceparent.split("-") if traceparent else []
    if len(parts) < 4:
        return None
    try:
        trace, span, flags = (int(part, 16) for part in parts[1:4])
    except ValueError:
        return None
    found = SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(flags))
    return found if found.is_valid else None


def _resource(settings: Settings, role: str) -> Resource:
    from opentelemetry.sdk.resources import Resource

    more: telemetry.Pairs = settings[telemetry.RESOURCE_ATTRIBUTES]
    return Resource.create(
        {
            "service.namespace": "sluice",
            "service.version": version("sluice"),
            "service.instance.id": f"{os.uname().nodename}-{os.getpid()}",
            **dict(more),
            "service.name": settings[telemetry.SERVICE_NAME] or f"sluice-{role}",
        }
    )


def _traces(settings: Settings, where: _Collector, resource: Resource) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    sends = settings[telemetry.TRACES_EXPORTER] == "otlp"
    provider = TracerProvider(
        _sampler(settings) if sends else _never(), resource, shutdown_on_exit=False
    )
    if sends:
        exporter = OTLPSpanExporter(
            f"{where.url}/v1/traces", headers=where.headers, timeout=EXPORT_TIMEOUT
        )
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _metrics(where: _Collector, resource: Resource, interval: int) -> MeterProvider:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = OTLPMetricExporter(
        f"{where.url}/v1/metrics", headers=where.headers, timeout=EXPORT_TIMEOUT
    )
    reader = PeriodicExportingMetricReader(exporter, interval)
    return MeterProvider([reader], resource, shutdown_on_exit=False)


def _never() -> Sampler:
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    return ALWAYS_OFF


def _sampler(settings: Settings) -> Sampler:
    from opentelemetry.sdk.trace import sampling

    chosen = settings[telemetry.SAMPLER]
    share = settings[telemetry.SAMPLER_ARG]
    named: dict[str, Sampler] = {
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        "traceidratio": sampling.TraceIdRatioBased(share),
    }
    root = named[chosen.removeprefix("parentbased_")]
    return sampling.ParentBased(root) if chosen.startswith("parentbased_") else root
