"""Answers of a conversation as completions: https://platform.openai.com/docs/api-reference/completions."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from providers.base import Context
from providers.canonical.answer import (
    Answer,
    Begin,
    Choice,
    Counted,
    End,
    Event,
    Logprobs,
    RefusalDelta,
    TextDelta,
)
from providers.canonical.request import Refusal, Text
from providers.dialects.openai_chat.stream import DONE_EVENT
from providers.dialects.openai_chat.write_usage import write_usage
from schemas.envelopes import error_event
from schemas.errors import GatewayError, UpstreamError

Object = dict[str, object]
_encode = msgspec.json.Encoder().encode
_WORDS = frozenset({"stop", "length", "content_filter"})


class _Alternative(Struct):
    token: str
    logprob: float


class _Token(_Alternative):
    top_logprobs: list[_Alternative] = []


class _Logprobs(Struct):
    content: list[_Token] | None = None


class _Lists(Struct):
    """Log probabilities in the form before chat: lists side by side."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


_logprobs = msgspec.json.Decoder(_Logprobs).decode


def write_answer(answer: Answer, context: Context) -> bytes:
    """The body of a text_completion. Thoughts are no part of the text."""
    body = _head(context, answer.model)
    body["choices"] = [_choice(choice) for choice in answer.choices]
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage)
    return _encode(body)


def _head(context: Context, model: str) -> Object:
    return {
        "id": f"cmpl-{context.request_id}",
        "object": "text_completion",
        "created": context.created,
        "model": model or context.model,
    }


def _choice(choice: Choice) -> Object:
    text = "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal))
    logprobs = None if choice.logprobs is None else _legacy(choice.logprobs, 0)
    finish = None if choice.finish is None else _word(choice.finish.reason)
    return {"text": text, "index": choice.index, "logprobs": logprobs, "finish_reason": finish}


def _word(reason: str) -> str:
    return reason if reason in _WORDS else "stop"


def _legacy(raw: Raw, offset: int) -> _Lists:
    try:
        tokens = _logprobs(raw).content or []
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamError(f"The log probabilities cannot be read: {error}.") from error
    offsets: list[int] = []
    for found in tokens:
        offsets.append(offset)
        offset += len(found.token)
    return _Lists(
        [found.token for found in tokens],
        [found.logprob for found in tokens],
        [{other.token: other.logprob for other in found.top_logprobs} for found in tokens],
        offsets,
    )


class StreamWriter:
    """Writes a stream of text_completion objects."""

    __slots__ = ("_context", "_counted", "_model", "_offsets", "_prefix", "_suffix")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._model = ""
        self._prefix = b""
        self._suffix = b',"usage":null}\n\n' if context.chat.include_usage else b"}\n\n"
        self._counted: Counted | None = None
        self._offsets: dict[int, int] = {}  # characters of each choice's tokens

    def write(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            match event:
                case Begin():
                    self._model = event.model
                case TextDelta() | RefusalDelta():
                    self._chunk(out, event.choice, _encode(event.text))
                case Logprobs():
                    self._chunk(out, event.choice, b'""', self._legacy(event))
                case End():
                    word = _encode(_word(event.finish.reason))
                    self._chunk(out, event.choice, b'""', finish=word)
                case Counted():
                    self._counted = event
                case _:
                    pass  # nothing else is text
        return b"".join(out)

    def end(self) -> bytes:
        if not self._context.chat.include_usage or self._counted is None:
            return DONE_EVENT
        found = {**self._head(), "choices": [], "usage": write_usage(self._counted.usage)}
        return b"data: " + _encode(found) + b"\n\n" + DONE_EVENT

    def abort(self, error: GatewayError) -> bytes:
        return error_event("openai_completions", error)

    def _head(self) -> Object:
        return _head(self._context, self._model)

    def _legacy(self, event: Logprobs) -> bytes:
        offset = self._offsets.get(event.choice, 0)
        found = _legacy(event.raw, offset)
        self._offsets[event.choice] = offset + sum(len(token) for token in found.tokens)
        return _encode(found)

    def _chunk(
        self,
        out: list[bytes],
        choice: int,
        text: bytes,
        logprobs: bytes = b"null",
        finish: bytes = b"null",
    ) -> None:
        if not self._prefix:
            self._prefix = b"data: " + _encode(self._head())[:-1] + b',"choices":[{"text":'
        rest = b',"index":%d,"logprobs":%s,"finish_reason":%s}]' % (choice, logprobs, finish)
        out += (self._prefix, text, rest, self._suffix)
