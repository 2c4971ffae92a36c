"""Requests for chat completions."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from sluice.sim import tokens
from sluice.sim.ask import (
    Ask,
    Call,
    Choice,
    Refused,
    Role,
    Schema,
    Tool,
    Turn,
    decoded,
    described,
    linked,
    talk,
)

_MAX_CHOICES = 128
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


class _Named(Struct):
    name: str = "function"
    parameters: Schema | None = None


class _Tool(Struct):
    type: str = "function"
    function: _Named | None = None
    custom: _Named | None = None


class _Url(Struct):
    url: str


class _Audio(Struct):
    data: str
    format: str


class _File(Struct):
    file_data: str | None = None
    file_id: str | None = None


class _Part(Struct):
    type: str = "text"
    text: str | None = None
    refusal: str | None = None
    image_url: _Url | None = None
    input_audio: _Audio | None = None
    file: _File | None = None


class _Detail(Struct):
    type: str
    text: str | None = None
    signature: str | None = None


class _Message(Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: list[msgspec.Raw] | None = None
    tool_call_id: str | None = None
    reasoning_details: list[_Detail] | None = None


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _JsonSchema(Struct):
    name: str
    schema: Schema = {}


class _Format(Struct):
    type: str
    json_schema: _JsonSchema | None = None


class _ToolChoice(Struct):
    type: str
    function: _Named | None = None
    custom: _Named | None = None


class _Body(Struct):
    model: str | None = None
    messages: list[_Message] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: _Format | None = None
    reasoning_effort: str | None = None
    metadata: dict[str, str] | None = None


_body = msgspec.json.Decoder(_Body)


def read(call: Call) -> Ask:
    """The request in a body; Refused as OpenAI does."""
    asked = decoded(_body, call.body)
    model = asked.model or ""
    turns = [_turn(message) for message in asked.messages or ()]
    _check(asked)
    form = asked.response_format
    return Ask(
        model=model,
        talk=talk(model, turns, call.key or (asked.metadata or {}).get("sim_key")),
        stream=bool(asked.stream),
        include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
        choices=asked.n or 1,
        limit=asked.max_completion_tokens or asked.max_tokens,
        stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
        tools=tuple(_tool(tool) for tool in asked.tools or ()),
        choice=_choice(asked.tool_choice),
        parallel=asked.parallel_tool_calls is not False,
        schema=form.json_schema.schema if form and form.json_schema else None,
        json=form is not None and form.type != "text",
        thinks=asked.reasoning_effort not in (None, "none"),
    )


def _check(asked: _Body) -> None:
    if not asked.model:
        raise Refused(400, "you must provide a model parameter")
    if asked.messages is None:
        raise Refused(400, "Missing required parameter: 'messages'.", "messages")
    if not asked.messages:
        raise Refused(400, "Invalid 'messages': empty array.", "messages")
    if asked.stream_options is not None and not asked.stream:
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refused(400, text, "stream_options")
    if asked.n is not None and not 1 <= asked.n <= _MAX_CHOICES:
        raise Refused(400, f"Invalid 'n': must be 1 to {_MAX_CHOICES}.", "n")
    _check_calls(asked.messages)


def _check_calls(messages: list[_Message]) -> None:
    """A tool's result must answer a call of the assistant before it."""
    called = False
    for number, message in enumerate(messages):
        if message.role == "tool" and not called:
            text = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
            raise Refused(400, text, f"messages.[{number}].role")
        called = bool(message.tool_calls) or (called and message.role == "tool")
        for detail in message.reasoning_details or ():
            if detail.signature is not None:
                signed = tokens.opened(detail.signature)
                if signed is None or detail.text not in (None, signed):
                    raise Refused(400, "Invalid reasoning signature.", f"messages.[{number}]")


def _turn(message: _Message) -> Turn:
    role = _ROLES.get(message.role)
    if role is None:
        raise Refused(400, f"Invalid value: {message.role[:100]!r}.", "messages.[0].role")
    if not isinstance(message.content, list):
        return Turn(role, message.content or "")
    return Turn(role, "".join(_part(part) for part in message.content))


def _part(part: _Part) -> str:
    if part.image_url is not None:
        return linked(part.image_url.url)
    if part.input_audio is not None:
        return described(f"audio/{part.input_audio.format}", part.input_audio.data)
    if part.file is not None:
        return linked(part.file.file_data or part.file.file_id or "", "file")
    if part.type in ("text", "refusal"):
        return part.text or part.refusal or ""
    raise Refused(400, f"Invalid value: {part.type[:100]!r}.", "messages")


def _tool(tool: _Tool) -> Tool:
    if tool.custom is not None:
        return Tool(tool.custom.name, kind="custom")
    if tool.function is None:
        return Tool("function")
    return Tool(tool.function.name, tool.function.parameters or {})


def _choice(choice: str | _ToolChoice | None) -> Choice:
    if isinstance(choice, _ToolChoice):
        named = choice.function or choice.custom
        return Choice("required", named.name if named else None)
    return Choice("none" if choice == "none" else "required" if choice == "required" else "auto")
