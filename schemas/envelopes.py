"""Errors as the client dialects write them: whole bodies and in-band stream events."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from schemas.errors import GatewayError, InvalidRequest, RateLimited

JSON = "application/json"
EVENT_STREAM = "text/event-stream"


class OpenAIErrorDetail(msgspec.Struct):
    """What went wrong, in the words of OpenAI."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(msgspec.Struct):
    """OpenAI's envelope."""

    error: OpenAIErrorDetail


class _ResponsesEvent(msgspec.Struct):
    code: str | None
    message: str
    param: str | None
    sequence_number: int
    type: str = "error"


class AnthropicErrorDetail(msgspec.Struct):
    """What went wrong, in the words of Anthropic."""

    type: str
    message: str


class AnthropicError(msgspec.Struct):
    """Anthropic's envelope."""

    error: AnthropicErrorDetail
    type: str = "error"


class GeminiErrorDetail(msgspec.Struct):
    """What went wrong, in the words of Google."""

    code: int
    message: str
    status: str
    details: list[dict[str, Any]]


class GeminiError(msgspec.Struct):
    """Google's envelope."""

    error: GeminiErrorDetail


# https://docs.claude.com/en/api/errors; what it has no word for is named by its class.
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# https://cloud.google.com/apis/design/errors: google.rpc.Code by HTTP status.
_GEMINI_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw]).decode


def error_body(dialect: str, error: GatewayError, status: int | None = None) -> bytes:
    """The body of an error answer to a caller that speaks `dialect`; `status` if it is a provider's own."""
    status = status or error.status
    if dialect == "anthropic":
        kind = _ANTHROPIC_TYPES.get(status)
        if kind is None:
            kind = "invalid_request_error" if status < 500 else "api_error"
        return _encode(AnthropicError(AnthropicErrorDetail(kind, error.message)))
    if dialect == "gemini":
        word = _GEMINI_STATUS.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
        # https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
        info: dict[str, Any] = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": error.code.upper(),
            "domain": "sluice",
        }
        return _encode(GeminiError(GeminiErrorDetail(status, error.message, word, [info])))
    return openai_error(error)


def error_event(dialect: str, error: GatewayError, sequence_number: int = 0) -> bytes:
    """The same as the last event of a stream; nothing follows that would make it look whole."""
    if dialect == "anthropic":
        return b"event: error\ndata: " + error_body(dialect, error) + b"\n\n"
    if dialect == "openai_responses":
        event = _ResponsesEvent(error.code, error.message, error.param, sequence_number)
        return b"event: error\ndata: " + _encode(event) + b"\n\n"
    return b"data: " + error_body(dialect, error) + b"\n\n"


def failed_event(response: Raw, error: GatewayError, sequence_number: int) -> bytes:
    """`response.failed` for a stream that began with `response`; an `error` event if it is unknown."""
    try:
        members = _members(response)
    except (msgspec.DecodeError, RecursionError):
        return error_event("openai_responses", error, sequence_number)
    members = {**members, "status": Raw(b'"failed"'), "error": error_object(error)}
    event = {
        "type": "response.failed",
        "response": members,
        "sequence_number": sequence_number,
    }
    return b"event: response.failed\ndata: " + _encode(event) + b"\n\n"


def error_object(error: GatewayError) -> Raw:
    """The `error` member of a failed Response."""
    return Raw(_encode({"code": error_code(error), "message": error.message}))


def error_code(error: GatewayError) -> str:
    """The word for an error in a Response, whose `error.code` takes no others than OpenAI's."""
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    return "invalid_prompt" if isinstance(error, InvalidRequest) else "server_error"


def openai_error(error: GatewayError) -> bytes:
    """`{"error": {"message", "type", "param", "code"}}`, the body of an OpenAI error answer."""
    return _encode(
        OpenAIError(OpenAIErrorDetail(error.message, error.type, error.param, error.code))
    )
