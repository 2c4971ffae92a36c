"""OpenAI's legacy completions: https://platform.openai.com/docs/api-reference/completions"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from sluice.sim.answers import CREATED, Answer
from sluice.sim.ask import Ask, Call, Refused, Turn, decoded, talk
from sluice.sim.base import Rendering, Template, encode, event
from sluice.sim.dialects import openai_errors

_SLOT = "@"
_FINISH = {"refusal": "stop", "tool_calls": "stop"}
_Object = dict[str, object]


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Body(Struct):
    model: str | None = None
    prompt: str | list[str | int | list[int]] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    echo: bool | None = None


_body = msgspec.json.Decoder(_Body)


class Completions:
    malformed = b'data: {"id":"cmpl-sim", "choices":[{"index":0,"text":\n\n'
    headers = openai_errors.HEADERS

    def read(self, call: Call) -> Ask:
        asked = decoded(_body, call.body)
        if not asked.model:
            raise Refused(400, "you must provide a model parameter")
        if asked.prompt is None:
            raise Refused(400, "Missing required parameter: 'prompt'.", "prompt")
        prompt = asked.prompt
        if isinstance(prompt, list):
            prompt = " ".join(map(str, prompt))
        return Ask(
            model=asked.model,
            talk=talk(asked.model, [Turn("user", prompt)], call.key),
            stream=bool(asked.stream),
            include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
            choices=asked.n or 1,
            limit=asked.max_tokens,
            stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
        )

    def plain(self, ask: Ask, said: Answer) -> bytes:
        choices = [_choice(index, _text(said), said) for index in range(ask.choices)]
        return encode(_head(ask, said) | {"choices": choices, "usage": _usage(said)})

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

    def opening(self) -> bytes:
        return b""

    def content(self) -> Iterator[bytes]:
        head = _head(self._ask, self._said)
        frames = [
            Template(event(head | {"choices": [_choice(index, _SLOT, None)]}), _SLOT)
            for index in range(self._ask.choices)
        ]
        for part in self._said.parts:
            for piece in part.pieces:
                yield b"".join(frame.fill(piece) for frame in frames)

    def closing(self) -> bytes:
        head = _head(self._ask, self._said)
        ends = [_choice(index, "", self._said) for index in range(self._ask.choices)]
        events = [event(head | {"choices": [one]}) for one in ends]
        if self._ask.include_usage:
            events.append(event(head | {"choices": [], "usage": _usage(self._said)}))
        return b"".join(events)

    def end(self) -> bytes:
        return b"data: [DONE]\n\n"

    def failure(self) -> bytes:
        return event(Raw(openai_errors.in_band()))


def _text(said: Answer) -> str:
    return "".join(part.text for part in said.parts)


def _head(ask: Ask, said: Answer) -> _Object:
    return {
        "id": f"cmpl-sim{said.id}",
        "object": "text_completion",
        "created": CREATED,
        "model": ask.model,
    }


def _choice(index: int, text: str, ends: Answer | None) -> _Object:
    reason = None if ends is None else _FINISH.get(ends.finish, ends.finish)
    return {"text": text, "index": index, "logprobs": None, "finish_reason": reason}


def _usage(said: Answer) -> _Object:
    return {
        "prompt_tokens": said.prompt_tokens,
        "completion_tokens": said.completion_tokens,
        "total_tokens": said.prompt_tokens + said.completion_tokens,
    }
