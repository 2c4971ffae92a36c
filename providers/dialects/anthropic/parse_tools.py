"""Tools of a caller: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.request import (
    Function,
    Members,
    NativeTool,
    Tool,
    ToolChoice,
    WebSearch,
)
from providers.dialects.anthropic.blocks import DIALECT, present
from providers.dialects.anthropic.refusal import refused_as
from schemas.errors import InvalidRequest


class _Kind(Struct):
    type: str | None = None


class _Function(Struct):
    name: str
    input_schema: Raw
    description: str | None = None
    strict: bool | None = None
    cache_control: Raw = Raw()
    type: str | None = None


class _WebSearch(Struct):
    type: str
    name: str
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    max_uses: int | None = None
    user_location: Raw = Raw()
    cache_control: Raw = Raw()


class _Choice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


_kind = msgspec.json.Decoder(_Kind).decode
_function = msgspec.json.Decoder(_Function).decode
_web_search = msgspec.json.Decoder(_WebSearch).decode
_choice = msgspec.json.Decoder(_Choice | None).decode
_members = msgspec.json.Decoder(Members).decode
_FUNCTION = frozenset(_Function.__struct_fields__)
_WEB_SEARCH = frozenset(_WebSearch.__struct_fields__)


def parse_tools(tools: list[Raw], extra: Members) -> tuple[Tool, ...]:
    """What a search is told that has no field goes to `extra`."""
    found = []
    for index, raw in enumerate(tools):
        with refused_as(f"tools[{index}]"):
            found.append(_tool(raw, extra))
    return tuple(found)


def _tool(raw: Raw, extra: Members) -> Tool:
    kind = _kind(raw).type
    if kind is None or kind == "custom":
        return _to_function(raw)
    if kind.startswith("web_search_20"):
        return _to_web_search(raw, extra)
    return NativeTool(DIALECT, kind, raw)


def _to_function(raw: Raw) -> Function:
    found = _function(raw)
    return Function(
        found.name,
        found.description,
        found.input_schema,
        found.strict,
        present(found.cache_control),
        _others(raw, _FUNCTION),
    )


def _to_web_search(raw: Raw, extra: Members) -> WebSearch:
    found = _web_search(raw)
    for name, value in _others(raw, _WEB_SEARCH).items():
        extra[f"tools.{name}"] = value
    return WebSearch(
        tuple(found.allowed_domains or ()),
        tuple(found.blocked_domains or ()),
        found.max_uses,
        user_location=present(found.user_location),
    )


def _others(raw: Raw, known: frozenset[str]) -> Members:
    """Members that have no field."""
    members = _members(raw)
    if members.keys() <= known:
        return {}
    return {name: value for name, value in members.items() if name not in known and present(value)}


def parse_tool_choice(raw: Raw) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether tools may be called in parallel."""
    with refused_as("tool_choice"):
        found = _choice(raw) if raw else None
    if found is None:
        return None, None
    serial = found.disable_parallel_tool_use
    parallel = None if serial is None else not serial
    if found.type not in (*_CHOICES, "tool"):
        raise InvalidRequest(
            "`tool_choice.type` must be auto, any, tool or none.", param="tool_choice.type"
        )
    if found.type == "tool":
        if not found.name:
            raise InvalidRequest("`tool_choice.name` is required.", param="tool_choice.name")
        return ToolChoice("tool", found.name), parallel
    return _CHOICES[found.type], parallel


_CHOICES = {
    "auto": ToolChoice("auto"),
    "any": ToolChoice("required"),
    "none": ToolChoice("none"),
}
