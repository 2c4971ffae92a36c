"""Responses that are made in the background, as their callers see them: from `queued` to the end. Pure.

https://platform.openai.com/docs/guides/background
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from schemas.clock import from_rfc3339
from schemas.kept import Kept, name_of_response, response_of
from schemas.requests import Request

RUNNING = ("queued", "in_progress")  # how far one is that has no outcome yet
Members = dict[str, Raw]
_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode
_NULL = Raw(b"null")
# What a Response repeats of its request, and what holds where that says nothing.
_REPEATED: Members = {
    "instructions": _NULL,
    "max_output_tokens": _NULL,
    "max_tool_calls": _NULL,
    "metadata": Raw(b"{}"),
    "model": Raw(b'""'),
    "parallel_tool_calls": Raw(b"true"),
    "previous_response_id": _NULL,
    "prompt_cache_key": _NULL,
    "reasoning": Raw(b'{"effort":null,"summary":null}'),
    "safety_identifier": _NULL,
    "service_tier": Raw(b'"auto"'),
    "store": Raw(b"true"),
    "temperature": Raw(b"1.0"),
    "text": Raw(b'{"format":{"type":"text"}}'),
    "tool_choice": Raw(b'"auto"'),
    "tools": Raw(b"[]"),
    "top_logprobs": Raw(b"0"),
    "top_p": Raw(b"1.0"),
    "truncation": Raw(b'"disabled"'),
    "user": _NULL,
}


class _Detail(Struct, frozen=True):
    message: str = ""


class _Failure(Struct):
    error: _Detail = _Detail()


_failure = msgspec.json.Decoder(_Failure).decode


def queued(request: Request) -> bytes:
    """The Response of a request that the log has just taken."""
    return _unfinished(request.request_id, request.body, int(request.created), "queued")


def response_object(found: Kept) -> bytes:
    """The Response as it is by now."""
    made = int(from_rfc3339(found.created_at))
    if found.outcome in RUNNING:
        return _unfinished(found.request_id, found.request, made, found.outcome)
    members = _terminal(found)
    if found.outcome == "completed":
        return found.answer if members is None else _encode({**members, "background": Raw(b"true")})
    status = "cancelled" if found.outcome == "cancelled" else "failed"
    if members is None:
        members = _members(_unfinished(found.request_id, found.request, made, status))
        members["error"] = Raw(_encode(_error(found)))
    if status == "cancelled":
        members = {**members, "error": _NULL}
    return _encode({**members, "background": Raw(b"true"), "status": Raw(_encode(status))})


def _terminal(found: Kept) -> Members | None:
    """The members of the Response in an answer; None if it is none."""
    try:
        response = response_of(found)
        members = _members(response) if response is not None else {}
    except (msgspec.DecodeError, RecursionError):
        return None
    return members if "output" in members else None


def _unfinished(request_id: str, body: bytes, made: int, status: str) -> bytes:
    try:
        asked = _members(body)
    except (msgspec.DecodeError, RecursionError):
        asked = {}
    return _encode(
        {
            "id": name_of_response(request_id),
            "object": "response",
            "created_at": made,
            "status": status,
            "background": True,
            "completed_at": None,
            "error": None,
            "incomplete_details": None,
            "output": [],
            "usage": None,
            **{name: _given(asked, name, default) for name, default in _REPEATED.items()},
        }
    )


def _given(asked: Members, name: str, default: Raw) -> Raw:
    found = asked.get(name, _NULL)
    return default if bytes(found) == b"null" else found


def _error(found: Kept) -> dict[str, str]:
    """Its code in OpenAI's few words: https://platform.openai.com/docs/api-reference/responses/object"""
    code = "server_error"
    if found.status == 429:
        code = "rate_limit_exceeded"
    elif 400 <= found.status < 500:
        code = "invalid_prompt"
    try:
        message = _failure(found.answer).error.message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = ""
    return {"code": code, "message": message or "The response could not be made."}
