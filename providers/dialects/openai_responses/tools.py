"""Tools and the choice among them, to the canonical middle and from it."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from providers.canonical.notes import Notes
from providers.canonical.request import (
    Custom,
    Function,
    Members,
    NativeTool,
    Tool,
    ToolChoice,
    WebSearch,
)
from providers.dialects.openai_responses.carrier import DIALECT
from providers.dialects.openai_responses.decode import (
    decoded,
    encode,
    given,
    invalid,
    members,
    others,
)

Object = dict[str, object]


class _Filters(Struct):
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class _Tool(Struct):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: Raw = Raw()
    strict: bool | None = None
    format: Raw = Raw()
    filters: _Filters | None = None
    search_context_size: str | None = None
    user_location: Raw = Raw()


class _Choice(Struct):
    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[_Choice] | None = None


class _Nested(Struct):
    """The form of OpenAI chat, which puts the grammar one level lower."""

    type: str | None = None
    grammar: Raw = Raw()


_tool = msgspec.json.Decoder(_Tool)
_choice = msgspec.json.Decoder(str | _Choice)
_nested = msgspec.json.Decoder(_Nested)
_MODES: tuple[Literal["auto", "none", "required"], ...] = ("auto", "none", "required")
_FUNCTION = frozenset({"type", "name", "description", "parameters", "strict"})
_CUSTOM = frozenset({"type", "name", "description", "format"})
_SEARCH = frozenset({"type", "filters", "search_context_size", "user_location"})


def parse_tools(raws: list[Raw], extra: Members) -> tuple[Tool, ...]:
    """The tools; what a tool says that has no place goes into `extra`."""
    return tuple(_parsed(raw, f"tools[{index}]", extra) for index, raw in enumerate(raws))


def _parsed(raw: Raw, place: str, extra: Members) -> Tool:
    tool = decoded(_tool, raw, place)
    found = decoded(members, raw, place)
    if tool.type == "function":
        return Function(
            _name(tool, place),
            tool.description,
            tool.parameters if given(tool.parameters) else None,
            tool.strict,
            extra=others(found, _FUNCTION, ""),
        )
    if tool.type == "custom":
        extra.update(others(found, _CUSTOM, "tools."))
        return Custom(
            _name(tool, place), tool.description, tool.format if given(tool.format) else None
        )
    if tool.type.startswith("web_search"):  # also web_search_preview and dated names
        extra.update(others(found, _SEARCH, "tools."))
        filters = tool.filters or _Filters()
        return WebSearch(
            tuple(filters.allowed_domains or ()),
            tuple(filters.blocked_domains or ()),
            context_size=tool.search_context_size,
            user_location=tool.user_location if given(tool.user_location) else None,
        )
    return NativeTool(DIALECT, tool.type, raw)


def _name(tool: _Tool, place: str) -> str:
    if not tool.name:
        raise invalid(f"{place}.name", "is required")
    return tool.name


def parse_choice(raw: Raw, extra: Members) -> ToolChoice:
    """The choice among the tools; one that the provider runs goes by its type."""
    choice = decoded(_choice, raw, "tool_choice")
    if isinstance(choice, str):
        for mode in _MODES:
            if choice == mode:
                return ToolChoice(mode)
        raise invalid("tool_choice", f"there is no choice `{choice}`")
    if choice.type == "allowed_tools":
        names = tuple(tool.name or tool.type for tool in choice.tools or ())
        return ToolChoice("required" if choice.mode == "required" else "auto", allowed=names)
    if choice.type in ("function", "custom"):
        if not choice.name:
            raise invalid("tool_choice.name", "is required")
        return ToolChoice("tool", choice.name, custom=choice.type == "custom")
    known = frozenset({"type"})
    extra.update(others(decoded(members, raw, "tool_choice"), known, "tool_choice."))
    return ToolChoice("tool", choice.type)


def render_tool(tool: Tool, notes: Notes, own: bool) -> Object | Raw | None:
    """A tool; None if it must be left out. `own`: the caller speaks this dialect, too."""
    if isinstance(tool, Function):
        if tool.cache is not None:
            notes.harmless("cache_control")
        return _function(tool, notes, own)
    if isinstance(tool, Custom):
        found: Object = {"type": "custom", "name": tool.name}
        if tool.description is not None:
            found["description"] = tool.description
        if tool.format is not None:
            found["format"] = _flat(tool.format)
        return found
    if isinstance(tool, WebSearch):
        return _search(tool, notes, own)
    if tool.dialect == DIALECT:
        return tool.raw
    notes.meaningful("tools", f"the tool `{tool.kind}` is run by another provider")
    return None


def _function(tool: Function, notes: Notes, own: bool) -> Object:
    found: Object = {"type": "function", "name": tool.name}
    if tool.description is not None:
        found["description"] = tool.description
    found["parameters"] = tool.parameters
    if tool.strict is not None:
        found["strict"] = tool.strict
    elif not own:
        # Here functions are strict unless they say otherwise; elsewhere it is the other way round.
        # https://platform.openai.com/docs/guides/migrate-to-responses
        found["strict"] = False
    for name, raw in tool.extra.items():
        if own:
            found[name] = raw
        else:
            notes.harmless(name)
    return found


def _flat(raw: Raw) -> Raw | Object:
    """A custom tool's format, as this dialect has it."""
    try:
        nested = _nested.decode(raw)
        if given(nested.grammar):
            return {"type": nested.type, **members.decode(nested.grammar)}
    except (msgspec.DecodeError, RecursionError):
        pass  # not as OpenAI chat has it
    return raw


def _search(tool: WebSearch, notes: Notes, own: bool) -> Object:
    found: Object = {"type": "web_search"}
    filters: Object = {}
    if tool.allowed_domains:
        filters["allowed_domains"] = tool.allowed_domains
    if tool.blocked_domains:
        if own:
            filters["blocked_domains"] = tool.blocked_domains
        else:
            notes.meaningful("blocked_domains")
    if filters:
        found["filters"] = filters
    if tool.max_uses is not None:
        notes.harmless("max_uses")
    if tool.context_size is not None:
        found["search_context_size"] = tool.context_size
    if tool.user_location is not None:
        found["user_location"] = tool.user_location
    return found


def render_choice(choice: ToolChoice, tools: tuple[Tool, ...]) -> str | Object:
    """`tool_choice`."""
    if choice.mode == "tool":
        if choice.tool is None:
            return "required"
        return _named(choice.tool, tools, choice.custom)
    if choice.allowed:
        named = [_named(name, tools, False) for name in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": named}
    return choice.mode


def _named(name: str, tools: tuple[Tool, ...], custom: bool) -> Object:
    function = any(isinstance(tool, Function) and tool.name == name for tool in tools)
    text = any(isinstance(tool, Custom) and tool.name == name for tool in tools)
    if custom or (text and not function):
        return {"type": "custom", "name": name}
    hosted = any(isinstance(tool, NativeTool) and tool.kind == name for tool in tools) or any(
        isinstance(tool, WebSearch) and name.startswith("web_search") for tool in tools
    )
    return {"type": name} if hosted and not function else {"type": "function", "name": name}


def encoded(found: Object | Raw | str) -> Raw:
    """A member's value."""
    return found if isinstance(found, Raw) else Raw(encode(found))
