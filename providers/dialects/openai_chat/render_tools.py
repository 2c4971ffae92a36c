"""Tools for a provider, and the choice among them."""

from __future__ import annotations

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
from providers.dialects.openai_chat.write import Object


class _Grammar(Struct):
    """OpenAI Responses' form, which has on one level what chat has on two."""

    type: str | None = None
    syntax: str | None = None
    definition: str | None = None


_grammar = msgspec.json.Decoder(_Grammar).decode
_members = msgspec.json.Decoder(Members).decode


def render_tools(tools: tuple[Tool, ...], notes: Notes) -> Object:
    """`tools` and `web_search_options`, each if there is any."""
    found: Object = {}
    rendered: list[Object | Raw] = []
    for tool in tools:
        match tool:
            case Function():
                rendered.append(_function(tool, notes))
            case Custom():
                rendered.append(_custom(tool))
            case WebSearch():
                found["web_search_options"] = _web_search(tool, notes)
            case NativeTool(dialect="openai_chat"):
                rendered.append(tool.raw)
            case NativeTool():
                notes.meaningful("tools", f"the tool `{tool.kind}` is run by another provider")
    if rendered:
        found["tools"] = rendered
    return found


def _function(tool: Function, notes: Notes) -> Object:
    if tool.cache is not None:
        notes.harmless("cache_control")
    function: Object = {"name": tool.name}
    for name in ("description", "parameters", "strict"):
        if (value := getattr(tool, name)) is not None:
            function[name] = value
    for name in tool.extra:
        notes.harmless(f"tools.{name}")
    return {"type": "function", "function": function}


def _custom(tool: Custom) -> Object:
    custom: Object = {"name": tool.name}
    if tool.description is not None:
        custom["description"] = tool.description
    if tool.format is not None:
        custom["format"] = _nested(tool.format)
    return {"type": "custom", "custom": custom}


def _nested(raw: Raw) -> object:
    """A custom tool's format, as this dialect has it."""
    try:
        found = _grammar(raw)
    except (msgspec.DecodeError, RecursionError):
        return raw
    if found.type != "grammar" or found.definition is None:
        return raw
    grammar = {"syntax": found.syntax, "definition": found.definition}
    return {"type": "grammar", "grammar": grammar}


def _web_search(tool: WebSearch, notes: Notes) -> Object:
    """https://platform.openai.com/docs/guides/tools-web-search: of models that search in chat."""
    for name in ("allowed_domains", "blocked_domains"):
        if getattr(tool, name):
            notes.meaningful(f"tools.{name}", "a search here takes no domains")
    if tool.max_uses is not None:
        notes.harmless("tools.max_uses")
    found: Object = {}
    if tool.context_size is not None:
        found["search_context_size"] = tool.context_size
    if tool.user_location is not None and (location := _location(tool.user_location)):
        found["user_location"] = location
    return found


def _location(raw: Raw) -> Object | None:
    try:
        members = _members(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    kind = members.pop("type", Raw(b'"approximate"'))
    return {"type": kind, "approximate": members}


def render_choice(choice: ToolChoice, tools: tuple[Tool, ...]) -> object:
    """`tool_choice`."""
    if choice.mode == "tool" and choice.tool is not None:
        return _named(choice.tool, tools, choice.custom)
    if choice.mode == "tool":
        return "required"
    if choice.allowed:
        named = [_named(name, tools, False) for name in choice.allowed]
        return {
            "type": "allowed_tools",
            "allowed_tools": {"mode": choice.mode, "tools": named},
        }
    return choice.mode


def _named(name: str, tools: tuple[Tool, ...], custom: bool) -> Object:
    if custom or any(isinstance(tool, Custom) and tool.name == name for tool in tools):
        return {"type": "custom", "custom": {"name": name}}
    return {"type": "function", "function": {"name": name}}
