"""Anthropic's Messages: https://docs.anthropic.com/en/api/messages-streaming"""

from __future__ import annotations

import json
from collections.abc import Iterator

from msgspec import Raw

from sluice.sim.answers import Answer, Part, Text, Thought, ToolCall
from sluice.sim.ask import Ask, Call, Refused
from sluice.sim.base import Rendering, Template, encode, event
from sluice.sim.dialects.messages_request import read

_SLOT = "@"
_FINISH = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
}
# https://docs.anthropic.com/en/api/errors
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_Object = dict[str, object]


class Messages:
    malformed = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":\n\n'
    headers = {"request-id": "req_sim", "anthropic-organization-id": "sluice-sim"}  # noqa: RUF012 - never changed

    def read(self, call: Call) -> Ask:
        return read(call)

    def plain(self, ask: Ask, said: Answer) -> bytes:
        content = [_block(part, part.text) for part in said.parts]
        return encode(_message(ask, said) | _ends(said) | {"content": content})

    def stream(self, ask: Ask, said: Answer) -> Rendering:
        return _Stream(ask, said)

    def failed(self, ask: Ask) -> bytes:
        return _error("overloaded_error", "Overloaded")

    def error(self, refused: Refused) -> bytes:
        other = "api_error" if refused.status >= 500 else "invalid_request_error"
        return _error(_KINDS.get(refused.status, other), refused.message)


class _Stream:
    def __init__(self, ask: Ask, said: Answer) -> None:
        self._ask = ask
        self._said = said
        self._pending = b""  # goes out with the next piece

    def opening(self) -> bytes:
        message = _message(self._ask, self._said)
        usage = _usage(self._said) | {"output_tokens": 1}
        start = _event("message_start", message=message | {"usage": usage})
        return start + _event("ping")

    def content(self) -> Iterator[bytes]:
        for index, part in enumerate(self._said.parts):
            self._pending += _event(
                "content_block_start", index=index, content_block=_block(part, "")
            )
            frame = _event("content_block_delta", index=index, delta=_delta(part))
            template = Template(frame, _SLOT)
            for piece in part.pieces:
                yield self._pending + template.fill(piece)
                self._pending = b""
            if isinstance(part, Thought):
                delta = {"type": "signature_delta", "signature": part.token}
                self._pending += _event("content_block_delta", index=index, delta=delta)
            self._pending += _event("content_block_stop", index=index)

    def closing(self) -> bytes:
        ends = _ends(self._said)
        return self._pending + _event("message_delta", delta=ends, usage=_usage(self._said))

    def end(self) -> bytes:
        return _event("message_stop")

    def failure(self) -> bytes:
        return event(Raw(_error("overloaded_error", "Overloaded")), "error")


def _event(name: str, **members: object) -> bytes:
    return event({"type": name, **members}, name)


def _error(kind: str, message: str) -> bytes:
    told = {"type": kind, "message": message}
    return encode({"type": "error", "error": told, "request_id": "req_sim"})


def _message(ask: Ask, said: Answer) -> _Object:
    return {
        "model": ask.model,
        "id": f"msg_sim{said.id}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(said),
    }


def _ends(said: Answer) -> _Object:
    reason = _FINISH[said.finish] if said.stop is None else "stop_sequence"
    return {"stop_reason": reason, "stop_sequence": said.stop}


def _block(part: Part, text: str) -> _Object:
    """A content block, empty if it is to be filled by deltas."""
    match part:
        case Thought():
            return {"type": "thinking", "thinking": text, "signature": part.token if text else ""}
        case Text():
            return {"type": "text", "text": text}
        case ToolCall():
            given = json.loads(text) if text else {}
            name = part.tool.name
            return {"type": "tool_use", "id": f"toolu_{part.id}", "name": name, "input": given}


def _delta(part: Part) -> _Object:
    match part:
        case Thought():
            return {"type": "thinking_delta", "thinking": _SLOT}
        case Text():
            return {"type": "text_delta", "text": _SLOT}
        case ToolCall():
            return {"type": "input_json_delta", "partial_json": _SLOT}


def _usage(said: Answer) -> _Object:
    """What came from the cache is counted beside the input, thoughts within the output."""
    return {
        "input_tokens": said.prompt_tokens - said.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": said.cached_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": said.completion_tokens,
        "service_tier": "standard",
    }
