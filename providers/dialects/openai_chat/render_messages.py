"""A conversation for a provider: https://platform.openai.com/docs/api-reference/chat/create.

A message of a tool holds text only: pictures and files of a result follow in a user's message, behind
the results of all calls that were made at once, since nothing may come between those and their call.
The role `developer` is told as `system`: OpenAI takes both for the same, its imitators know one.
"""

from __future__ import annotations

import re

from providers.canonical.notes import Notes
from providers.canonical.request import (
    Media,
    Native,
    Part,
    Refusal,
    Text,
    ToolResult,
    Turn,
)
from providers.dialects.openai_chat.render_assistant import Spoken
from providers.dialects.openai_chat.render_parts import render_media, render_text
from providers.dialects.openai_chat.write import Object

# Who signs calls, and wants the signatures back: https://ai.google.dev/gemini-api/docs/openai.
_SIGNS = re.compile(r"(.*/)?gemini", re.IGNORECASE)


class MessageRenderer:
    """Renders the turns of one request."""

    __slots__ = ("_beside", "_messages", "_notes", "_signs")

    def __init__(self, model: str, notes: Notes) -> None:
        self._notes = notes
        self._signs = _SIGNS.match(model) is not None
        self._messages: list[Object] = []
        self._beside: list[object] = []  # what came with results and is no text

    def render(self, turns: tuple[Turn, ...]) -> list[Object]:
        for turn in turns:
            if turn.role != "tool":
                self._show()
            self._note(turn)
            if turn.role == "assistant":
                said = Spoken(self._notes, signs=self._signs).of(turn)
                self._messages.append(said)
            else:
                self._heard(turn)
        self._show()
        return self._messages

    def _note(self, turn: Turn) -> None:
        for name in turn.extra:
            self._notes.harmless(f"messages.{name}")

    def _show(self) -> None:
        if self._beside:
            self._messages.append({"role": "user", "content": self._beside})
            self._beside = []

    def _heard(self, turn: Turn) -> None:
        """A turn of the system, of a user or of a tool; results among a user's parts are no part."""
        said: list[object] = []
        for part in turn.parts:
            if isinstance(part, ToolResult):
                self._result(part)
            elif (piece := self._piece(part, turn)) is not None:
                said.append(piece)
        if not said and any(isinstance(part, ToolResult) for part in turn.parts):
            return
        role = "system" if turn.role == "developer" else turn.role
        message: Object = {
            "role": "user" if role == "tool" else role,
            "content": _plain(said),
        }
        if turn.name is not None:
            message["name"] = turn.name
        self._messages.append(message)

    def _piece(self, part: Part, turn: Turn) -> object:
        match part:
            case Text():
                return render_text(part, self._notes)
            case Refusal():
                return {"type": "text", "text": part.text}
            case Media():
                if turn.role in ("system", "developer"):
                    self._notes.meaningful("turns", f"{turn.role} messages hold text only")
                    return None
                return render_media(part, self._notes)
            case Native(dialect="openai_chat"):
                return part.raw
            case Native():
                self._notes.meaningful("turns", f"it knows no part of the type {part.kind}")
            case _:
                self._notes.meaningful(
                    "turns", f"only the assistant has a {part.__struct_config__.tag}"
                )
        return None

    def _result(self, result: ToolResult) -> None:
        if result.cache is not None:
            self._notes.harmless("cache_control")
        if result.is_error:
            self._notes.harmless("is_error")  # its text says what went wrong
        texts: list[object] = []
        shown: list[object] = []
        for part in result.parts:
            if isinstance(part, Text):
                texts.append(render_text(part, self._notes))
            elif (media := render_media(part, self._notes)) is not None:
                shown.append(media)
        if shown:
            label = f"Output of the tool call {result.call_id}:"
            self._beside += [{"type": "text", "text": label}, *shown]
            texts = texts or [{"type": "text", "text": "See the next message of the user."}]
        self._messages.append(
            {"role": "tool", "tool_call_id": result.call_id, "content": _plain(texts)}
        )


def _plain(parts: list[object]) -> object:
    """One text alone is a string."""
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(part := parts[0], dict) and part.get("type") == "text":
        return part["text"]
    return parts
