"""Gemini's generateContent: https://ai.google.dev/api/generate-content"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw
from typing_extensions import override

from sluice.sim.answers import Answer, Text, Thought, ToolCall
from sluice.sim.ask import Ask, Call, Refused
from sluice.sim.base import Rendering, Template, encode
from sluice.sim.dialects.gemini_request import read

_SLOT = "@"
_FINISH = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
}
# https://cloud.google.com/apis/design/errors
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "NOT_IMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_Object = dict[str, object]


class Gemini:
    malformed = b'data: {"candidates": [{"content": {"parts": [{"text": \r\n\r\n'
    headers = {"server-timing": "gfet4t7; dur=1"}  # noqa: RUF012 - never changed

    def read(self, call: Call) -> Ask:
        return read(call)

    def plain(self, ask: Ask, said: Answer) -> bytes:
        parts = _parts(ask, said)
        return encode(_chunk(ask, said, parts, _FINISH[said.finish]))

    def stream(self, ask: Ask, said: Answer) -> Rendering:
        return _Stream(ask, said)

    def failed(self, ask: Ask) -> bytes:
        return self.error(Refused(503, "The simulated provider was asked to fail."))

    def error(self, refused: Refused) -> bytes:
        other = "UNKNOWN" if refused.status >= 500 else "INVALID_ARGUMENT"
        told: _Object = {
            "code": refused.status,
            "message": refused.message,
            "status": _STATUS.get(refused.status, other),
        }
        if refused.status == 429:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            told["details"] = [{"@type": kind, "retryDelay": "1s"}]
        return encode({"error": told})


class GeminiArray(Gemini):
    """A stream that was not asked for as events is a JSON array of chunks."""

    @override
    def plain(self, ask: Ask, said: Answer) -> bytes:
        return b"[" + super().plain(ask, said) + b"\n]"


class _Stream:
    """Calls come whole; a signature stands on the first of them, or on an empty text at the end."""

    def __init__(self, ask: Ask, said: Answer) -> None:
        self._ask = ask
        self._said = said

    def opening(self) -> bytes:
        return b""

    def content(self) -> Iterator[bytes]:
        for part in self._said.parts:
            match part:
                case Thought():
                    if not self._ask.silently:
                        yield from self._pieces({"text": _SLOT, "thought": True}, part.pieces)
                case Text():
                    if not part.refusal:
                        yield from self._pieces({"text": _SLOT}, part.pieces)
                case ToolCall():
                    pass  # below
        for call in _calls(self._said):
            yield _event(_chunk(self._ask, self._said, [call]))

    def closing(self) -> bytes:
        return b""

    def end(self) -> bytes:
        thought = self._said.thought
        parts: list[_Object] = []
        if thought and not self._said.calls:
            parts.append({"text": "", "thoughtSignature": thought.token})
        return _event(_chunk(self._ask, self._said, parts, _FINISH[self._said.finish]))

    def failure(self) -> bytes:
        return _event(Raw(Gemini().failed(self._ask)))

    def _pieces(self, part: _Object, pieces: list[str]) -> Iterator[bytes]:
        if self._ask.choices > 1:  # more than one place to fill
            for piece in pieces:
                yield _event(_chunk(self._ask, self._said, [part | {"text": piece}]))
            return
        template = Template(_event(_chunk(self._ask, self._said, [part])), _SLOT)
        yield from map(template.fill, pieces)


def _event(data: object) -> bytes:
    return b"data: " + encode(data) + b"\r\n\r\n"


def _chunk(ask: Ask, said: Answer, parts: list[_Object], finish: str | None = None) -> _Object:
    candidates = []
    for index in range(ask.choices):
        candidate: _Object = {"content": {"parts": parts, "role": "model"}, "index": index}
        if not parts and finish is not None:
            candidate = {"index": index}
        if finish is not None:
            candidate["finishReason"] = finish
        candidates.append(candidate)
    return {
        "candidates": candidates,
        "usageMetadata": _usage(said),
        "modelVersion": ask.model,
        "responseId": f"sim{said.id}",
    }


def _parts(ask: Ask, said: Answer) -> list[_Object]:
    parts: list[_Object] = []
    for part in said.parts:
        if isinstance(part, Thought) and not ask.silently:
            parts.append({"text": part.text, "thought": True})
        elif isinstance(part, Text) and not part.refusal:
            signed = {"thoughtSignature": said.thought.token} if said.thought else {}
            parts.append({"text": part.text, **signed})
    return parts + _calls(said)


def _calls(said: Answer) -> list[_Object]:
    parts: list[_Object] = []
    for call in said.calls:
        arguments = msgspec.json.decode(call.text)
        part: _Object = {"functionCall": {"name": call.tool.name, "args": arguments}}
        if said.thought and not parts:
            part["thoughtSignature"] = said.thought.token
        parts.append(part)
    return parts


def _usage(said: Answer) -> _Object:
    """Thoughts are counted beside the candidates, what came from the cache within the prompt."""
    usage: _Object = {
        "promptTokenCount": said.prompt_tokens,
        "candidatesTokenCount": said.completion_tokens - said.reasoning_tokens,
        "totalTokenCount": said.prompt_tokens + said.completion_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": said.prompt_tokens}],
    }
    if said.reasoning_tokens:
        usage["thoughtsTokenCount"] = said.reasoning_tokens
    if said.cached_tokens:
        usage["cachedContentTokenCount"] = said.cached_tokens
    return usage
