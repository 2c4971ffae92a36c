"""A conversation for a provider: https://platform.claude.com/docs/en/build-with-claude/working-with-messages.

Results of tools in a row make one message. Turns of the assistant in a row make one, too, since thoughts
must stand in the message of the calls that they led to. A system turn behind the first message keeps its
role where the model knows that; else it becomes a user's message within <system> tags: so it stays where
it was said, which the top-level `system` cannot do, and a conversation that ends with it still ends with
somebody other than the assistant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

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
from providers.dialects.anthropic.blocks import DIALECT
from providers.dialects.anthropic.ids import to_wire
from providers.dialects.anthropic.render_media import render_media
from providers.dialects.anthropic.shape import Shape
from providers.dialects.anthropic.write_blocks import Block, thinking, to_input, wrapped


class Message(Struct):
    role: str
    content: list[Block]

    def written(self) -> Block:
        """Blocks of another dialect's making are not `raw`; one plain text is a string."""
        content: object = [block.get("raw", block) for block in self.content]
        if len(self.content) == 1 and self.content[0].keys() == {"type", "text"}:
            content = self.content[0]["text"]
        return {"role": self.role, "content": content}


class Conversation(Struct):
    system: list[Block]
    messages: list[Message]

    def calls_without_thoughts(self) -> bool:
        """Whether the last turn of the assistant called tools and its thoughts are lost: a model that
        thinks within a budget refuses to go on with it."""
        last = next((m for m in reversed(self.messages) if m.role == "assistant"), None)
        if last is None or not last.content:
            return False
        begins = last.content[0].get("type") in ("thinking", "redacted_thinking")
        return not begins and any(block.get("type") == "tool_use" for block in last.content)


class TurnRenderer:
    """Renders the turns of one request."""

    __slots__ = ("_notes", "_shape", "_system_later")

    def __init__(self, shape: Shape, notes: Notes, *, system_later: bool) -> None:
        self._shape = shape
        self._notes = notes
        self._system_later = system_later

    def render(self, chat: ChatRequest) -> Conversation:
        system: list[Block] = []
        messages: list[Message] = []
        for position, turn in enumerate(chat.turns):
            self._note(turn)
            content = list(self._blocks(turn))
            if turn.role in ("system", "developer"):
                if not messages:
                    system.extend(content)
                elif content:
                    self._instruct(messages, content, _rest(chat.turns, position))
            elif content:
                role = "assistant" if turn.role == "assistant" else "user"
                self._add(messages, Message(role, content), turn)
        _without_trailing_space(messages)
        return Conversation(system, messages)

    def _note(self, turn: Turn) -> None:
        if turn.name is not None:
            self._notes.harmless("name")
        for name in turn.extra:
            self._notes.harmless(name)

    def _add(self, messages: list[Message], message: Message, turn: Turn) -> None:
        last = messages[-1] if messages else None
        joins = last is not None and last.role == message.role
        if joins and turn.role == "tool":
            joins = last is not None and last.content[-1].get("type") == "tool_result"
        if last is not None and joins and turn.role in ("assistant", "tool"):
            last.content.extend(message.content)
        else:
            messages.append(message)

    def _instruct(self, messages: list[Message], content: list[Block], rest: list[Turn]) -> None:
        """Such a message must stand behind one of the user and before one of the assistant, or last."""
        last = messages[-1]
        behind = last.role in ("user", "system")
        before = not rest or rest[0].role in ("assistant", "system", "developer")
        if self._system_later and behind and before:
            if last.role == "system":
                last.content.extend(content)
            else:
                messages.append(Message("system", content))
            return
        text = "\n\n".join(str(block["text"]) for block in content if "text" in block)
        if text:
            said: Block = {"type": "text", "text": f"<system>\n{text}\n</system>"}
            messages.append(Message("user", [said]))

    def _blocks(self, turn: Turn) -> Iterator[Block]:
        for part in turn.parts:
            block = self._block(part, turn)
            if block is not None:
                yield block

    def _block(  # noqa: C901  # one arm a part
        self, part: Part, turn: Turn
    ) -> Block | None:
        match part:
            case Text():
                return self._text(part)
            case Media():
                if turn.role not in ("user", "tool"):
                    self._notes.meaningful("turns", f"it takes no {part.kind} of this role")
                    return None
                return render_media(part, self._notes)
            case ToolCall():
                return self._call(part)
            case ToolResult():
                return self._result(part)
            case Refusal():
                return self._text(Text(part.text))
            case Reasoning():
                return self._reasoning(part)
            case Native():
                return self._native(part, turn)

    def _text(self, part: Text) -> Block | None:
        """Texts without a letter are refused, and say nothing."""
        if not part.text.strip():
            return None
        block: Block = {"type": "text", "text": part.text}
        cited = [citation.raw for citation in part.citations if citation.dialect == DIALECT]
        if len(cited) < len(part.citations):
            self._notes.harmless("citations")
        if cited:
            block["citations"] = cited
        if part.cache is not None:
            block["cache_control"] = part.cache
        return block

    def _call(self, part: ToolCall) -> Block:
        arguments = wrapped(part.arguments) if part.custom else part.arguments
        block: Block = {
            "type": "tool_use",
            "id": to_wire(part.id),
            "name": self._shape.wire.get(part.name, part.name),
            "input": to_input(arguments),
        }
        if part.cache is not None:
            block["cache_control"] = part.cache
        return block

    def _result(self, part: ToolResult) -> Block:
        block: Block = {"type": "tool_result", "tool_use_id": to_wire(part.call_id)}
        content = [shown for inner in part.parts if (shown := self._shown(inner)) is not None]
        if len(content) == 1 and content[0].keys() == {"type", "text"}:
            block["content"] = content[0]["text"]
        elif content:
            block["content"] = [inner.get("raw", inner) for inner in content]
        if part.is_error:
            block["is_error"] = True
        if part.cache is not None:
            block["cache_control"] = part.cache
        return block

    def _shown(self, part: Text | Media) -> Block | None:
        return self._text(part) if isinstance(part, Text) else render_media(part, self._notes)

    def _reasoning(self, part: Reasoning) -> Block | None:
        """Thoughts go back to their provider only: another could not check what signs them."""
        if part.origin != DIALECT or part.token is None:
            self._notes.harmless("reasoning")
            return None
        return thinking(part)

    def _native(self, part: Native, turn: Turn) -> Block | None:
        """What the assistant did with another provider's tools shows in what it said then; what the
        user gave is missing without it."""
        if part.dialect == DIALECT:
            return {"raw": part.raw}
        if turn.role == "assistant":
            self._notes.harmless(part.kind)
        else:
            self._notes.meaningful("turns", f"it knows no part of the type {part.kind}")
        return None


def _rest(turns: Iterable[Turn], position: int) -> list[Turn]:
    return list(turns)[position + 1 : position + 2]


def _without_trailing_space(messages: list[Message]) -> None:
    """The beginning of an answer must not end with white space.

    https://platform.claude.com/docs/en/build-with-claude/prompt-engineering/prefill-claudes-response
    """
    if messages and messages[-1].role == "assistant":
        last = messages[-1].content[-1]
        if isinstance(text := last.get("text"), str):
            last["text"] = text.rstrip()
