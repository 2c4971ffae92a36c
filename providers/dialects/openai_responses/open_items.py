"""Thoughts, calls and pictures while they are written: their events, and what the last Response will
hold of them."""

from __future__ import annotations

from msgspec import Raw

from providers.canonical.answer import ReasoningEnd, ToolCallBegin
from providers.canonical.request import Media, Reasoning
from providers.dialects.openai_responses.carrier import carry
from providers.dialects.openai_responses.frames import Deltas, Frames, OpenItem
from providers.dialects.openai_responses.output import Object


class Thoughts(OpenItem):
    """Thoughts, their summary, or both."""

    __slots__ = ("_deltas", "_number", "_own", "_summary", "_text")

    def __init__(self, frames: Frames, index: int, name: str) -> None:
        self._summary: list[Object] = []
        item: Object = {"id": name, "type": "reasoning", "summary": self._summary}
        super().__init__(frames, index, item)
        self._deltas: Deltas | None = None
        self._own = False  # the piece that is open is a summary
        self._number: Object = {}
        self._text = ""  # what is no summary

    def add(self, text: str, *, summary: bool) -> bytes:
        frames = b""
        if self._deltas is None or self._own is not summary:
            frames = self._end_part() + self._begin(summary)
        assert self._deltas is not None
        return frames + self._deltas.add(text)

    def _begin(self, summary: bool) -> bytes:
        self._own = summary
        if summary:
            self._number = {"summary_index": len(self._summary)}
            kind, part = "reasoning_summary_part.added", "summary_text"
            deltas = "reasoning_summary_text.delta"
        else:
            contents = self.item.setdefault("content", [])
            self._number = {"content_index": len(contents) if isinstance(contents, list) else 0}
            kind, part, deltas = "content_part.added", "reasoning_text", "reasoning_text.delta"
        self._deltas = Deltas(self._frames, deltas, {**self._place, **self._number})
        return self._frame(kind, {**self._number, "part": {"type": part, "text": ""}})

    def _end_part(self) -> bytes:
        if self._deltas is None:
            return b""
        text, self._deltas = self._deltas.text, None
        if self._own:
            part: Object = {"type": "summary_text", "text": text}
            self._summary.append(part)
            kinds = "reasoning_summary_text.done", "reasoning_summary_part.done"
        else:
            part = {"type": "reasoning_text", "text": text}
            contents = self.item["content"]
            if isinstance(contents, list):
                contents.append(part)
            self._text += text
            kinds = "reasoning_text.done", "content_part.done"
        frames = self._frame(kinds[0], {**self._number, "text": text})
        return frames + self._frame(kinds[1], {**self._number, "part": part})

    def close(self, end: ReasoningEnd | None = None) -> bytes:
        """The item is whole; its token stands in it."""
        frames = self._end_part()
        if end is not None:
            part = Reasoning(self._text, False, end.token, end.origin, end.id, end.redacted)
            if (token := carry(part)) is not None:
                self.item["encrypted_content"] = token
        return frames + self.done()


class Call(OpenItem):
    """A call of a caller's tool."""

    __slots__ = ("_custom", "_deltas")

    def __init__(self, frames: Frames, index: int, name: str, begin: ToolCallBegin) -> None:
        self._custom = begin.custom
        item: Object = {"id": name, "type": "custom_tool_call" if begin.custom else "function_call"}
        if not begin.custom:
            item["status"] = "in_progress"
        item["call_id"] = begin.id
        item["name"] = begin.name
        item["input" if begin.custom else "arguments"] = ""
        super().__init__(frames, index, item)
        kind = "custom_tool_call_input" if begin.custom else "function_call_arguments"
        self._deltas = Deltas(frames, f"{kind}.delta", self._place)

    def add(self, arguments: str) -> bytes:
        return self._deltas.add(arguments)

    def close(self, status: str) -> bytes:
        text = self._deltas.text
        if self._custom:
            self.item["input"] = text
            frames = self._frame("custom_tool_call_input.done", {"input": text})
        else:
            self.item["arguments"], self.item["status"] = text, status
            frames = self._frame("function_call_arguments.done", {"arguments": text})
        return frames + self.done()


class Picture(OpenItem):
    """A picture that the model has drawn."""

    __slots__ = ("_data",)

    def __init__(self, frames: Frames, index: int, name: str, picture: Media) -> None:
        item: Object = {
            "id": name,
            "type": "image_generation_call",
            "status": "in_progress",
            "result": None,
            "output_format": (picture.media_type or "image/png").removeprefix("image/"),
        }
        super().__init__(frames, index, item)
        self._data = picture.data

    def close(self) -> bytes:
        frames = self._frame("image_generation_call.in_progress", {})
        frames += self._frame("image_generation_call.completed", {})
        self.item["status"], self.item["result"] = "completed", self._data
        return frames + self.done()


def native_frames(frames: Frames, index: int, raw: Raw) -> bytes:
    """An item of this dialect's own, whole."""
    members: Object = {"output_index": index, "item": raw}
    return frames.frame("output_item.added", members) + frames.frame("output_item.done", members)


def token_item(name: str, token: str) -> Object:
    """Thoughts that hold nothing but a token."""
    return {"id": name, "type": "reasoning", "summary": [], "encrypted_content": token}
