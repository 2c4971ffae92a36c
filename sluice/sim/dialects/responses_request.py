"""Requests in OpenAI's Responses."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

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

_ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
}
_KINDS = {"function_call": "function", "custom_tool_call": "custom", "local_shell_call": "shell"}
# Members that the answer repeats: https://platform.openai.com/docs/api-reference/responses/object
_TOLD = (
    "background",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
)


class _Audio(Struct):
    data: str
    format: str


class _Part(Struct):
    type: str
    text: str = ""
    refusal: str = ""
    image_url: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    input_audio: _Audio | None = None


class _Item(Struct):
    type: str = "message"
    role: str = ""
    content: str | list[_Part] | None = None
    call_id: str = ""
    output: str | list[_Part] = ""
    encrypted_content: str | None = None


class _Tool(Struct):
    type: str
    name: str = ""
    parameters: Schema | None = None


class _ToolChoice(Struct):
    type: str
    name: str | None = None
    mode: str = "auto"
    tools: list[_Tool] = []


class _Format(Struct):
    type: str
    schema: Schema = {}


class _Text(Struct):
    format: _Format | None = None


class _Reasoning(Struct):
    effort: str | None = None
    summary: str | None = None


class _Body(Struct):
    model: str | None = None
    input: str | list[_Item] | None = None
    instructions: str | list[_Item] | None = None
    stream: bool | None = None
    max_output_tokens: int | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None


_body = msgspec.json.Decoder(_Body)
_members = msgspec.json.Decoder(dict[str, Raw])


def read(call: Call) -> Ask:
    """Refused as OpenAI does."""
    asked = decoded(_body, call.body)
    if call.before and asked.input is not None:
        before = [msgspec.json.decode(item, type=_Item) for item in call.before]
        own = (
            asked.input
            if isinstance(asked.input, list)
            else [_Item(role="user", content=asked.input)]
        )
        asked.input = [*before, *own]
    _check(asked)
    model = asked.model or ""
    form = asked.text.format if asked.text else None
    effort = asked.reasoning.effort if asked.reasoning else None
    members = _members.decode(call.body)
    return Ask(
        model=model,
        talk=talk(model, _turns(asked), call.key or (asked.metadata or {}).get("sim_key")),
        stream=bool(asked.stream),
        limit=asked.max_output_tokens,
        tools=_tools(asked.tools or []),
        choice=_choice(asked.tool_choice),
        parallel=asked.parallel_tool_calls is not False,
        schema=form.schema if form and form.type == "json_schema" else None,
        json=form is not None and form.type != "text",
        thinks=asked.reasoning is not None and effort != "none",
        silently=asked.reasoning is None or asked.reasoning.summary is None,
        sealed="reasoning.encrypted_content" in (asked.include or ()),
        told={name: members[name] for name in _TOLD if name in members},
        body=call.body,
    )


def user_texts(body: bytes) -> list[str]:
    """What the user said: it is left when a conversation is compacted."""
    return [turn.text for turn in _turns(decoded(_body, body)) if turn.role == "user"]


def _check(asked: _Body) -> None:
    if not asked.model:
        raise Refused(
            400, "Missing required parameter: 'model'.", "model", "missing_required_parameter"
        )
    if asked.input is None:
        raise Refused(
            400, "Missing required parameter: 'input'.", "input", "missing_required_parameter"
        )
    items = asked.input if isinstance(asked.input, list) else []
    calls = {item.call_id for item in items if item.type in _KINDS}
    outputs = {item.call_id for item in items if item.type.endswith("_output")}
    if extra := outputs - calls:
        text = f"No tool call found for function call output with call_id {min(extra)[:100]}."
        raise Refused(400, text, "input")
    if missing := calls - outputs:
        raise Refused(400, f"No tool output found for function call {min(missing)[:100]}.", "input")
    for item in items:
        if item.encrypted_content is not None and tokens.opened(item.encrypted_content) is None:
            text = "The encrypted content could not be verified."
            raise Refused(400, text, "input", "invalid_encrypted_content")


def _turns(asked: _Body) -> list[Turn]:
    turns = []
    if isinstance(asked.instructions, str):
        turns.append(Turn("system", asked.instructions))
    if isinstance(asked.input, str):
        return [*turns, Turn("user", asked.input)]
    for item in asked.input or ():
        if item.type == "message":
            role = _ROLES.get(item.role)
            if role is None:
                raise Refused(400, f"Invalid value: {item.role[:100]!r}.", "input", "invalid_value")
            turns.append(Turn(role, _text(item.content or "")))
        elif item.type.endswith("_output"):
            turns.append(Turn("tool", _text(item.output)))
        elif item.type in _KINDS:
            turns.append(Turn("assistant", ""))
    return turns


def _text(content: str | list[_Part]) -> str:
    return content if isinstance(content, str) else "".join(_part(part) for part in content)


def _part(part: _Part) -> str:
    if part.input_audio is not None:
        return described(f"audio/{part.input_audio.format}", part.input_audio.data)
    if part.type == "input_image":
        return linked(part.image_url or part.file_id or "")
    if part.type == "input_file":
        return linked(part.file_data or part.file_url or part.file_id or "", "file")
    if part.type in ("input_text", "output_text", "refusal", "summary_text", "text"):
        return part.text or part.refusal
    raise Refused(400, f"Invalid value: {part.type[:100]!r}.", "input", "invalid_value")


def _tools(tools: list[_Tool]) -> tuple[Tool, ...]:
    """Those that the caller runs."""
    found = []
    for tool in tools:
        if tool.type == "function":
            found.append(Tool(tool.name, tool.parameters or {}))
        elif tool.type == "custom":
            found.append(Tool(tool.name, kind="custom"))
        elif tool.type == "local_shell":
            found.append(Tool(tool.type, kind="shell"))
    return tuple(found)


def _choice(choice: str | _ToolChoice | None) -> Choice:
    if isinstance(choice, _ToolChoice):
        if choice.type == "allowed_tools":
            only = choice.tools[0].name if choice.tools else None
            return Choice("required" if choice.mode == "required" else "auto", only)
        return Choice("required", choice.name)
    return Choice("none" if choice == "none" else "required" if choice == "required" else "auto")
