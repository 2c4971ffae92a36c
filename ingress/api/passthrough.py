"""`/p/<provider>/<path>`: any request, handed on to one provider as it is."""

from __future__ import annotations

import re
from urllib.parse import unquote

from ingress.auth import KEY_PARAMETER
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.intake import Asked, refuse, take
from ingress.wire import Answer
from schemas.errors import InvalidRequest
from schemas.requests import Relay

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_V1 = re.compile(r"/v1(?:/|$)")


async def passthrough(request: IncomingRequest, provider: str, rest: str) -> Answer | None:
    """Ask exactly the instance that the path names; what it says is the answer."""
    gateway: Gateway = request.app.ctx.gateway
    try:
        relay = _relay(gateway, request, unquote(provider))
    except InvalidRequest as error:
        return await refuse(request, "passthrough", error)
    return await take(request, Asked("passthrough", "relay", relay=relay))


def _relay(gateway: Gateway, request: IncomingRequest, provider: str) -> Relay:
    config = gateway.config
    enabled = config.passthrough_providers
    if enabled and provider not in enabled and gateway.catalog.vendor(provider) not in enabled:
        raise InvalidRequest(
            f"Provider passthrough is not enabled for {provider[:100]!r}:"
            " see ENABLED_PASSTHROUGH_PROVIDERS.",
            param="provider",
        )
    path = path_behind(request, 2)
    if not config.passthrough_v1_alias and _V1.match(path):
        raise InvalidRequest(
            "The path behind the provider's name must not begin with `v1/`:"
            " leave it out, or set ALLOW_PASSTHROUGH_V1_ALIAS=true."
        )
    return Relay(provider, request.method, path + query_of(request))


def path_behind(request: IncomingRequest, segments: int) -> str:
    """The path as it was sent, without the gateway's prefix and so many segments of it."""
    raw = request._parsed_url.path.removeprefix(request.app.ctx.base_path).decode()
    kept = raw.split("/")[segments + 1 :]
    # They would lead out of what an instance's base URL names, with the instance's key.
    if any(unquote(segment) in (".", "..") for segment in kept):
        raise InvalidRequest("The path must not hold `.` or `..`.")
    return "/" + "/".join(kept)


def query_of(request: IncomingRequest) -> str:
    """The query as it was sent, with its question mark, but for a key of the gateway."""
    kept = [
        pair
        for pair in request.query_string.split("&")
        if pair and unquote(pair.partition("=")[0]) != KEY_PARAMETER
    ]
    return f"?{'&'.join(kept)}" if kept else ""
