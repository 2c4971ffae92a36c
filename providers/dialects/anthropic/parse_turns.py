"""System prompt and messages of a caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from providers.canonical.answer import AnswerPart
from providers.canonical.request import (
    Media,
    Members,
    Native,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from providers.canonical.tokens import unseal
from providers.dialects.anthropic.blocks import (
    CARRIED,
    DIALECT,
    assistant_part,
    kind_of,
    present,
    text_block,
)
from providers.dialects.anthropic.ids import from_wire
from providers.dialects.anthropic.parse_media import document, image, search_result
from providers.dialects.anthropic.refusal import MALFORMED, refusal

P = TypeVar("P", bound=Part)


class Message(Struct):
    """One of `messages`."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Raw]
    # Of one message alone; in beta.
    output_config: Raw = Raw()
    clear_at: Raw = Raw()

    def extra(self) -> Members:
        if not (self.output_config or self.clear_at):
            return {}
        given = {"output_config": self.output_config, "clear_at": self.clear_at}
        return {name: raw for name, raw in given.items() if present(raw) is not None}


class _ToolResult(Struct):
    tool_use_id: str
    content: str | list[Raw] | None = None
    is_error: bool | None = None
    cache_control: Raw = Raw()


_tool_result = msgspec.json.Decoder(_ToolResult).decode


def parse_system(system: str | list[Raw] | None) -> Iterator[Turn]:
    if not system:
        return
    if isinstance(system, str):
        yield Turn("system", (Text(system),))
        return
    yield Turn("system", tuple(_each(system, "system", _system_part)))


def parse_turns(messages: Iterable[Message]) -> Iterator[Turn]:
    for index, message in enumerate(messages):
        content = message.content
        if isinstance(content, str):
            yield Turn(message.role, (Text(content),), extra=message.extra())
            continue
        place = f"messages[{index}].content"
        if message.role == "assistant":
            yield Turn("assistant", tuple(_assistant(content, place)), extra=message.extra())
        elif message.role == "system":
            yield Turn("system", tuple(_each(content, place, _system_part)), extra=message.extra())
        else:
            yield from _user(content, place, message.extra())


def _each(content: list[Raw], place: str, read: Callable[[Raw], P]) -> list[P]:
    found: list[P] = []
    try:
        for raw in content:
            found.append(read(raw))  # noqa: PERF401  # their number tells which one is malformed
    except MALFORMED as error:
        raise refusal(error, f"{place}[{len(found)}]") from error
    return found


def _system_part(raw: Raw) -> Part:
    kind = kind_of(raw).type
    return text_block(raw) if kind == "text" else Native(DIALECT, kind, raw)


def _assistant(content: list[Raw], place: str) -> Iterator[Part]:
    """Blocks in their order; a token that a thought carried for the block behind it goes there."""
    carried: Reasoning | None = None
    for part in map(_returned, _each(content, place, assistant_part)):
        if isinstance(part, Reasoning) and part.redacted and part.id in CARRIED.values():
            carried = part
            continue
        if carried is not None and isinstance(part, ToolCall | Text):
            part = replace(part, token=carried.token)
        carried = None
        yield part


def _returned(part: AnswerPart) -> AnswerPart:
    """A part as it was before a caller got it: with its own id, and its token's maker."""
    if isinstance(part, ToolCall):
        return replace(part, id=from_wire(part.id))
    if not isinstance(part, Reasoning) or part.token is None:
        return part
    token = unseal(part.token, DIALECT)
    # What the Responses API shows of thoughts is their summary.
    summary = token.origin == "openai_responses" and bool(part.text)
    return replace(
        part, summary=summary, token=token.token or None, origin=token.origin, id=token.id
    )


def _user(content: list[Raw], place: str, extra: Members) -> Iterator[Turn]:
    """Results of tools first, as the API itself wants them, each in a turn; then the rest."""
    rest: list[Part] = []
    for part in _each(content, place, _user_part):
        if isinstance(part, ToolResult):
            yield Turn("tool", (part,))
        else:
            rest.append(part)
    if rest:
        yield Turn("user", tuple(rest), extra=extra)


def _user_part(raw: Raw) -> Part:
    return _result(raw) if kind_of(raw).type == "tool_result" else _shown(raw)


def _shown(raw: Raw) -> Text | Media | Native:
    """What a user shows, or a tool."""
    match kind := kind_of(raw).type:
        case "text":
            return text_block(raw)
        case "image":
            return image(raw)
        case "document":
            return document(raw)
        case "search_result":
            return search_result(raw)
        case _:
            return Native(DIALECT, kind, raw)


def _result(raw: Raw) -> ToolResult:
    found = _tool_result(raw)
    content = found.content
    parts: list[Text | Media] = []
    if isinstance(content, str):
        parts.append(Text(content))
    else:
        for inner in content or ():
            part = _shown(inner)
            # A reference to a tool and the like: whoever else reads it must do with its JSON.
            parts.append(Text(bytes(part.raw).decode()) if isinstance(part, Native) else part)
    return ToolResult(
        from_wire(found.tool_use_id),
        tuple(parts),
        is_error=bool(found.is_error),
        cache=present(found.cache_control),
    )
