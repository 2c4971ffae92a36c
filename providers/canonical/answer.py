"""What a provider says: whole, or as the events of a stream."""

from __future__ import annotations

from msgspec import Raw, Struct

from providers.canonical.request import Citation, Media, Native, Reasoning, Refusal, Text, ToolCall
from schemas.usage import Usage

AnswerPart = Text | Media | Reasoning | ToolCall | Refusal | Native


class Finish(Struct, frozen=True):
    """Why an answer ended. `reason` is OpenAI chat's word: stop, length, tool_calls, content_filter;
    any other is the provider's own, in lower case."""

    reason: str
    native: str | None = None  # the provider's own word
    stop_sequence: str | None = None


class Choice(Struct, frozen=True):
    """One of the answers that were asked for."""

    index: int
    parts: tuple[AnswerPart, ...]
    finish: Finish | None = None
    logprobs: Raw | None = None  # as OpenAI chat writes it


class Answer(Struct, frozen=True):
    """A whole answer."""

    id: str
    model: str  # as the provider names it
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    service_tier: str | None = None
    created: int | None = None  # epoch seconds


# A stream is Begin, then pieces, one End a choice, and Counted wherever counts came. A new part begins
# where the kind of piece changes, at a Break, and with each ToolCallBegin.


class Begin(Struct, frozen=True, gc=False):
    """Comes first, once."""

    id: str
    model: str
    created: int | None = None


class TextDelta(Struct, frozen=True, gc=False):
    """A piece of text."""

    text: str
    choice: int = 0


class ReasoningDelta(Struct, frozen=True, gc=False):
    """A piece of the model's thoughts, or of their summary."""

    text: str
    choice: int = 0
    summary: bool = False


class ReasoningEnd(Struct, frozen=True, gc=False):
    """Ends the part of thoughts that is open, or is one by itself if none is, and gives its token."""

    token: str | None = None
    origin: str | None = None  # the dialect whose provider made the token
    id: str | None = None
    redacted: bool = False
    choice: int = 0


class RefusalDelta(Struct, frozen=True, gc=False):
    """A piece of a refusal."""

    text: str
    choice: int = 0


class ToolCallBegin(Struct, frozen=True, gc=False):
    """A call begins; `call` numbers the calls of its choice from 0."""

    call: int
    id: str
    name: str
    choice: int = 0
    custom: bool = False
    token: str | None = None
    item_id: str | None = None


class ToolCallDelta(Struct, frozen=True, gc=False):
    """A piece of a call's arguments. Pieces of several calls may be mixed."""

    call: int
    arguments: str
    choice: int = 0


class Cited(Struct, frozen=True):
    """A citation of the text part that is open."""

    citation: Citation
    choice: int = 0


class MediaPart(Struct, frozen=True):
    """A picture or a sound, whole."""

    media: Media
    choice: int = 0


class NativePart(Struct, frozen=True):
    """Something that only the provider's dialect knows, whole."""

    native: Native
    choice: int = 0


class Logprobs(Struct, frozen=True):
    """Log probabilities of the pieces before, as OpenAI chat writes them."""

    raw: Raw
    choice: int = 0


class Break(Struct, frozen=True, gc=False):
    """The open part ends here, though the next may be of the same kind."""

    choice: int = 0


class End(Struct, frozen=True):
    """A choice is whole."""

    finish: Finish
    choice: int = 0


class Counted(Struct, frozen=True):
    """The counts so far; the last ones count."""

    usage: Usage
    service_tier: str | None = None


Event = (
    Begin
    | TextDelta
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
    | End
    | Counted
)
CONTENT = (
    TextDelta,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    ToolCallBegin,
    ToolCallDelta,
    MediaPart,
    NativePart,
)
"""Events that a reader of the stream would see."""
