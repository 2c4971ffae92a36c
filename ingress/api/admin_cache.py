"""Below /admin/api/v1/cache: kept answers are forgotten, by key, tag, model, user path, or all; and what
the caches did."""

from __future__ import annotations

import msgspec

from ingress.auth import must_be, who
from ingress.cache_overview import overview
from ingress.errors import error_answer, identity_lines
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.producer import RETRY_AFTER
from ingress.wire import Answer
from schemas.control import Purge, encode
from schemas.errors import GatewayError, InvalidRequest, LogUnavailable, NotFound

_JSON = b"content-type: application/json\r\ncache-control: no-store\r\n"
_NAMES = frozenset({"key", "tag", "model", "user_path"})
_encode = msgspec.json.Encoder().encode


async def cache_overview(request: IncomingRequest) -> Answer:
    """What the caches of all workers did, by their last heartbeats."""
    gateway: Gateway = request.app.ctx.gateway
    try:
        gateway.identify(request)
        _allowed(gateway, request)
        found = overview(gateway.workers.caches.values())
    except GatewayError as error:
        return error_answer(request, error)
    return Answer(200, _JSON + identity_lines(request), _encode(found))


async def purge(request: IncomingRequest, name: str | None = None) -> Answer:
    """All that is said must hold of what is forgotten. Every worker does it as it reads of it: 202."""
    gateway: Gateway = request.app.ctx.gateway
    try:
        gateway.identify(request)
        _allowed(gateway, request)
        asked = _asked(request, name, gateway.clock.time())
        if not await gateway.log.signal(*encode(asked)):
            raise LogUnavailable(retry_after=RETRY_AFTER)
    except GatewayError as error:
        return error_answer(request, error)
    return Answer(202, _JSON + identity_lines(request), _encode(asked))


def _allowed(gateway: Gateway, request: IncomingRequest) -> None:
    must_be(who(gateway, request), "admin")
    if gateway.config.sharing is None:
        raise NotFound(
            "Answers are not cached here: set RESPONSE_CACHE_SIMPLE_ENABLED or SEMANTIC_CACHE_ENABLED."
        )


def _asked(request: IncomingRequest, name: str | None, now: float) -> Purge:
    said = {each: values[0] for each, values in request.args.items() if values}
    if unknown := said.keys() - _NAMES:
        # One that is mistyped must not make it a purge of everything.
        raise InvalidRequest(
            f"`{min(unknown)[:50]}` is unknown: there are key, tag, model and user_path.",
            param=min(unknown)[:50],
        )
    return Purge(
        time=now,
        key=name or said.get("key"),
        tag=said.get("tag"),
        model=said.get("model"),
        user_path=said.get("user_path"),
    )
