"""Events to a whole answer, and a whole answer to events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from providers.canonical.answer import (
    Answer,
    AnswerPart,
    Begin,
    Break,
    Choice,
    Cited,
    Counted,
    End,
    Event,
    Finish,
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
from providers.canonical.request import (
    Citation,
    Media,
    Native,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from schemas.errors import UpstreamError
from schemas.usage import Usage

_logprobs = msgspec.json.Decoder(dict[str, list[Raw] | None]).decode
_encode = msgspec.json.Encoder().encode


def fold(events: Iterable[Event]) -> Answer:
    """The answer that a stream of events amounts to."""
    folded = Fold()
    for event in events:
        folded.add(event)
    return folded.answer()


class Fold:
    """Collects the events of one stream."""

    __slots__ = ("_begin", "_choices", "_service_tier", "usage")

    def __init__(self) -> None:
        self._begin = Begin("", "")
        self._choices: dict[int, _Choice] = {}
        self._service_tier: str | None = None
        self.usage: Usage | None = None

    def add(self, event: Event) -> None:
        match event:
            case Begin():
                self._begin = event
            case Counted():
                self.usage = event.usage
                self._service_tier = event.service_tier or self._service_tier
            case _:
                if (choice := self._choices.get(event.choice)) is None:
                    choice = self._choices[event.choice] = _Choice()
                choice.add(event)

    def answer(self) -> Answer:
        """What came so far."""
        return Answer(
            self._begin.id,
            self._begin.model,
            tuple(found.choice(index) for index, found in sorted(self._choices.items())),
            self.usage,
            self._service_tier,
            self._begin.created,
        )


class _Choice:
    __slots__ = (
        "_calls",
        "_citations",
        "_finish",
        "_kind",
        "_logprobs",
        "_parts",
        "_pieces",
        "_summary",
    )

    def __init__(self) -> None:
        self._parts: list[AnswerPart | int] = []  # a number stands for a call that may still grow
        self._calls: dict[int, tuple[ToolCallBegin, list[str]]] = {}
        self._kind: type[TextDelta | ReasoningDelta | RefusalDelta] | None = None
        self._pieces: list[str] = []
        self._summary = False
        self._citations: list[Citation] = []
        self._logprobs: dict[str, list[Raw]] = {}
        self._finish: Finish | None = None

    def add(  # noqa: C901, PLR0915  # one arm an event, none of which decides anything
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
    ) -> None:
        match event:
            case TextDelta() | RefusalDelta():
                self._grow(type(event), event.text)
            case ReasoningDelta():
                if self._summary is not event.summary:
                    self._close()
                    self._summary = event.summary
                self._grow(ReasoningDelta, event.text)
            case ReasoningEnd():
                self._end_reasoning(event)
            case ToolCallBegin():
                self._close()
                self._calls[event.call] = (event, [])
                self._parts.append(event.call)
            case ToolCallDelta():
                self._calls[event.call][1].append(event.arguments)
            case Cited():
                self._cite(event.citation)
            case MediaPart():
                self._close()
                self._parts.append(event.media)
            case NativePart():
                self._close()
                self._parts.append(event.native)
            case Logprobs():
                self._note_logprobs(event.raw)
            case Break():
                self._close()
            case End():
                self._close()
                self._finish = event.finish
            case _:
                assert_never(event)

    def _grow(self, kind: type[TextDelta | ReasoningDelta | RefusalDelta], text: str) -> None:
        if self._kind is not kind:
            self._close()
            self._kind = kind
        self._pieces.append(text)

    def _note_logprobs(self, raw: Raw) -> None:
        try:
            lists = _logprobs(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            raise UpstreamError(f"The log probabilities cannot be read: {error}.") from error
        for name, found in lists.items():
            self._logprobs.setdefault(name, []).extend(found or ())

    def _cite(self, citation: Citation) -> None:
        """Of the open text; some providers cite behind the end of the last one."""
        last = self._parts[-1] if self._parts else None
        if self._kind is None and isinstance(last, Text):
            self._parts[-1] = replace(last, citations=(*last.citations, citation))
        else:
            self._citations.append(citation)

    def _close(self) -> None:
        kind, self._kind = self._kind, None
        text = "".join(self._pieces)
        self._pieces = []
        if kind is TextDelta:
            self._parts.append(Text(text, citations=tuple(self._citations)))
            self._citations = []
        elif kind is ReasoningDelta:
            self._parts.append(Reasoning(text, self._summary))
        elif kind is RefusalDelta:
            self._parts.append(Refusal(text))

    def _end_reasoning(self, event: ReasoningEnd) -> None:
        text, summary = "", False
        if self._kind is ReasoningDelta:
            text, summary = "".join(self._pieces), self._summary
            self._kind, self._pieces = None, []
        else:
            self._close()
        self._parts.append(
            Reasoning(text, summary, event.token, event.origin, event.id, event.redacted)
        )

    def _called(self, call: int) -> ToolCall:
        begun, pieces = self._calls[call]
        return ToolCall(
            begun.id,
            begun.name,
            "".join(pieces),
            begun.custom,
            begun.token,
            item_id=begun.item_id,
        )

    def choice(self, index: int) -> Choice:
        self._close()
        return Choice(
            index,
            tuple(self._called(part) if isinstance(part, int) else part for part in self._parts),
            self._finish,
            Raw(_encode(self._logprobs)) if self._logprobs else None,
        )


def unfold(answer: Answer) -> Iterator[Event]:
    """A whole answer as the events of a stream: for a caller that asked for one and got none."""
    yield Begin(answer.id, answer.model, answer.created)
    for choice in answer.choices:
        calls = 0
        logprobs = None if choice.logprobs is None else Logprobs(choice.logprobs, choice.index)
        for part in choice.parts:
            for event in _unfolded(part, choice.index, calls):
                yield event
                if logprobs is not None and isinstance(event, TextDelta):
                    yield logprobs  # where a reader of deltas looks for them
                    logprobs = None
            calls += isinstance(part, ToolCall)
            yield Break(choice.index)
        if logprobs is not None:
            yield logprobs
        if choice.finish is not None:
            yield End(choice.finish, choice.index)
    if answer.usage is not None:
        yield Counted(answer.usage, answer.service_tier)


def _unfolded(  # noqa: C901  # one arm a part
    part: AnswerPart, choice: int, call: int
) -> Iterator[Event]:
    match part:
        case Text():
            yield TextDelta(part.text, choice)
            for citation in part.citations:
                yield Cited(citation, choice)
        case Reasoning():
            if part.text:
                yield ReasoningDelta(part.text, choice, part.summary)
            if part.token is not None or part.id is not None or part.redacted:
                yield ReasoningEnd(part.token, part.origin, part.id, part.redacted, choice)
        case Refusal():
            yield RefusalDelta(part.text, choice)
        case ToolCall():
            yield ToolCallBegin(
                call, part.id, part.name, choice, part.custom, part.token, part.item_id
            )
            yield ToolCallDelta(call, part.arguments, choice)
        case Media():
            yield MediaPart(part, choice)
        case Native():
            yield NativePart(part, choice)
        case _:
            assert_never(part)
