"""Tools for a provider: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from providers.canonical.notes import Notes
from providers.canonical.request import (
    ChatRequest,
    Custom,
    Function,
    Media,
    NativeTool,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    WebSearch,
)
from providers.dialects.anthropic.blocks import DIALECT
from providers.dialects.anthropic.json_schema import closed
from providers.dialects.anthropic.models import Abilities
from providers.dialects.anthropic.refusal import refused_as
from providers.dialects.anthropic.shape import Shape
from providers.dialects.anthropic.write_blocks import Block

# Further members of a function that the API knows; those of others are left out.
_MEMBERS = frozenset(
    {
        *("allowed_callers", "defer_loading", "eager_input_streaming", "input_examples", "type"),
    }
)
_NO_ARGUMENTS: Block = {"type": "object", "properties": {}}
_FREE_TEXT: Block = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_MODES = {"auto": "auto", "required": "any", "none": "none"}


def render_tools(chat: ChatRequest, able: Abilities, shape: Shape, notes: Notes) -> list[Block]:
    """The tools that may be called. A choice of some is made by leaving out the others."""
    choice = chat.tool_choice
    allowed = frozenset(choice.allowed) if choice is not None else frozenset()
    found = []
    for tool in chat.tools:
        if allowed and isinstance(tool, Function | Custom) and tool.name not in allowed:
            continue
        if (block := _tool(tool, able, shape, notes)) is not None:
            found.append(block)
    return found or list(_called(chat, shape))


def _called(chat: ChatRequest, shape: Shape) -> Iterator[Block]:
    """A conversation with calls must define tools, also when none may be called any more."""
    names = dict.fromkeys(
        part.name for turn in chat.turns for part in turn.parts if isinstance(part, ToolCall)
    )
    for name in names:
        yield {"name": shape.wire.get(name, name), "input_schema": _NO_ARGUMENTS}


def _tool(tool: Tool, able: Abilities, shape: Shape, notes: Notes) -> Block | None:
    match tool:
        case Function():
            return _function(tool, able, shape, notes)
        case Custom():
            return _custom(tool, shape, notes)
        case WebSearch():
            return _web_search(tool, notes)
        case NativeTool():
            if tool.dialect == DIALECT:
                return {"raw": tool.raw}
            notes.meaningful("tools", f"it has no tool of the type {tool.kind}")
            return None


def _function(tool: Function, able: Abilities, shape: Shape, notes: Notes) -> Block:
    block: Block = {"name": shape.wire.get(tool.name, tool.name)}
    if tool.description is not None:
        block["description"] = tool.description
    strict = closed(tool.parameters) if tool.strict and able.schema and tool.parameters else None
    block["input_schema"] = strict or _schema(tool.parameters)
    if strict is not None:
        block["strict"] = True
    elif tool.strict:
        notes.harmless("tools.strict")  # the model still reads the schema
    if tool.cache is not None:
        block["cache_control"] = tool.cache
    for name, value in tool.extra.items():
        if name in _MEMBERS:
            block[name] = value
        else:
            notes.harmless(f"tools.{name}")
    return block


def _schema(parameters: Raw | None) -> object:
    """A schema must say that it is of an object."""
    if parameters is None:
        return _NO_ARGUMENTS
    with refused_as("tools"):
        members = _members(parameters)
    return parameters if "type" in members else {"type": "object", **members}


def _custom(tool: Custom, shape: Shape, notes: Notes) -> Block:
    """A function with one text. What it must be like can only be said in words."""
    description = tool.description or ""
    if tool.format is not None and b'"grammar"' in bytes(tool.format):
        notes.harmless("tools.format")
        grammar = bytes(tool.format).decode()
        description = f"{description}\n\nThe input must match this format: {grammar}".strip()
    block: Block = {"name": shape.wire.get(tool.name, tool.name)}
    if description:
        block["description"] = description
    block["input_schema"] = _FREE_TEXT
    return block


def _web_search(tool: WebSearch, notes: Notes) -> Block:
    """https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool"""
    if tool.context_size is not None:
        notes.harmless("search_context_size")
    block: Block = {"type": "web_search_20250305", "name": "web_search"}
    if tool.allowed_domains:
        block["allowed_domains"] = tool.allowed_domains
    if tool.blocked_domains:
        block["blocked_domains"] = tool.blocked_domains
    if tool.max_uses is not None:
        block["max_uses"] = tool.max_uses
    if tool.user_location is not None:
        block["user_location"] = tool.user_location
    return block


def render_tool_choice(
    chat: ChatRequest, able: Abilities, shape: Shape, notes: Notes
) -> Block | None:
    """None: the model decides, and the caller said no more."""
    choice = chat.tool_choice
    if not chat.tools:
        called = any(isinstance(part, ToolCall) for turn in chat.turns for part in turn.parts)
        return {"type": "none"} if called else None
    if choice is not None and choice.mode in ("required", "tool") and not able.forced_tool:
        notes.meaningful("tool_choice", "this model cannot be made to call a tool")
        choice = None
    block = _choice(choice, shape) if choice is not None else None
    if chat.parallel_tool_calls is not None and (block is None or block["type"] != "none"):
        block = block or {"type": "auto"}
        block["disable_parallel_tool_use"] = not chat.parallel_tool_calls
    return block


def _choice(choice: ToolChoice, shape: Shape) -> Block:
    if choice.mode == "tool" and choice.tool is not None:
        return {"type": "tool", "name": shape.wire.get(choice.tool, choice.tool)}
    return {"type": _MODES.get(choice.mode, "auto")}


def has_files(chat: ChatRequest) -> bool:
    """Whether the provider must look up files of its own."""
    parts = (part for turn in chat.turns for part in turn.parts)
    return any(
        isinstance(shown, Media) and shown.file_id is not None
        for part in parts
        for shown in (part.parts if isinstance(part, ToolResult) else (part,))
    )
