"""Errors inside of a 200: `response.failed`, `error` events, a Response whose status is failed."""

from __future__ import annotations

import msgspec
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


def error_code(error: GatewayError) -> str:
    """The word for an error in a Response, whose `error.code` takes no others than OpenAI's."""
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    return "invalid_prompt" if isinstance(error, InvalidRequest) else "server_error"


def error_object(error: GatewayError) -> Raw:
    """The `error` member of a failed Response."""
    return Raw(msgspec.json.encode({"code": error_code(error), "message": error.message}))
