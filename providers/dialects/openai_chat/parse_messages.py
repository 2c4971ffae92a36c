"""Messages of a caller: https://platform.openai.com/docs/api-reference/chat/create."""

from __future__ import annotations

from typing import get_args

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from providers.canonical.decode import decoded, given, invalid, members, others
from providers.canonical.request import (
    Media,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from providers.dialects.openai_chat.annotations import citation
from providers.dialects.openai_chat.calls import TEXT, Call, Function, arguments_of, signature_of
from providers.dialects.openai_chat.details import (
    FIELDS,
    Entry,
    in_field,
    parse_details,
    says_all,
)
from providers.dialects.openai_chat.parse_parts import Content, Said, parse_content


class _AudioId(Struct):
    id: str


class _Message(Struct):
    role: str
    content: Content = None
    name: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    function_call: Function | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Entry] | None = None
    audio: _AudioId | None = None
    annotations: list[Raw] | None = None
    cache_control: Raw = Raw()


_message = msgspec.json.Decoder(_Message)
_KNOWN = frozenset(_Message.__struct_fields__)
_ROLES: tuple[Role, ...] = get_args(Role)


def parse_messages(raws: list[Raw]) -> tuple[Turn, ...]:
    """The conversation; InvalidRequest names the message that cannot be understood."""
    parsing = _Parsing()
    return tuple(parsing.turn(raw, f"messages[{index}]") for index, raw in enumerate(raws))


class _Parsing:
    __slots__ = ("_custom", "_legacy")

    def __init__(self) -> None:
        self._custom: set[str] = set()  # ids of calls of custom tools
        self._legacy: list[ToolCall] = []  # calls of the form before tools, which have no ids

    def turn(self, raw: Raw, place: str) -> Turn:
        message = decoded(_message, raw, place)
        extra = others(decoded(members, raw, place), _KNOWN)
        said = list(parse_content(message.content, f"{place}.content", extra))
        if message.role in ("tool", "function"):
            return Turn("tool", (self._result(message, said, place),), extra=extra)
        for role in _ROLES:
            if message.role == role:
                break
        else:
            raise invalid(f"{place}.role", f"there is no role `{message.role}`")
        parts: list[Part] = [*said]
        if role == "assistant":
            parts = self._spoken(message, said, place)
        return Turn(role, _cached(parts, given(message.cache_control)), message.name, extra=extra)

    def _result(self, message: _Message, said: list[Said], place: str) -> ToolResult:
        kept = tuple(part for part in said if isinstance(part, Text | Media))
        if len(kept) < len(said):
            raise invalid(f"{place}.content", "a tool's message holds text, images and files only")
        cache = given(message.cache_control)
        if message.role == "function":
            return ToolResult(self._answered(message, place), kept, message.name, cache=cache)
        if (call_id := message.tool_call_id) is None:
            raise invalid(f"{place}.tool_call_id", "is required")
        custom = call_id in self._custom
        return ToolResult(call_id, kept, message.name, custom=custom, cache=cache)

    def _answered(self, message: _Message, place: str) -> str:
        """The call that a legacy result belongs to: the first of its name that has none yet."""
        for call in self._legacy:
            if call.name == message.name:
                self._legacy.remove(call)
                return call.id
        raise invalid(f"{place}.name", "there is no function call of this name before it")

    def _spoken(self, message: _Message, said: list[Said], place: str) -> list[Part]:
        # An empty content says that there are only calls or thoughts.
        spoken = [part for part in said if not (isinstance(part, Text) and not part.text)]
        parts: list[Part] = [*_thoughts(message), *spoken]
        if message.annotations:
            _cite(parts, message.annotations)
        if message.refusal:
            parts.append(Refusal(message.refusal))
        if message.audio is not None:
            parts.append(Media("audio", file_id=message.audio.id))
        for index, call in enumerate(message.tool_calls or ()):
            parts.append(self._call(call, f"{place}.tool_calls[{index}]"))
        if (function := message.function_call) is not None:
            name = _required(function.name, f"{place}.function_call.name")
            call_id = f"call_{place.removeprefix('messages[').removesuffix(']')}_{name}"
            arguments = _arguments(function.arguments, f"{place}.function_call.arguments")
            made = ToolCall(call_id, name, arguments)
            self._legacy.append(made)
            parts.append(made)
        return parts

    def _call(self, call: Call, place: str) -> ToolCall:
        call_id = _required(call.id, f"{place}.id")
        if call.custom is not None:
            self._custom.add(call_id)
            name = _required(call.custom.name, f"{place}.custom.name")
            return ToolCall(call_id, name, call.custom.input or "", custom=True)
        if call.function is None:
            raise invalid(f"{place}.function", "is required")
        name = _required(call.function.name, f"{place}.function.name")
        arguments = _arguments(call.function.arguments, f"{place}.function.arguments")
        return ToolCall(call_id, name, arguments, token=signature_of(call.extra_content))


def _arguments(raw: Raw, place: str) -> str:
    return decoded(TEXT, raw, place) if bytes(raw).startswith(b'"') else arguments_of(raw)


def _required(value: str | None, place: str) -> str:
    if not value:
        raise invalid(place, "is required")
    return value


def _thoughts(message: _Message) -> list[Reasoning]:
    """Where they stand in several fields, all of these say the same; the details say more."""
    entries = message.reasoning_details or []
    field = next((name for name in FIELDS if getattr(message, name)), None)
    if field is None or says_all(entries):
        return parse_details(entries)
    return [in_field(getattr(message, field), field), *parse_details(entries)]


def _cite(parts: list[Part], annotations: list[Raw]) -> None:
    """Citations belong to the last text; without any there is nothing that they could support."""
    for position in range(len(parts) - 1, -1, -1):
        part = parts[position]
        if isinstance(part, Text):
            parts[position] = replace(part, citations=tuple(map(citation, annotations)))
            return


def _cached(parts: list[Part], cache: Raw | None) -> tuple[Part, ...]:
    """A message's own cache mark is that of its last part."""
    if cache is not None and parts and isinstance(last := parts[-1], Text | Media | ToolCall):
        parts[-1] = replace(last, cache=last.cache or cache)
    return tuple(parts)
