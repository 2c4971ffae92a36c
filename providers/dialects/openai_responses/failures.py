"""Errors inside of a 200: `response.failed`, `error` events, a Response whose status is failed."""

from __future__ import annotations

from msgspec import Raw

from providers.failure import in_band, parse_reason
from schemas.errors import GatewayError, InvalidRequest, RateLimited, UpstreamError

# https://platform.openai.com/docs/api-reference/responses/object: `error.code`. All that is missing
# here says that the request cannot be answered as it is.
_BY_CODE: dict[str, type[GatewayError]] = {
    "server_error": UpstreamError,
    "vector_store_timeout": UpstreamError,
    "rate_limit_exceeded": RateLimited,
    "invalid_prompt": InvalidRequest,
}


def failure(raw: bytes | Raw) -> tuple[GatewayError, int]:
    """The error in a failed Response or an `error` event, and the HTTP status that it amounts to."""
    body = bytes(raw)
    reason = parse_reason(body)
    if reason is not None and (found := _class(reason.code)) is not None:
        error = found(reason.message, param=reason.param)
        return error, error.status
    return in_band(body)


def _class(code: str) -> type[GatewayError] | None:
    if code in _BY_CODE:
        return _BY_CODE[code]
    return InvalidRequest if "image" in code else None
