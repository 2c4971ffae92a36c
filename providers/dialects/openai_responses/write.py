"""Events to the stream that a caller gets, and a whole Answer to the Response."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec
from msgspec import Raw

from providers.base import Context
from providers.canonical.answer import (
    Answer,
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
from providers.canonical.fold import unfold
from providers.canonical.request import Citation, ToolCall
from providers.dialects.openai_responses.carrier import DIALECT, carry_call
from providers.dialects.openai_responses.frames import Frames
from providers.dialects.openai_responses.message import Message
from providers.dialects.openai_responses.open_items import (
    Call,
    Picture,
    Thoughts,
    native_frames,
    token_item,
)
from providers.dialects.openai_responses.output import (
    Envelope,
    Object,
    Output,
    read_logprobs,
    status_of,
)
from schemas.envelopes import error_object
from schemas.errors import GatewayError


def response(answer: Answer, context: Context) -> bytes:
    """The Response: what the stream of the same answer would end with."""
    writer = StreamWriter(context)
    writer.write(unfold(answer))
    return writer.response()


class StreamWriter:
    """Writes one stream. Calls stay open to the end, because their pieces may be mixed; everything
    else is closed by what follows. There is one answer: nobody can ask for more in this dialect."""

    __slots__ = (
        "_begun",
        "_calls",
        "_citations",
        "_envelope",
        "_frames",
        "_message",
        "_model",
        "_output",
        "_request_id",
        "_spoken",
        "_thoughts",
    )

    def __init__(self, context: Context) -> None:
        self._envelope = Envelope(context)
        self._request_id = context.request_id
        self._frames = Frames()
        self._output = Output()
        self._model = ""
        self._begun = False
        self._message: Message | None = None
        self._spoken: Message | None = None  # the last message, open or not
        self._thoughts: Thoughts | None = None
        self._calls: dict[int, Call] = {}
        self._citations: list[Citation] = []  # of a text that has not begun

    def write(self, events: Iterable[Event]) -> bytes:
        found: list[bytes] = []
        held: TextDelta | None = None  # its log probabilities may come behind it
        for event in events:
            if held is not None:
                logprobs = event.raw if isinstance(event, Logprobs) else None
                found.append(self._text(held, logprobs))
                held = None
                if logprobs is not None:
                    continue
            if isinstance(event, TextDelta) and event.choice == 0:
                held = event
            else:
                found.append(self._write(event))
        if held is not None:
            found.append(self._text(held, None))
        return b"".join(found)

    def end(self) -> bytes:
        """The rest of the items, and the Response."""
        status = status_of(self._output.finish)
        frames = self._started() + self._close_all(status)
        return frames + self._lifecycle(status, status)

    def response(self) -> bytes:
        """The whole Response by itself."""
        status = status_of(self._output.finish)
        self._close_all(status)
        return self._envelope.response(status, self._output, self._model)

    def abort(self, error: GatewayError) -> bytes:
        frames = self._started()
        sequence = self._frames.sequence
        self._close_all("incomplete")  # in the Response; events of their own would say too much
        self._frames.sequence = sequence
        return frames + self._lifecycle("failed", "failed", error_object(error))

    def _lifecycle(self, kind: str, status: str, error: Raw | None = None) -> bytes:
        body = self._envelope.response(status, self._output, self._model, error)
        return self._frames.frame(kind, {"response": Raw(body)})

    def _started(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        frames = self._lifecycle("created", "in_progress")
        return frames + self._lifecycle("in_progress", "in_progress")

    def _write(self, event: Event) -> bytes:  # noqa: C901  # one arm an event
        match event:
            case Begin():
                self._model = event.model
                return self._started()
            case Counted():
                self._output.usage = event.usage
                self._output.service_tier = event.service_tier or self._output.service_tier
                return b""
            case _ if event.choice != 0:
                return b""
            case ToolCallDelta():
                return self._calls[event.call].add(event.arguments)
            case ReasoningDelta():
                return self._think(event)
            case ReasoningEnd():
                return self._thought(event)
            case ToolCallBegin():
                return self._called(event)
            case RefusalDelta():
                return self._speak() + self._said().refusal(event.text)
            case TextDelta():
                return self._text(event, None)
            case Cited():
                return self._cite(event.citation)
            case MediaPart() | NativePart():
                return self._whole(event)
            case Logprobs():
                if self._spoken is not None:
                    self._spoken.late_logprobs(read_logprobs(event.raw))
                return b""
            case Break():
                return self._break()
            case End():
                self._output.finish = event.finish
                return b""
            case _:
                assert_never(event)

    def _text(self, event: TextDelta, logprobs: Raw | None) -> bytes:
        frames = b"" if self._message is not None else self._speak()
        message = self._said()
        frames += message.text(event.text, read_logprobs(logprobs) if logprobs else [])
        if self._citations:
            early, self._citations = self._citations, []
            frames += b"".join(message.cite(citation) for citation in early)
        return frames

    def _said(self) -> Message:
        assert self._message is not None
        return self._message

    def _speak(self) -> bytes:
        """A message is open."""
        if self._message is not None:
            return b""
        frames = self._open()
        self._message = self._spoken = Message(self._frames, self._next(), self._name("msg"))
        return frames + self._keep(self._message.item) + self._message.added()

    def _cite(self, citation: Citation) -> bytes:
        if self._message is not None and self._message.writes_text:
            return self._message.cite(citation)
        self._citations.append(citation)
        return b""

    def _think(self, event: ReasoningDelta) -> bytes:
        frames = b""
        if self._thoughts is None:
            frames = self._open() + self._thoughts_begin(None)
        assert self._thoughts is not None
        return frames + self._thoughts.add(event.text, summary=event.summary)

    def _thoughts_begin(self, name: str | None) -> bytes:
        self._thoughts = Thoughts(self._frames, self._next(), name or self._name("rs"))
        return self._keep(self._thoughts.item) + self._thoughts.added()

    def _thought(self, event: ReasoningEnd) -> bytes:
        frames = b""
        if self._thoughts is None:
            own = event.id if event.origin == DIALECT else None
            frames = self._open() + self._thoughts_begin(own)
        assert self._thoughts is not None
        thoughts, self._thoughts = self._thoughts, None
        return frames + thoughts.close(event)

    def _called(self, event: ToolCallBegin) -> bytes:
        frames = self._open()
        signed = carry_call(ToolCall(event.id, event.name, "", token=event.token))
        if signed is not None:
            frames += self._native(encoded(token_item(self._name("rs"), signed)))
        name = self._name("ctc" if event.custom else "fc")
        call = self._calls[event.call] = Call(self._frames, self._next(), name, event)
        return frames + self._keep(call.item) + call.added()

    def _whole(self, event: MediaPart | NativePart) -> bytes:
        """A picture, or an item of this dialect. Nothing else is asked for in it."""
        frames = self._open()
        if isinstance(event, NativePart):
            return frames + (
                self._native(event.native.raw) if event.native.dialect == DIALECT else b""
            )
        if event.media.kind != "image" or event.media.data is None:
            return frames
        picture = Picture(self._frames, self._next(), self._name("ig"), event.media)
        return frames + self._keep(picture.item) + picture.added() + picture.close()

    def _native(self, raw: Raw) -> bytes:
        frames = native_frames(self._frames, self._next(), raw)
        self._output.items.append(raw)
        return frames

    def _break(self) -> bytes:
        if self._thoughts is not None:
            thoughts, self._thoughts = self._thoughts, None
            return thoughts.close()
        return self._message.end_part() if self._message is not None else b""

    def _open(self) -> bytes:
        """Room for another item: what is open and no call is closed."""
        frames = self._started()
        if self._thoughts is not None:
            frames += self._thoughts.close()
            self._thoughts = None
        if self._message is not None:
            frames += self._message.close("completed")
            self._message = None
        return frames

    def _close_all(self, status: str) -> bytes:
        if self._message is not None:
            frames, self._message = self._message.close(status), None
        else:
            frames = self._open()
        calls, self._calls = self._calls, {}
        return frames + b"".join(call.close(status) for call in calls.values())

    def _keep(self, item: Object) -> bytes:
        self._output.items.append(item)
        return b""

    def _next(self) -> int:
        return len(self._output.items)

    def _name(self, prefix: str) -> str:
        return f"{prefix}_{self._request_id}_{self._next()}"


def encoded(item: Object) -> Raw:
    return Raw(msgspec.json.encode(item))
