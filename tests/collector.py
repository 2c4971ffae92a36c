"""A collector: takes OTLP over HTTP and keeps what it is sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from typing_extensions import override


class Told(Struct):
    """One span, as it arrived."""

    trace_id: str
    span_id: str
    parent_id: str  # empty: it is the first of its trace
    name: str
    kind: int
    service: str
    attributes: dict[str, Any]
    failed: bool


class Collector:
    def __init__(self) -> None:
        self.spans: list[Told] = []
        self.metrics: dict[str, list[Any]] = {}  # data points by name
        self.headers: list[dict[str, str]] = []
        self.url = ""

    def of_trace(self, trace_id: str) -> list[Told]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = _attributes(resource.resource.attributes)["service.name"]
                for scope in resource.scope_spans:
                    self.spans += [_told(span, service) for span in scope.spans]
        if path == "/v1/metrics":
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        self.metrics.setdefault(metric.name, []).extend(
                            metric.histogram.data_points
                        )


def _told(span: Any, service: str) -> Told:
    return Told(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.kind,
        service,
        _attributes(span.attributes),
        span.status.code == 2,
    )


def _attributes(found: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in found}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)


@contextmanager
def collector() -> Iterator[Collector]:
    """Listens until the end of the block."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            found.headers.append({name.lower(): value for name, value in self.headers.items()})
            found.take(self.path, body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
