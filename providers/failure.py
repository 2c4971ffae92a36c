"""A provider's error answers: its bytes kept, its reason read, its class by status and code."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from providers.passed_on import passed_on, retry_after
from schemas.envelopes import JSON, error_body
from schemas.errors import (
    BodyTooLarge,
    ContentFiltered,
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    KeyRefused,
    ModelNotFound,
    NotFound,
    PreviousResponseNotFound,
    RateLimited,
    UpstreamError,
    UpstreamTimeout,
)
from schemas.replies import Failed

_decode = msgspec.json.Decoder(dict[str, object]).decode
_EXCERPT = 200  # characters
_READ = 2000  # of a message, to understand it
_BY_STATUS: dict[int, type[GatewayError]] = {
    404: NotFound,
    408: UpstreamTimeout,
    409: UpstreamError,
    413: BodyTooLarge,
    429: RateLimited,
    504: UpstreamTimeout,
}
_BY_CODE: dict[str, type[GatewayError]] = {
    "model_not_found": ModelNotFound,
    "DeploymentNotFound": ModelNotFound,  # Azure
    "context_length_exceeded": ContextLengthExceeded,
    "previous_response_not_found": PreviousResponseNotFound,
    "content_filter": ContentFiltered,  # Azure
    "content_policy_violation": ContentFiltered,
}


# Who sends no code for a prompt that is too long says so in these words only. That they may change is no
# harm: a wrong guess costs the call of a candidate with more context, never the caller's answer.
_TOO_LONG = re.compile(
    r"prompt is too long: \d+ tokens"  # Anthropic
    r"|input token count .{0,20}exceeds the maximum"  # Gemini
    r"|maximum context length"  # vLLM, Mistral, DeepSeek, OpenRouter
    r"|exceeds? the available context size"  # llama.cpp
    r"|[Ii]nput is too long for requested model"  # Bedrock
    r"|maximum prompt length is \d+"  # xAI
)


class Reason(msgspec.Struct, frozen=True):
    """What an error body says."""

    message: str = ""
    code: str = ""  # a number as text
    param: str | None = None

    @property
    def status(self) -> int | None:
        """The HTTP status that some providers put into `code`."""
        return int(self.code) if self.code.isdecimal() and 400 <= int(self.code) < 600 else None


def failed(status: int, headers: Mapping[str, str], body: bytes) -> Failed:
    """The reply for an answer that is no 2xx, to a caller that speaks the provider's dialect."""
    reason = parse_reason(body)
    if not 400 <= status < 600:
        text = f"The provider answered with HTTP {status}; its base URL may be wrong."
        return Failed(UpstreamError(text), UpstreamError.status, http_headers=passed_on(headers))
    wait = retry_after(headers)
    error = _error(status, reason or Reason(_excerpt(body)), wait)
    kept = body if reason is not None and not isinstance(error, KeyRefused) else None
    return Failed(error, status, kept, content_type=JSON, http_headers=passed_on(headers))


def translated(status: int, headers: Mapping[str, str], body: bytes, dialect: str) -> Failed:
    """The same to a caller that speaks another one."""
    found = failed(status, headers, body)
    told = error_body(dialect, found.error, found.status)
    return msgspec.structs.replace(found, body=told)


def failed_in_band(body: bytes) -> Failed:
    """The reply for an error object that came with status 200, in a stream or as the whole answer."""
    error, status = in_band(body)
    # In a stream the bytes become the data of one event: a line end in JSON is only white space.
    one_line = body.replace(b"\r", b" ").replace(b"\n", b" ")
    return Failed(error, status, one_line, b"data: " + one_line + b"\n\n")


def in_band(body: bytes) -> tuple[GatewayError, int]:
    """The error in an error object, and the HTTP status that it would have had."""
    reason = parse_reason(body) or Reason(_excerpt(body))
    status = reason.status or UpstreamError.status
    return _error(status, reason, None), status


def parse_reason(body: bytes) -> Reason | None:
    """The reason in a JSON error body of any of the shapes in use; None if it is no JSON object."""
    try:
        top = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    error = top.get("error", top)
    if isinstance(error, str):
        return Reason(error, _code(top.get("code")))
    if not isinstance(error, dict):
        error = top
    message = error.get("message") or error.get("detail") or ""
    if not isinstance(message, str):
        message = msgspec.json.encode(message).decode()
    param = error.get("param")
    return Reason(
        _raw_message(error, message),
        _code(error.get("code")),
        param if isinstance(param, str) else None,
    )


def _raw_message(error: dict[str, object], message: str) -> str:
    """The text of the provider behind a router that says only that it failed.

    https://openrouter.ai/docs/api-reference/errors: `error.metadata.raw`.
    """
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and isinstance(raw := metadata.get("raw"), str) and raw:
        return f"{message}: {raw}" if message else raw
    return message


def _code(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _error(status: int, reason: Reason, wait: int | None) -> GatewayError:
    if status in (401, 403):
        return KeyRefused(
            f"The provider refused the gateway's own key (HTTP {status}), not the caller's:"
            f" {reason.message or 'no reason given'}"
        )
    error = _BY_CODE.get(reason.code) or _BY_STATUS.get(status)
    if status in (400, 413, 422) and _TOO_LONG.search(reason.message[:_READ]):
        error = ContextLengthExceeded
    if error is None:
        error = InvalidRequest if status < 500 else UpstreamError
    message = reason.message or f"The provider answered with HTTP {status}."
    return error(message, param=reason.param, retry_after=wait)


def _excerpt(body: bytes) -> str:
    """The beginning of a body that is no JSON object, on one line."""
    text = " ".join(body[: 4 * _EXCERPT].decode(errors="replace").split())
    text = "".join(c for c in text if c.isprintable())
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "…"
