"""What the assistant said, for a provider: one message, whatever it is made of."""

from __future__ import annotations

from typing import assert_never

from providers.canonical.notes import Notes
from providers.canonical.request import (
    Media,
    Native,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from providers.dialects.openai_chat.details import (
    DIALECT,
    FIELDS,
    THINKING_PART,
    Entry,
    own_entry,
)
from providers.dialects.openai_chat.write import Object, write_call


class Spoken:
    """Collects the parts of one turn. Its texts become one: imitators of OpenAI take no list here."""

    __slots__ = ("_calls", "_details", "_message", "_notes", "_signs", "_texts", "_thinking")

    def __init__(self, notes: Notes, *, signs: bool) -> None:
        """`signs`: the provider wants its signatures of calls back."""
        self._notes = notes
        self._signs = signs
        self._message: Object = {"role": "assistant", "content": None}
        self._texts: list[str] = []
        self._thinking: list[Object] = []
        self._details: list[Entry] = []
        self._calls: list[Object] = []

    def of(self, turn: Turn) -> Object:
        """The message of a turn."""
        for part in turn.parts:
            self._add(part)
        message, text = self._message, "".join(self._texts)
        if self._thinking:
            said: list[Object] = [{"type": "text", "text": text}] if text else []
            message["content"] = [*self._thinking, *said]
        elif self._texts or not (self._calls or message.keys() & {"refusal", "audio"}):
            message["content"] = text
        if self._details:
            message["reasoning_details"] = self._details
        if self._calls:
            message["tool_calls"] = self._calls
        if turn.name is not None:
            message["name"] = turn.name
        return message

    def _add(self, part: Part) -> None:
        match part:
            case Text():
                self._say(part)
            case Reasoning():
                self._think(part)
            case ToolCall():
                self._call(part)
            case Refusal():
                self._append("refusal", part.text)
            case Media():
                self._show(part)
            case Native():
                self._notes.harmless(f"messages.{part.kind}")
            case ToolResult():
                self._notes.meaningful("turns", "the assistant gives no results of tools")
            case _:
                assert_never(part)

    def _append(self, member: str, text: str) -> None:
        self._message[member] = f"{self._message.get(member) or ''}{text}"

    def _say(self, part: Text) -> None:
        self._texts.append(part.text)
        if part.cache is not None:
            self._notes.harmless("cache_control")
        if part.citations:
            self._notes.harmless("citations")

    def _call(self, call: ToolCall) -> None:
        if call.cache is not None:
            self._notes.harmless("cache_control")
        found = write_call(call)
        if call.token is not None and not self._signs:
            self._notes.harmless("thought_signature")
            del found["extra_content"]
        self._calls.append(found)

    def _show(self, media: Media) -> None:
        """A sound of the model's own goes by its id; of pictures it can be told nothing."""
        if media.kind == "audio" and media.file_id is not None:
            self._message["audio"] = {"id": media.file_id}
        else:
            self._notes.meaningful("turns", f"messages of the assistant hold no {media.kind}")

    def _think(self, part: Reasoning) -> None:
        """Back to where thoughts of this dialect's providers stood; other providers' stay away."""
        entry = own_entry(part) if part.origin == DIALECT else None
        if entry is not None:
            self._details.append(entry)
        elif part.origin == DIALECT and part.token in FIELDS:
            self._append(part.token, part.text)
        elif part.origin == DIALECT and part.token == THINKING_PART:
            texts = [{"type": "text", "text": part.text}]
            self._thinking.append({"type": "thinking", "thinking": texts})
        else:
            self._notes.harmless("reasoning")
