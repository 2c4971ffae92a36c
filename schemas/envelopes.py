"""Errors as the client dialects write them: whole bodies and in-band stream events."""

from __future__ import annotations

import msgspec

from schemas.errors import GatewayError

JSON = "application/json"
EVENT_STREAM = "text/event-stream"


class _Detail(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str | None


class _OpenAI(msgspec.Struct):
    error: _Detail


_encode = msgspec.json.Encoder().encode


def openai_error(error: GatewayError) -> bytes:
    """`{"error": {"message", "type", "param", "code"}}`, the body of an OpenAI error answer."""
    return _encode(_OpenAI(_Detail(error.message, error.type, error.param, error.code)))


def openai_event(error: GatewayError) -> bytes:
    """The same as the last event of a stream; no `[DONE]` follows, so that no client takes it for whole."""
    return b"data: " + openai_error(error) + b"\n\n"
