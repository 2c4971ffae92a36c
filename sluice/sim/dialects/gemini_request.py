"""Requests in Gemini's generateContent."""

from __future__ import annotations

import base64
import re
from typing import TypeVar

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
from sluice.sim.base import encode

_ROLES: dict[str, Role] = {"user": "user", "model": "assistant", "function": "tool", "": "user"}
# For calls that another model made: https://ai.google.dev/gemini-api/docs/thought-signatures
_UNSIGNED = ("context_engineering_is_the_way_to_go", "skip_thought_signature_validator")
_UNCHECKED = frozenset(
    word for text in _UNSIGNED for word in (text, base64.b64encode(text.encode()).decode())
)


class _Named(Struct, rename="camel"):
    name: str
    response: Schema | None = None
    parameters: Schema | None = None
    parameters_json_schema: Schema | None = None


class _Blob(Struct, rename="camel"):
    mime_type: str = ""
    data: str = ""
    file_uri: str = ""


class _Part(Struct, rename="camel"):
    text: str | None = None
    thought: bool = False
    thought_signature: str | None = None
    inline_data: _Blob | None = None
    file_data: _Blob | None = None
    function_call: _Named | None = None
    function_response: _Named | None = None


class _Content(Struct):
    parts: list[_Part] = []
    role: str = ""


class _Tool(Struct, rename="camel"):
    function_declarations: list[_Named] = []


class _Calling(Struct, rename="camel"):
    mode: str = "AUTO"
    allowed_function_names: list[str] = []


class _ToolConfig(Struct, frozen=True, rename="camel"):
    function_calling_config: _Calling | None = None


class _Thinking(Struct, rename="camel"):
    include_thoughts: bool = False
    thinking_budget: int | None = None
    thinking_level: str | None = None


class _Config(Struct, frozen=True, rename="camel"):
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] = []
    response_mime_type: str = "text/plain"
    response_schema: Schema | None = None
    response_json_schema: Schema | None = None
    thinking_config: _Thinking | None = None


class _Body(Struct, rename="camel"):
    contents: list[_Content] | _Content = []
    system_instruction: _Content | str | None = None
    generation_config: _Config = _Config()
    tools: list[_Tool] = []
    tool_config: _ToolConfig = _ToolConfig()


class _Count(Struct, rename="camel"):
    contents: list[_Content] | _Content = []
    generate_content_request: _Body | None = None


# Models that do not insist on signatures, as the same page says.
_LENIENT = re.compile(r"gemini-[12]\.")
_T = TypeVar("_T")
_body = msgspec.json.Decoder(_Body)
_count = msgspec.json.Decoder(_Count)
_SNAKE = re.compile(rb'"[a-z]+_[a-z_]+"\s*:')
# What the caller's own names stand in.
_FREE = frozenset(
    {
        *("args", "response", "parameters", "parametersJsonSchema"),
        *("responseSchema", "responseJsonSchema"),
    }
)


def _read(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    """Members may be written either way, and Google's SDK does both in one request:
    https://protobuf.dev/programming-guides/json/"""
    if _SNAKE.search(body) is None:
        return decoded(decoder, body)
    return decoded(decoder, encode(_camel(decoded(_any, body))))


_any = msgspec.json.Decoder[object]()


def _camel(value: object) -> object:
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    named = {_hump(name): one for name, one in value.items()}
    return {name: one if name in _FREE else _camel(one) for name, one in named.items()}


def _hump(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _standard(data: str) -> str:
    """Base64 may be written for URLs, too."""
    return data.replace("-", "+").replace("_", "/")


def read(call: Call) -> Ask:
    """Refused as Gemini does."""
    asked = _read(_body, call.body)
    contents = _listed(asked.contents)
    if not contents:
        raise Refused(400, "* GenerateContentRequest.contents: contents is not specified")
    config = asked.generation_config
    thinks = _thinks(config.thinking_config)
    _check_signatures(contents, thinks and _LENIENT.match(call.model) is None)
    return Ask(
        model=call.model,
        talk=talk(call.model, _turns(asked, contents), call.key),
        stream=call.stream,
        choices=config.candidate_count or 1,
        limit=config.max_output_tokens,
        stop=tuple(config.stop_sequences),
        tools=tuple(_tool(one) for tool in asked.tools for one in tool.function_declarations),
        choice=_choice(asked.tool_config.function_calling_config),
        schema=config.response_json_schema or config.response_schema,
        json=config.response_mime_type == "application/json",
        thinks=thinks,
        silently=config.thinking_config is not None and not config.thinking_config.include_thoughts,
    )


def read_for_count(call: Call) -> Ask:
    """A request whose tokens are to be counted: bare contents, or a whole request."""
    asked = _read(_count, call.body)
    inner = asked.generate_content_request or _Body(contents=asked.contents)
    turns = _turns(inner, _listed(inner.contents))
    return Ask(model=call.model, talk=talk(call.model, turns, call.key))


def _listed(contents: list[_Content] | _Content) -> list[_Content]:
    return contents if isinstance(contents, list) else [contents]


def _thinks(config: _Thinking | None) -> bool:
    if config is None:
        return False
    return config.thinking_budget != 0


def _turns(asked: _Body, contents: list[_Content]) -> list[Turn]:
    turns = []
    if isinstance(asked.system_instruction, str):
        turns.append(Turn("system", asked.system_instruction))
    elif asked.system_instruction is not None:
        turns.append(Turn("system", _text(asked.system_instruction.parts)))
    for content in contents:
        if content.role not in _ROLES:
            raise Refused(400, "Please use a valid role: user, model.")
        results = [part for part in content.parts if part.function_response is not None]
        turns += [Turn("tool", _result(part.function_response)) for part in results]
        rest = [part for part in content.parts if part.function_response is None]
        if rest:
            turns.append(Turn(_ROLES[content.role], _text(rest)))
    return turns


def _text(parts: list[_Part]) -> str:
    return "".join(_part(part) for part in parts if not part.thought)


def _part(part: _Part) -> str:
    if part.inline_data is not None:
        return described(part.inline_data.mime_type, _standard(part.inline_data.data))
    if part.file_data is not None:
        kind = part.file_data.mime_type.partition("/")[0]
        return linked(part.file_data.file_uri, kind if kind in ("image", "audio") else "file")
    return part.text or ""


def _result(response: _Named | None) -> str:
    """What a function gave: Google asks for the members `output` or `result`, and takes any."""
    found = (response.response if response else None) or {}
    only = found.get("output", found.get("result")) if len(found) == 1 else None
    return only if isinstance(only, str) else encode(found if only is None else only).decode()


def _tool(declared: _Named) -> Tool:
    schema = declared.parameters_json_schema or declared.parameters
    return Tool(declared.name, schema or {})


def _choice(calling: _Calling | None) -> Choice:
    if calling is None or calling.mode in ("AUTO", "VALIDATED", "MODE_UNSPECIFIED"):
        return Choice()
    if calling.mode == "NONE":
        return Choice("none")
    return Choice("required", next(iter(calling.allowed_function_names), None))


def _check_signatures(contents: list[_Content], thinks: bool) -> None:
    """Signatures must be ours, and while functions are called every step must have one."""
    last = max((n for n, content in enumerate(contents) if _speaks(content)), default=0)
    for number, content in enumerate(contents):
        for part in content.parts:
            signature = part.thought_signature
            if signature is None or signature in _UNCHECKED:
                continue
            if tokens.opened(_standard(signature)) is None:
                raise Refused(400, "Corrupted thought signature.")
        calls = [part for part in content.parts if part.function_call is not None]
        if thinks and number > last and calls and calls[0].thought_signature is None:
            text = "Function call is missing a thought_signature in functionCall parts."
            raise Refused(400, text)


def _speaks(content: _Content) -> bool:
    """The user says something: a new turn begins."""
    parts = (part for part in content.parts if part.function_response is None)
    return content.role in ("user", "") and any(parts)
