"""`GET /v1/models` and `GET /v1/models/<id>`: what can be called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from urllib.parse import unquote

import msgspec

from ingress.errors import error_answer, identity_lines
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.wire import Answer
from schemas.errors import GatewayError, ModelNotFound
from schemas.models import Model

_LINES = b"content-type: application/json\r\n"
_encode = msgspec.json.Encoder().encode


class _Models(msgspec.Struct):
    data: Sequence[Model]
    object: Literal["list"] = "list"


async def models(request: IncomingRequest) -> Answer:
    """All models."""
    gateway: Gateway = request.app.ctx.gateway
    return _answer(gateway, request, None)


async def model(request: IncomingRequest, name: str) -> Answer:
    """One model, by `instance/model` or by its bare id."""
    gateway: Gateway = request.app.ctx.gateway
    return _answer(gateway, request, unquote(name))


def _answer(gateway: Gateway, request: IncomingRequest, name: str | None) -> Answer:
    began = gateway.clock.monotonic()
    try:
        gateway.identify(request)
        gateway.auth.client(request.headers, request.query_string)
        answer = Answer(200, _LINES + identity_lines(request), _content(gateway, name))
    except GatewayError as error:
        answer = error_answer(request, error)
    gateway.observe("models", answer.status, began)
    return answer


def _content(gateway: Gateway, name: str | None) -> bytes:
    if name is None:
        return _encode(_Models(gateway.catalog.models()))
    found = gateway.catalog.find(name)
    if found is None:
        raise ModelNotFound(
            f"The model `{name}` does not exist: GET /v1/models lists those that do.", param="model"
        )
    return _encode(found)
