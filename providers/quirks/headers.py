"""Headers that single vendors want."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Raw

from schemas.requests import Request

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_items = msgspec.json.Decoder(list[Raw]).decode
# Where the dialects of callers keep what does not change from one turn of a conversation to the next.
_FIXED = (
    *("model", "system", "instructions", "systemInstruction", "tools", "tool_choice"),
    *("toolConfig", "parallel_tool_calls", "reasoning", "reasoning_effort", "thinking"),
)
_TURNS = ("messages", "input", "contents")
_BEGINNING = 2  # turns


def conversation_id(headers: dict[str, str], request: Request) -> dict[str, str]:
    """xAI keeps a conversation where its prompt is cached, if it is told which one it is.

    https://docs.x.ai/developers/advanced-api-usage/prompt-caching: a caller's own id counts; else one
    is made of what does not change in a conversation, or of the request's id if nothing is known.
    """
    if any(name.lower() == "x-grok-conv-id" for name in headers):
        return headers
    return {**headers, "X-Grok-Conv-Id": f"sluice-{_beginning(request)}"}


def _beginning(request: Request) -> str:
    try:
        members = _members(request.body)
        turns = next((members[name] for name in _TURNS if name in members), None)
        if turns is None:
            return request.request_id
        begun = _items(turns)[:_BEGINNING] if bytes(turns).startswith(b"[") else [turns]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return request.request_id
    parts = [request.user_path.encode(), *map(bytes, begun)]
    parts += [name.encode() + bytes(members[name]) for name in _FIXED if name in members]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def own_title(headers: dict[str, str], request: Request) -> dict[str, str]:
    """OpenRouter takes an application's title under two names; the caller's counts, whichever it is.

    https://openrouter.ai/docs/app-attribution
    """
    if "x-title" not in request.http_headers or "x-openrouter-title" in request.http_headers:
        return headers
    return {name: value for name, value in headers.items() if name.lower() != "x-openrouter-title"}
