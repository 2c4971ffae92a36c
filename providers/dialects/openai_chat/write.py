"""A whole answer for a caller: https://platform.openai.com/docs/api-reference/chat/object."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.base import Context
from providers.canonical.answer import Answer, Choice
from providers.canonical.request import (
    Citation,
    Media,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from providers.dialects.openai_chat.annotations import annotation
from providers.dialects.openai_chat.calls import extra_content
from providers.dialects.openai_chat.details import Entry, plain_entry, write_details
from providers.dialects.openai_chat.finish import WORDS, finish_word
from providers.dialects.openai_chat.write_usage import write_usage

Object = dict[str, object]
_encode = msgspec.json.Encoder().encode


def write_answer(answer: Answer, context: Context) -> bytes:
    """The body of a chat.completion."""
    legacy = is_legacy(context)
    body: Object = {
        "id": answer_id(context),
        "object": "chat.completion",
        "created": context.created,
        "model": answer.model or context.model,
        "choices": [_choice(choice, legacy) for choice in answer.choices],
    }
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage)
    if answer.service_tier is not None:
        body["service_tier"] = answer.service_tier
    return _encode(body)


def answer_id(context: Context) -> str:
    return f"chatcmpl-{context.request_id}"


def is_legacy(context: Context) -> bool:
    """Whether the caller asked in the form before tools, and so understands no other."""
    return context.chat.names.get("tools") == "functions"


def _choice(choice: Choice, legacy: bool) -> Object:
    found: Object = {
        "index": choice.index,
        "message": Message().of(choice).written(legacy),
        "logprobs": choice.logprobs,
        "finish_reason": None,
    }
    if (finish := choice.finish) is not None:
        found["finish_reason"] = finish_word(finish, legacy=legacy)
        native = finish.native or (finish.reason if finish.reason not in WORDS else None)
        if native is not None:
            found["native_finish_reason"] = native
    return found


class Message(Struct):
    """What the parts of a choice amount to in one message."""

    text: str = ""
    thoughts: str = ""
    details: list[Entry] = []
    unsigned: list[Reasoning] = []
    refusals: str = ""
    calls: list[Object] = []
    annotations: list[object] = []
    images: list[Object] = []
    audio: Object | None = None

    def of(self, choice: Choice) -> Message:
        for part in choice.parts:
            match part:
                case Text():
                    self.cite(part.citations, len(self.text), len(part.text))
                    self.text += part.text
                case Reasoning():
                    self.thoughts += part.text
                    self.think(part)
                case Refusal():
                    self.refusals += part.text
                case ToolCall():
                    self.calls.append(write_call(part))
                case Media():
                    self.add_media(part)
                case _:
                    pass  # what only another dialect knows has no place in a message
        return self

    def think(self, part: Reasoning) -> None:
        entries = write_details(part, len(self.details) + len(self.unsigned))
        if not entries:
            self.unsigned.append(part)
            return
        self.details += [*self.flushed(), *entries]

    def flushed(self) -> list[Entry]:
        """Thoughts without a token, once there are others with one."""
        first, unsigned = len(self.details), self.unsigned
        self.unsigned = []
        return [plain_entry(part, first + n) for n, part in enumerate(unsigned) if part.text]

    def cite(self, citations: tuple[Citation, ...], base: int, length: int) -> None:
        self.annotations += [annotation(cited, base, length) for cited in citations]

    def add_media(self, media: Media) -> None:
        if media.kind == "audio":
            self.audio = write_audio(media)
        else:
            self.images.append(write_image(media, len(self.images)))

    def written(self, legacy: bool) -> Object:
        empty = not self.text and (self.calls or self.refusals or self.audio is not None)
        found: Object = {
            "role": "assistant",
            "content": None if empty else self.text,
            "refusal": self.refusals or None,
        }
        if self.thoughts:
            found["reasoning_content"] = self.thoughts
        if self.details:
            self.details += self.flushed()
        for name in ("details", "annotations", "images"):
            if value := getattr(self, name):
                found["reasoning_details" if name == "details" else name] = value
        if self.audio is not None:
            found["audio"] = self.audio
        if self.calls and legacy:
            found["function_call"] = self.calls[0].get("function")
        elif self.calls:
            found["tool_calls"] = self.calls
        return found


def write_call(call: ToolCall) -> Object:
    found: Object = {"id": call.id, "type": "custom" if call.custom else "function"}
    if call.custom:
        found["custom"] = {"name": call.name, "input": call.arguments}
    else:
        found["function"] = {"name": call.name, "arguments": call.arguments}
    if call.token is not None:
        found["extra_content"] = extra_content(call.token)
    return found


def write_image(media: Media, index: int) -> Object:
    """https://openrouter.ai/docs/features/multimodal/image-generation"""
    return {"type": "image_url", "image_url": {"url": url_of(media)}, "index": index}


def url_of(media: Media) -> str:
    """The URL of something, which may hold its data."""
    if media.url is not None:
        return media.url
    kind = media.media_type or f"{media.kind}/{'png' if media.kind == 'image' else '*'}"
    return f"data:{kind};base64,{media.data or ''}"


def write_audio(media: Media) -> Object:
    """What a provider of this dialect said beside the data, or an id that nobody can ask for."""
    found: Object = {"id": "audio_0", "expires_at": 0, "transcript": "", "data": media.data or ""}
    known: dict[str, Raw] = {name: raw for name, raw in media.extra.items() if name in found}
    return {**found, **known}
