"""What a provider's message holds, whole or as the delta of a stream: OpenAI's form and its imitators'."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.dialects.openai_chat.calls import Call, Function
from providers.dialects.openai_chat.details import Entry


class Audio(Struct, gc=False):
    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None


class Spoken(Struct, gc=False):
    """A message, or a piece of one."""

    content: str | list[Raw] | None = None  # a list of parts: Mistral
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Entry] | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    annotations: list[Raw] | None = None
    audio: Audio | None = None
    images: list[Raw] | None = (
        None  # https://openrouter.ai/docs/features/multimodal/image-generation
    )


class ChoiceShape(Struct, gc=False):
    index: int | None = None
    delta: Spoken | None = None
    message: Spoken | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    logprobs: Raw = Raw()
    error: Raw = Raw()  # of one choice: https://openrouter.ai/docs/api-reference/errors


class Groq(Struct, gc=False):
    usage: Raw = Raw()


class Shape(Struct, gc=False):
    """A whole answer, or one chunk of a stream."""

    choices: list[ChoiceShape] | None = None
    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    usage: Raw = Raw()
    service_tier: str | None = None
    error: Raw = Raw()
    x_groq: Groq | None = None
    citations: list[Raw] | None = None  # Perplexity: pages, and what was found there
    search_results: list[Raw] | None = None

    def counts(self) -> Raw | None:
        """The usage, wherever it stands."""
        if present(self.usage):
            return self.usage
        if self.x_groq is not None and present(self.x_groq.usage):
            return self.x_groq.usage
        return None


decode = msgspec.json.Decoder(Shape).decode


def present(raw: Raw) -> bool:
    """Whether a member is there and not null."""
    return bool(raw) and bytes(raw) != b"null"
