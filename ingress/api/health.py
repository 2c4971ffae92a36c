"""`/health`, `/health/ready` and `/metrics`: for load balancers, supervisors and Prometheus."""

from __future__ import annotations

import msgspec

from ingress.errors import identity_lines
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.wire import Answer

_JSON = b"content-type: application/json\r\ncache-control: no-store\r\n"
_PROMETHEUS = b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n"
_encode = msgspec.json.Encoder().encode


class Ready(msgspec.Struct):
    """Whether a request would be answered, and each thing that this takes: `ok`, or what is wrong."""

    status: str
    checks: dict[str, str]


def _reply(request: IncomingRequest, status: int, lines: bytes, content: bytes) -> Answer:
    gateway: Gateway = request.app.ctx.gateway
    gateway.identify(request)
    return Answer(status, lines + identity_lines(request), content)


async def health(request: IncomingRequest) -> Answer:
    """The process lives. Looks at nothing else."""
    return _reply(request, 200, _JSON, b'{"status":"ok"}')


async def ready(request: IncomingRequest) -> Answer:
    """Whether a request sent now would be answered; 503 names what is missing."""
    gateway: Gateway = request.app.ctx.gateway
    checks = gateway.checks()
    passed = all(state == "ok" for state in checks.values())
    content = _encode(Ready("ok" if passed else "unavailable", checks))
    return _reply(request, 200 if passed else 503, _JSON, content)


async def metrics(request: IncomingRequest) -> Answer:
    """Prometheus' text format."""
    gateway: Gateway = request.app.ctx.gateway
    return _reply(request, 200, _PROMETHEUS, gateway.metrics.exposition())
