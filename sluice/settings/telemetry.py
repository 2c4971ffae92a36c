"""The rows for OpenTelemetry, under its own names: https://opentelemetry.io/docs/specs/otel/configuration/"""

from __future__ import annotations

from typing import Literal, get_args
from urllib.parse import unquote

from sluice.settings.kinds import BOOLEAN, Kind, choice, integer, optional, url
from sluice.settings.setting import Group, Setting

Sampler = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]
Exporter = Literal["otlp", "none"]
Pairs = tuple[tuple[str, str], ...]


def _pairs(text: str) -> Pairs:
    found = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise ValueError("it is not name=value,name=value")
        found.append((name.strip(), unquote(value.strip())))
    return tuple(found)


def _ratio(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError("not between 0 and 1")
    return value


PAIRS = Kind[Pairs](
    "name=value, several separated by commas",
    _pairs,
    lambda pairs: ",".join(f"{name}={value}" for name, value in pairs),
)
RATIO = Kind[float]("a number between 0 and 1", _ratio, lambda value: f"{value:g}")

ENDPOINT = Setting[str | None](
    name="OTEL_EXPORTER_OTLP_ENDPOINT",
    kind=optional(url("http", "https")),
    default=None,
    summary="Base URL of a collector that takes OTLP over HTTP, as `http://localhost:4318`. Traces "
    "go to `/v1/traces` below it, metrics to `/v1/metrics`. Needs the extra `otel`.",
    unset="there is no OpenTelemetry, and it costs nothing",
)
HEADERS = Setting[Pairs](
    name="OTEL_EXPORTER_OTLP_HEADERS",
    kind=PAIRS,
    default=(),
    secret=True,
    summary="Headers for the collector, as `api-key=…`.",
)
SERVICE_NAME = Setting[str | None](
    name="OTEL_SERVICE_NAME",
    kind=optional(Kind[str]("any text", lambda text: text, str)),
    default=None,
    summary="The name of this service in traces.",
    unset="`sluice-ingress`, `sluice-streams` or `sluice-sinks`",
)
RESOURCE_ATTRIBUTES = Setting[Pairs](
    name="OTEL_RESOURCE_ATTRIBUTES",
    kind=PAIRS,
    default=(),
    summary="What else is said of this process, as `deployment.environment.name=production`.",
)
TRACES_EXPORTER = Setting[Exporter](
    name="OTEL_TRACES_EXPORTER",
    kind=choice(get_args(Exporter)),
    default="otlp",
    summary="Whether spans are sent.",
)
METRICS_EXPORTER = Setting[Exporter](
    name="OTEL_METRICS_EXPORTER",
    kind=choice(get_args(Exporter)),
    default="none",
    summary="Whether the GenAI metrics are sent, too. Prometheus has its own in any case.",
)
METRIC_EXPORT_INTERVAL = Setting(
    name="OTEL_METRIC_EXPORT_INTERVAL",
    kind=integer(100, 3_600_000),
    default=60_000,
    summary="Milliseconds between two of these.",
)
SAMPLER = Setting[Sampler](
    name="OTEL_TRACES_SAMPLER",
    kind=choice(get_args(Sampler)),
    default="parentbased_always_on",
    summary="Which traces are recorded; one that began at the client goes by what the client says, if "
    "it is `parentbased_…`.",
)
SAMPLER_ARG = Setting(
    name="OTEL_TRACES_SAMPLER_ARG",
    kind=RATIO,
    default=1.0,
    summary="Share of the traces that `traceidratio` and `parentbased_traceidratio` record.",
)
CAPTURE_CONTENT = Setting(
    name="OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
    kind=BOOLEAN,
    default=False,
    summary="Whether spans hold the messages and the answer. These are your users' words: leave it off "
    "where the collector may not have them.",
)
GROUP = Group(
    "OpenTelemetry",
    (
        *(ENDPOINT, HEADERS, SERVICE_NAME, RESOURCE_ATTRIBUTES, TRACES_EXPORTER, METRICS_EXPORTER),
        *(METRIC_EXPORT_INTERVAL, SAMPLER, SAMPLER_ARG, CAPTURE_CONTENT),
    ),
)
