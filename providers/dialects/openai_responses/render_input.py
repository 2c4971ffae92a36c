"""Turns to input items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from msgspec import Raw

from providers.canonical.notes import Notes
from providers.canonical.request import (
    ChatRequest,
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
from providers.dialects.openai_responses.carrier import DIALECT, carry, carry_call
from providers.dialects.openai_responses.parts import Object, annotation, input_part

Item = Object | Raw


def render_input(chat: ChatRequest, turns: tuple[Turn, ...], notes: Notes) -> list[Item]:
    """The conversation as input items."""
    rendering = _Rendering(chat.dialect == DIALECT, notes)
    return [item for turn in turns for item in rendering.turn(turn)]


class _Rendering:
    def __init__(self, own: bool, notes: Notes) -> None:
        self._own = own  # the caller speaks this dialect, too
        self._notes = notes
        self._pictures = 0

    def turn(self, turn: Turn) -> Iterator[Item]:
        self._note(turn)
        if turn.role == "assistant":
            yield from self._spoken(turn)
        else:
            yield from self._heard(turn)

    def _note(self, turn: Turn) -> None:
        for name in () if self._own else turn.extra:
            self._notes.harmless(name)
        if turn.name is not None:
            self._notes.harmless("name")

    def _heard(self, turn: Turn) -> Iterator[Item]:
        said: list[Text | Media] = []
        for part in turn.parts:
            if isinstance(part, Text | Media):
                said.append(part)
                continue
            if isinstance(part, Refusal):
                said.append(Text(part.text))
                continue
            yield from self._message(turn, said)
            said = []
            yield from self._other(part)
        # A turn of nothing is still a turn.
        if said or not turn.parts:
            yield from self._message(turn, said, empty=True)

    def _message(self, turn: Turn, said: list[Text | Media], empty: bool = False) -> Iterator[Item]:
        if not said and not empty:
            return
        plain = len(said) == 1 and isinstance(said[0], Text) and said[0].cache is None
        content: object = [input_part(part, self._notes, self._own) for part in said]
        if plain and isinstance(said[0], Text):
            content = said[0].text
        role = "user" if turn.role == "tool" else turn.role
        item: Object = {"type": "message", "role": role, "content": content}
        yield self._marked(item, turn)

    def _marked(self, item: Object, turn: Turn) -> Object:
        if turn.id is not None and self._own:
            item["id"] = turn.id
        if self._own:
            item.update(turn.extra)
        return item

    def _spoken(self, turn: Turn) -> Iterator[Item]:
        """An assistant's turn: the texts between other parts are one message each."""
        said: list[Object] = []
        first = True
        for part in turn.parts:
            if isinstance(part, Text):
                said.append(self._output_text(part))
                continue
            if isinstance(part, Refusal):
                said.append({"type": "refusal", "refusal": part.text})
                continue
            if said:
                yield self._said(said, turn, first)
                said, first = [], False
            yield from self._other(part)
        if said or not turn.parts:
            yield self._said(said, turn, first)

    def _said(self, said: list[Object], turn: Turn, first: bool) -> Object:
        item: Object = {"type": "message", "role": "assistant", "content": said}
        if not first:
            return item
        if self._own and turn.id is not None:
            item["status"] = "completed"  # required where there is an id
        return self._marked(item, turn)

    def _output_text(self, part: Text) -> Object:
        if part.cache is not None:
            self._notes.harmless("cache_control")
        return {
            "type": "output_text",
            "text": part.text,
            "annotations": [annotation(cited, len(part.text)) for cited in part.citations],
        }

    def _other(self, part: Part) -> Iterator[Item]:
        match part:
            case ToolCall():
                yield from self._call(part)
            case ToolResult():
                yield self._result(part)
            case Reasoning():
                yield from self._reasoning(part)
            case Native():
                if part.dialect == DIALECT:
                    yield part.raw
                else:
                    self._notes.harmless(part.kind)
            case Media():
                yield from self._picture(part)
            case Text() | Refusal():
                raise AssertionError("these are written in messages")
            case _:
                assert_never(part)

    def _call(self, call: ToolCall) -> Iterator[Item]:
        if call.cache is not None:
            self._notes.harmless("cache_control")
        if (token := carry_call(call)) is not None:
            if self._own:
                yield {"type": "reasoning", "summary": [], "encrypted_content": token}
            else:
                self._notes.harmless("thought_signature")
        found: Object = {"type": "custom_tool_call" if call.custom else "function_call"}
        if call.item_id is not None:
            found["id"] = call.item_id
        found["call_id"] = call.id
        found["name"] = call.name
        found["input" if call.custom else "arguments"] = call.arguments
        yield found

    def _result(self, result: ToolResult) -> Item:
        if result.cache is not None:
            self._notes.harmless("cache_control")
        if result.is_error:
            self._notes.harmless("is_error")  # its text says what went wrong
        output: object = [input_part(part, self._notes, self._own) for part in result.parts]
        if not result.parts:
            output = ""
        elif len(result.parts) == 1 and isinstance(text := result.parts[0], Text):
            output = text.text if text.cache is None else output
        kind = "custom_tool_call_output" if result.custom else "function_call_output"
        found: Object = {"type": kind, "call_id": result.call_id, "output": output}
        if result.name is not None and self._own:
            found["name"] = result.name
        return found

    def _reasoning(self, part: Reasoning) -> Iterator[Item]:
        """Thoughts go back to where they come from: elsewhere nobody can read them, and an id without
        encrypted content is looked for among stored items: https://github.com/vercel/ai/issues/7543."""
        mine = part.token is not None and part.origin in (DIALECT, None)
        if not (mine or self._own):
            self._notes.harmless("reasoning")
            return
        texts = [{"type": "summary_text", "text": part.text}] if part.summary else []
        found: Object = {"type": "reasoning", "summary": texts}
        if part.id is not None and (mine or part.token is None):
            found["id"] = part.id
        if part.text and not part.summary:
            found["content"] = [{"type": "reasoning_text", "text": part.text}]
        if (token := carry(part)) is not None:
            found["encrypted_content"] = token
        yield found

    def _picture(self, part: Media) -> Iterator[Item]:
        """What the model drew; of other media of its own it can be told nothing."""
        if part.kind != "image" or part.data is None:
            self._notes.harmless(part.kind)
            return
        found: Object = {
            "type": "image_generation_call",
            "id": f"ig_{self._pictures}",
            "status": "completed",
            "result": part.data,
        }
        if part.media_type is not None:
            found["output_format"] = part.media_type.removeprefix("image/")
        self._pictures += 1
        yield found
