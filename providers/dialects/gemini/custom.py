"""Tools of free text, which Gemini does not have: functions with one text, `input`."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from providers.canonical.answer import Answer, AnswerPart
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest, Custom, ToolCall


class _Input(Struct):
    input: str


_decode = msgspec.json.Decoder(_Input).decode
_encode = msgspec.json.Encoder().encode
_SCHEMA = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')


def declared(tool: Custom, notes: Notes) -> dict[str, object]:
    """The function for a tool. What its text must be like can only be said in words."""
    description = tool.description or ""
    if tool.format is not None and b'"grammar"' in bytes(tool.format):
        notes.harmless("tools.format")
        grammar = bytes(tool.format).decode(errors="replace")
        description = f"{description}\n\nThe input must match this format: {grammar}".strip()
    found: dict[str, object] = {"name": tool.name, "parametersJsonSchema": _SCHEMA}
    if description:
        found["description"] = description
    return found


def customs(chat: ChatRequest) -> frozenset[str]:
    """The names of such tools."""
    return frozenset(tool.name for tool in chat.tools if isinstance(tool, Custom))


def wrapped(text: str) -> Raw:
    """Free text as the arguments of its function."""
    return Raw(_encode({"input": text}))


def unwrapped(arguments: str) -> str:
    """The free text in arguments; all of them if the model did not keep to the schema."""
    try:
        return _decode(arguments).input
    except (msgspec.DecodeError, RecursionError):
        return arguments


def restored(answer: Answer, chat: ChatRequest) -> Answer:
    """A whole answer with free text where the caller has tools of free text."""
    names = customs(chat)
    if not names:
        return answer
    return replace(
        answer,
        choices=tuple(
            replace(choice, parts=tuple(_part(part, names) for part in choice.parts))
            for choice in answer.choices
        ),
    )


def _part(part: AnswerPart, names: frozenset[str]) -> AnswerPart:
    if not isinstance(part, ToolCall) or part.name not in names:
        return part
    return replace(part, arguments=unwrapped(part.arguments), custom=True)
