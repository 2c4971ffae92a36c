"""Errors that come with status 200: an event of a stream, or the whole answer.

https://platform.claude.com/docs/en/api/errors
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from providers.failure import failed
from schemas.errors import GatewayError, UpstreamError
from schemas.replies import Failed

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class _Error(Struct, frozen=True):
    type: str = ""


class _Top(Struct):
    error: _Error = _Error()


_decode = msgspec.json.Decoder(_Top).decode


def failed_in_band(body: bytes) -> Failed:
    """The reply for an error object, by the status that its type stands for."""
    try:
        kind = _decode(body).error.type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        kind = ""
    found = failed(_STATUS.get(kind, UpstreamError.status), {}, body)
    if found.body is None:
        return found
    # The bytes become the data of one event: a line end in JSON is only white space.
    one_line = body.replace(b"\r", b" ").replace(b"\n", b" ")
    event = b"event: error\ndata: " + one_line + b"\n\n"
    return msgspec.structs.replace(found, body=one_line, event=event)


def in_band(body: bytes) -> GatewayError:
    """The error in an error object."""
    return failed_in_band(body).error
