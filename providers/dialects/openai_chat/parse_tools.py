"""Tools of a caller, and the choice among them."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from providers.canonical.decode import decoded, given, invalid, members, others
from providers.canonical.request import (
    Custom,
    Function,
    Members,
    NativeTool,
    Tool,
    ToolChoice,
    WebSearch,
)
from providers.dialects.openai_chat.details import DIALECT


class _Function(Struct):
    name: str
    description: str | None = None
    parameters: Raw = Raw()
    strict: bool | None = None


class _Custom(Struct):
    name: str
    description: str | None = None
    format: Raw = Raw()


class _Tool(Struct):
    type: str | None = None  # Mistral's SDK sends none
    function: Raw = Raw()
    custom: Raw = Raw()
    cache_control: Raw = Raw()


class _Named(Struct):
    name: str


class _Allowed(Struct):
    mode: str
    tools: list[_Choice]


class _Choice(Struct):
    type: str | None = None
    name: str | None = None  # of legacy `function_call`
    function: _Named | None = None
    custom: _Named | None = None
    allowed_tools: _Allowed | None = None


class _Location(Struct):
    type: str = "approximate"
    approximate: Members | None = None


class _WebSearch(Struct):
    search_context_size: str | None = None
    user_location: _Location | None = None


_function = msgspec.json.Decoder(_Function)
_custom = msgspec.json.Decoder(_Custom)
_tool = msgspec.json.Decoder(_Tool)
_choice = msgspec.json.Decoder(str | _Choice)
_web_search = msgspec.json.Decoder(_WebSearch)
_encode = msgspec.json.Encoder().encode
_FUNCTION = frozenset(_Function.__struct_fields__)
_TOOL = frozenset(_Tool.__struct_fields__)
_WEB_SEARCH = frozenset(_WebSearch.__struct_fields__)
_MODES: dict[str, Literal["auto", "none", "required"]] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
    "any": "required",  # https://docs.mistral.ai/capabilities/function_calling
}


def parse_tools(raws: list[Raw]) -> tuple[Tool, ...]:
    """The tools of `tools`."""
    return tuple(_parsed(raw, f"tools[{index}]") for index, raw in enumerate(raws))


def parse_functions(raws: list[Raw]) -> tuple[Tool, ...]:
    """Those of `functions`, the form before `tools`."""
    return tuple(_to_function(raw, f"functions[{index}]") for index, raw in enumerate(raws))


def _parsed(raw: Raw, place: str) -> Tool:
    tool = decoded(_tool, raw, place)
    if tool.type == "function" or (tool.type is None and tool.function):
        extra = others(decoded(members, raw, place), _TOOL)
        found = _to_function(tool.function, f"{place}.function")
        cache = given(tool.cache_control)
        return msgspec.structs.replace(found, cache=cache, extra={**found.extra, **extra})
    if tool.type == "custom":
        custom = decoded(_custom, tool.custom or Raw(b"null"), f"{place}.custom")
        return Custom(custom.name, custom.description, given(custom.format))
    if tool.type is None:
        raise invalid(f"{place}.type", "is required")
    return NativeTool(DIALECT, tool.type, raw)


def _to_function(raw: Raw, place: str) -> Function:
    found = decoded(_function, raw or Raw(b"null"), place)
    return Function(
        found.name,
        found.description,
        given(found.parameters),
        found.strict,
        extra=others(decoded(members, raw, place), _FUNCTION),
    )


def parse_choice(raw: Raw, place: str) -> ToolChoice:
    """`tool_choice` in any of its forms, and `function_call`."""
    choice = decoded(_choice, raw, place)
    if isinstance(choice, str):
        if (mode := _MODES.get(choice)) is None:
            raise invalid(place, f"there is no choice `{choice}`")
        return ToolChoice(mode)
    if (allowed := choice.allowed_tools) is not None:
        names = tuple(name for tool in allowed.tools if (name := _name(tool)))
        mode = "required" if allowed.mode == "required" else "auto"
        return ToolChoice(mode, allowed=names)
    if (name := _name(choice)) is None:
        raise invalid(place, "names no tool")
    return ToolChoice("tool", name, custom=choice.custom is not None)


def _name(choice: _Choice) -> str | None:
    named = choice.function or choice.custom
    return named.name if named is not None else choice.name


def parse_web_search(raw: Raw, extra: Members) -> WebSearch:
    """`web_search_options`: https://platform.openai.com/docs/guides/tools-web-search."""
    place = "web_search_options"
    found = decoded(_web_search, raw, place)
    extra.update(others(decoded(members, raw, place), _WEB_SEARCH, f"{place}."))
    location = None
    if (given_location := found.user_location) is not None:
        known = {"type": given_location.type, **(given_location.approximate or {})}
        location = Raw(_encode(known))
    return WebSearch(context_size=found.search_context_size, user_location=location)
