"""What a caller of the Messages API asks."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.request import ChatRequest, Format, Members, Thinking, ToolChoice
from providers.dialects.anthropic.blocks import DIALECT, present
from providers.dialects.anthropic.parse_tools import parse_tool_choice, parse_tools
from providers.dialects.anthropic.parse_turns import Message, parse_system, parse_turns
from providers.dialects.anthropic.refusal import refused_as
from schemas.requests import Request

# Fields of the common request -> what they are called here.
NAMES = {
    "turns": "messages",
    "stop": "stop_sequences",
    "user": "metadata.user_id",
    "format": "output_config.format",
    "effort": "output_config.effort",
    "reasoning": "thinking",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
}


class _Metadata(Struct):
    user_id: str | None = None


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class _Format(Struct):
    type: str
    schema: Raw = Raw()


class _OutputConfig(Struct):
    effort: str | None = None
    format: _Format | None = None


class _Body(Struct):
    model: str
    messages: list[Message]
    max_tokens: int | None = None
    system: str | list[Raw] | None = None
    stream: bool | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = Raw()
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None  # of the beta, still taken
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: _Metadata | None = None
    service_tier: str | None = None


_body = msgspec.json.Decoder(_Body).decode
_members = msgspec.json.Decoder(Members).decode
_KNOWN = frozenset(_Body.__struct_fields__)
_NO_CONFIG = _OutputConfig()


def parse(request: Request) -> ChatRequest:
    """InvalidRequest names the field that cannot be understood."""
    with refused_as(""):
        if not request.body.isascii():
            request.body.decode()
        body = _body(request.body)
        members = _members(request.body)
    config = body.output_config or _NO_CONFIG
    choice, parallel = parse_tool_choice(body.tool_choice)
    extra = _extra(members)
    return ChatRequest(
        dialect=DIALECT,
        model=body.model,
        turns=(*parse_system(body.system), *parse_turns(body.messages)),
        stream=bool(body.stream),
        tools=parse_tools(body.tools or [], extra),
        tool_choice=choice if body.tools or choice is None else _without_tools(choice),
        parallel_tool_calls=parallel,
        format=_format(config.format or body.output_format),
        thinking=_thinking(body.thinking, config.effort),
        max_tokens=body.max_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k,
        stop=tuple(body.stop_sequences or ()),
        user=body.metadata.user_id if body.metadata else None,
        service_tier=body.service_tier,
        extra=extra,
        names=NAMES,
    )


def _without_tools(choice: ToolChoice) -> ToolChoice | None:
    """`auto` and `none` say nothing if there is no tool."""
    return choice if choice.mode in ("required", "tool") else None


def _format(given: _Format | None) -> Format | None:
    """https://platform.claude.com/docs/en/build-with-claude/structured-outputs"""
    if given is None or given.type != "json_schema":
        return None
    return Format("schema", schema=present(given.schema), strict=True)


def _thinking(given: _Thinking | None, effort: str | None) -> Thinking | None:
    """https://platform.claude.com/docs/en/build-with-claude/thinking"""
    if given is None:
        return Thinking(effort=effort) if effort is not None else None
    if given.type in ("disabled", "between_tools"):
        return Thinking(enabled=False, effort=effort)
    visible = given.display != "omitted" if given.display is not None else None
    return Thinking(
        enabled=True,
        effort=effort,
        budget=given.budget_tokens,
        adaptive=given.type == "adaptive",
        visible=visible,
    )


def _extra(members: Members) -> Members:
    """What has no field, under its name, so that it can be said that it was left out."""
    found = {name: raw for name, raw in members.items() if name not in _KNOWN and present(raw)}
    for name, known in (("metadata", _Metadata), ("output_config", _OutputConfig)):
        if name in members and bytes(members[name]) != b"null":
            inner = _members(members[name])
            for key, raw in inner.items():
                if key not in known.__struct_fields__ and present(raw):
                    found[f"{name}.{key}"] = raw
    return found
