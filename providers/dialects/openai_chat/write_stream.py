"""A stream for a caller: https://platform.openai.com/docs/api-reference/chat-streaming."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from providers.base import Context
from providers.canonical.answer import (
    Begin,
    Break,
    Cited,
    Counted,
    End,
    Event,
    Logprobs,
    MediaPart,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.request import Reasoning
from providers.dialects.openai_chat.annotations import annotation
from providers.dialects.openai_chat.calls import extra_content
from providers.dialects.openai_chat.details import Entry, plain_entry, write_details
from providers.dialects.openai_chat.finish import WORDS, finish_word
from providers.dialects.openai_chat.stream import DONE_EVENT
from providers.dialects.openai_chat.write import (
    Object,
    answer_id,
    is_legacy,
    write_audio,
    write_image,
)
from providers.dialects.openai_chat.write_usage import write_usage
from schemas.envelopes import error_event
from schemas.errors import GatewayError

_encode = msgspec.json.Encoder().encode


class _Choice:
    """What the deltas of one choice depend on."""

    __slots__ = (
        "custom",
        "details",
        "images",
        "length",
        "start",
        "summary",
        "thoughts",
        "unsigned",
    )

    def __init__(self) -> None:
        self.thoughts: list[str] = []  # of the part that is open
        self.summary = False
        self.unsigned: list[Reasoning] = []  # thoughts that ended without a token
        self.details = 0  # entries written
        self.images = 0
        self.start = 0  # of the open text in all text of the choice, in characters
        self.length = 0  # of the open text
        self.custom: set[int] = set()  # calls of custom tools

    def close(self) -> None:
        """The open part ends."""
        if self.thoughts:
            self.unsigned.append(Reasoning("".join(self.thoughts), self.summary))
            self.thoughts = []
        self.start += self.length
        self.length = 0

    def flushed(self) -> list[Entry]:
        """Thoughts without a token, once there are others with one."""
        first, unsigned = self.details, self.unsigned
        self.unsigned = []
        return [plain_entry(part, first + n) for n, part in enumerate(unsigned)]


class StreamWriter:
    """Every chunk is a prefix, a delta and a suffix; the first and the last are made once."""

    __slots__ = ("_choices", "_context", "_counted", "_legacy", "_model", "_prefix", "_suffix")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._legacy = is_legacy(context)
        self._model = context.model
        self._prefix = b""
        # With the counts asked for, every chunk has the member, and the one with the counts no choice.
        self._suffix = b',"usage":null}\n\n' if context.chat.include_usage else b"}\n\n"
        self._choices: dict[int, _Choice] = {}
        self._counted: Counted | None = None

    def write(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if isinstance(event, Begin):
                self._model = event.model or self._model
            elif isinstance(event, Counted):
                self._counted = event
            else:
                state = self._choices.get(event.choice)
                if state is None:
                    state = self._choices[event.choice] = _Choice()
                    self._chunk(out, event.choice, b'{"role":"assistant","content":""}')
                self._write(event, state, out)
        return b"".join(out)

    def end(self) -> bytes:
        if not self._context.chat.include_usage or self._counted is None:
            return DONE_EVENT
        found: Object = {"choices": [], "usage": write_usage(self._counted.usage)}
        if self._counted.service_tier is not None:
            found["service_tier"] = self._counted.service_tier
        return self._head() + b"," + _encode(found)[1:] + b"\n\n" + DONE_EVENT

    def abort(self, error: GatewayError) -> bytes:
        return error_event("openai_chat", error)

    def _head(self) -> bytes:
        head: Object = {
            "id": answer_id(self._context),
            "object": "chat.completion.chunk",
            "created": self._context.created,
            "model": self._model,
        }
        return b"data: " + _encode(head)[:-1]

    def _chunk(
        self,
        out: list[bytes],
        choice: int,
        delta: bytes,
        finish: bytes = b'"finish_reason":null',
        logprobs: bytes = b"null",
    ) -> None:
        if not self._prefix:
            self._prefix = self._head() + b',"choices":[{"index":'
        out += (
            self._prefix,
            b'%d,"delta":' % choice,
            delta,
            b',"logprobs":',
            logprobs,
            b",",
            finish,
            b"}]",
            self._suffix,
        )

    def _write(  # noqa: C901, PLR0915  # one arm an event, none of which decides much
        self,
        event: TextDelta
        | ReasoningDelta
        | ReasoningEnd
        | RefusalDelta
        | ToolCallBegin
        | ToolCallDelta
        | Cited
        | MediaPart
        | NativePart
        | Logprobs
        | Break
        | End,
        state: _Choice,
        out: list[bytes],
    ) -> None:
        choice = event.choice
        match event:
            case TextDelta():
                if state.thoughts:
                    state.close()
                state.length += len(event.text)
                self._chunk(out, choice, b'{"content":%s}' % _encode(event.text))
            case ReasoningDelta():
                if state.length:
                    state.close()
                state.thoughts.append(event.text)
                state.summary = event.summary
                self._chunk(out, choice, b'{"reasoning_content":%s}' % _encode(event.text))
            case ReasoningEnd():
                self._details(event, state, out)
            case RefusalDelta():
                state.close()
                self._chunk(out, choice, b'{"refusal":%s}' % _encode(event.text))
            case ToolCallBegin():
                state.close()
                self._begin(event, state, out)
            case ToolCallDelta():
                self._arguments(event, state, out)
            case Cited():
                cited = annotation(event.citation, state.start, state.length)
                self._chunk(out, choice, _encode({"annotations": [cited]}))
            case MediaPart():
                state.close()
                self._chunk(out, choice, _encode(_media(event, state)))
            case NativePart() | Break():
                state.close()
            case Logprobs():
                self._chunk(out, choice, b"{}", logprobs=bytes(event.raw))
            case End():
                state.close()
                if state.details:
                    self._told(choice, state.flushed(), state, out)
                self._chunk(out, choice, b"{}", self._finish(event))
            case _:
                assert_never(event)

    def _details(self, event: ReasoningEnd, state: _Choice, out: list[bytes]) -> None:
        """The thoughts once more, with their token: so a caller keeps them whole in one entry."""
        thoughts = Reasoning(
            "".join(state.thoughts),
            state.summary and bool(state.thoughts),
            event.token,
            event.origin,
            event.id,
            event.redacted and not state.thoughts,
        )
        state.thoughts = []
        if entries := write_details(thoughts, state.details + len(state.unsigned)):
            self._told(event.choice, [*state.flushed(), *entries], state, out)
        elif thoughts.text:
            state.unsigned.append(thoughts)

    def _told(self, choice: int, entries: list[Entry], state: _Choice, out: list[bytes]) -> None:
        if entries:
            state.details += len(entries)
            self._chunk(out, choice, _encode({"reasoning_details": entries}))

    def _begin(self, event: ToolCallBegin, state: _Choice, out: list[bytes]) -> None:
        if self._legacy:
            if event.call == 0:  # a legacy message holds one call
                call = {"name": event.name, "arguments": ""}
                self._chunk(out, event.choice, _encode({"function_call": call}))
            return
        found: Object = {"index": event.call, "id": event.id}
        if event.custom:
            state.custom.add(event.call)
            found |= {"type": "custom", "custom": {"name": event.name, "input": ""}}
        else:
            found |= {"type": "function", "function": {"name": event.name, "arguments": ""}}
        if event.token is not None:
            found["extra_content"] = extra_content(event.token)
        self._chunk(out, event.choice, _encode({"tool_calls": [found]}))

    def _arguments(self, event: ToolCallDelta, state: _Choice, out: list[bytes]) -> None:
        text = _encode(event.arguments)
        if self._legacy and event.call:
            return
        if self._legacy:
            delta = b'{"function_call":{"arguments":%s}}' % text
        else:
            custom = event.call in state.custom
            form = b'"custom":{"input":%s}' if custom else b'"function":{"arguments":%s}'
            delta = b'{"tool_calls":[{"index":%d,%s}]}' % (event.call, form % text)
        self._chunk(out, event.choice, delta)

    def _finish(self, event: End) -> bytes:
        finish = event.finish
        word = finish_word(finish, legacy=self._legacy)
        found = b'"finish_reason":' + _encode(word)
        native = finish.native or (finish.reason if finish.reason not in WORDS else None)
        return found if native is None else found + b',"native_finish_reason":' + _encode(native)


def _media(event: MediaPart, state: _Choice) -> Object:
    if event.media.kind == "audio":
        return {"audio": write_audio(event.media)}
    state.images += 1
    return {"images": [write_image(event.media, state.images - 1)]}
