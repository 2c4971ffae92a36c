"""OpenAI chat completions: https://platform.openai.com/docs/api-reference/chat

Thoughts are written as the compatible providers do, OpenAI itself shows none: `reasoning_content`, and
`reasoning_details` with their signature (https://openrouter.ai/docs/use-cases/reasoning-tokens).
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Raw

from sluice.sim.answers import CREATED, Answer, Text, Thought, ToolCall
from sluice.sim.ask import Ask, Call, Refused
from sluice.sim.base import Rendering, Template, encode, event
from sluice.sim.dialects import openai_errors
from sluice.sim.dialects.chat_request import read

DONE = b"data: [DONE]\n\n"
_SLOT = "@"
_FINISH = {"refusal": "stop"}
_Object = dict[str, object]


class Chat:
    malformed = b'data: {"id":"chatcmpl-sim", "choices":[{"index":0,"delta":{"content":\n\n'
    headers = openai_errors.HEADERS

    def read(self, call: Call) -> Ask:
        return read(call)

    def plain(self, ask: Ask, said: Answer) -> bytes:
        message = _message(said)
        choices = [
            {
                "index": index,
                "message": message,
                "logprobs": None,
                "finish_reason": _FINISH.get(said.finish, said.finish),
            }
            for index in range(ask.choices)
        ]
        head = _head(ask, said, "chat.completion")
        return encode(head | {"choices": choices, "usage": _usage(said)})

    def stream(self, ask: Ask, said: Answer) -> Rendering:
        return _Stream(ask, said)

    def failed(self, ask: Ask) -> bytes:
        return openai_errors.in_band()

    def error(self, refused: Refused) -> bytes:
        return openai_errors.error(refused)


class _Stream:
    def __init__(self, ask: Ask, said: Answer) -> None:
        self._ask = ask
        self._said = said
        self._choices = range(ask.choices)
        self._pending = b""  # goes out with the next piece

    def opening(self) -> bytes:
        """Each choice's role."""
        content = None if self._said.calls else ""
        return self._every({"role": "assistant", "content": content, "refusal": None})

    def content(self) -> Iterator[bytes]:
        for part in self._said.parts:
            match part:
                case Thought():
                    yield from self._thoughts(part)
                case Text():
                    member = "refusal" if part.refusal else "content"
                    yield from self._fill({member: _SLOT}, part.pieces)
                case ToolCall():
                    call = _call(part, "", {"index": part.number})
                    self._pending += self._every({"tool_calls": [call]})
                    yield from self._fill({"tool_calls": [_more(part, _SLOT)]}, part.pieces)

    def closing(self) -> bytes:
        """Finish reasons, and usage if it was asked for."""
        reason = _FINISH.get(self._said.finish, self._said.finish)
        ends = [self._event([_choice(index, {}, reason)]) for index in self._choices]
        if self._ask.include_usage:
            ends.append(self._event([], {"usage": _usage(self._said)}))
        return self._pending + b"".join(ends)

    def end(self) -> bytes:
        return DONE

    def failure(self) -> bytes:
        return event(Raw(openai_errors.in_band()))

    def _thoughts(self, thought: Thought) -> Iterator[bytes]:
        for piece in thought.pieces:
            yield self._every(_thought(piece))
        self._pending = self._every({"reasoning_details": [_detail(signature=thought.token)]})

    def _fill(self, delta: _Object, pieces: list[str]) -> Iterator[bytes]:
        """The frame is written once; of an event only the piece is encoded."""
        frames = [self._event([_choice(index, delta)]) for index in self._choices]
        templates = [Template(frame, _SLOT) for frame in frames]
        for piece in pieces:
            yield self._pending + b"".join(template.fill(piece) for template in templates)
            self._pending = b""

    def _every(self, delta: _Object) -> bytes:
        return b"".join(self._event([_choice(index, delta)]) for index in self._choices)

    def _event(self, choices: list[_Object], more: _Object | None = None) -> bytes:
        head = _head(self._ask, self._said, "chat.completion.chunk")
        return event(head | {"choices": choices} | (more or {}))


def _head(ask: Ask, said: Answer, kind: str) -> _Object:
    return {
        "id": f"chatcmpl-sim{said.id}",
        "object": kind,
        "created": CREATED,
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": "sluice-sim",
    }


def _message(said: Answer) -> _Object:
    message: _Object = {"role": "assistant", "content": said.text, "refusal": None}
    if said.finish == "refusal":
        message |= {"content": None, "refusal": said.text}
    if thought := said.thought:
        details = [_detail(text=thought.text, signature=thought.token)]
        message |= {"reasoning_content": thought.text, "reasoning_details": details}
    if calls := said.calls:
        message |= {"content": None, "tool_calls": [_call(one, one.text, {}) for one in calls]}
    return message


def _thought(piece: str) -> _Object:
    return {"reasoning_content": piece, "reasoning_details": [_detail(text=piece)]}


def _detail(**told: str) -> _Object:
    return {"type": "reasoning.text", **told, "format": "sim-v1", "index": 0}


def _call(call: ToolCall, arguments: str, index: dict[str, int]) -> _Object:
    kind, member = ("custom", "input") if call.tool.kind == "custom" else ("function", "arguments")
    told = {"name": call.tool.name, member: arguments}
    return {**index, "id": f"call_{call.id}", "type": kind, kind: told}


def _more(call: ToolCall, arguments: str) -> _Object:
    if call.tool.kind == "custom":
        return {"index": call.number, "custom": {"input": arguments}}
    return {"index": call.number, "function": {"arguments": arguments}}


def _choice(index: int, delta: _Object, finish_reason: str | None = None) -> _Object:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _usage(said: Answer) -> _Object:
    return {
        "prompt_tokens": said.prompt_tokens,
        "completion_tokens": said.completion_tokens,
        "total_tokens": said.prompt_tokens + said.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": said.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": said.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
