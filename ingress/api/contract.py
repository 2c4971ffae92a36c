"""`/openapi.json`, `/asyncapi.json`, and `/docs`, where the first is shown. They hold no data: no key is asked."""

from __future__ import annotations

from typing import Literal

from ingress.contract.documents import Documents
from ingress.errors import error_answer, identity_lines
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.wire import Answer
from schemas.errors import GatewayError

PLACE = "/admin/dashboard/api"
_JSON = b"content-type: application/json\r\ncache-control: no-cache\r\n"


async def openapi(request: IncomingRequest) -> Answer:
    """What this gateway answers over HTTP, as OpenAPI 3.1."""
    return _written(request, "openapi")


async def asyncapi(request: IncomingRequest) -> Answer:
    """What stands on its topics, as AsyncAPI 3."""
    return _written(request, "asyncapi")


async def docs(request: IncomingRequest) -> Answer:
    """The page that shows it."""
    gateway: Gateway = request.app.ctx.gateway
    try:
        gateway.identify(request)
    except GatewayError as error:
        return error_answer(request, error)
    place = f"{gateway.config.base_path}{PLACE}".encode()
    return Answer(307, b"location: %b\r\n%b" % (place, identity_lines(request)))


def _written(request: IncomingRequest, name: Literal["openapi", "asyncapi"]) -> Answer:
    gateway: Gateway = request.app.ctx.gateway
    try:
        gateway.identify(request)
    except GatewayError as error:
        return error_answer(request, error)
    documents: Documents = request.app.ctx.documents
    return Answer(200, _JSON + identity_lines(request), getattr(documents, name))
