"""A caller's body to a ChatRequest.

What the answer repeats of the request and has no field in it stays in `ChatRequest.extra` under its
own name: `truncation`, `max_tool_calls`. Members of objects that are otherwise
understood stand there under dotted names (`reasoning.context`, `tools.async`). `names["turns[0]"]` is
`instructions` if these are the first turn, which distinguishes them from a system message.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.request import ChatRequest, Format, Members, Text, Thinking, Turn
from providers.dialects.openai_responses.carrier import DIALECT
from providers.dialects.openai_responses.decode import decoded, given, invalid, members, others
from providers.dialects.openai_responses.history import History
from providers.dialects.openai_responses.tools import parse_choice, parse_tools
from schemas.errors import InvalidRequest
from schemas.requests import Request


class _Format(Struct):
    type: str
    name: str | None = None
    schema: Raw = Raw()
    strict: bool | None = None
    description: str | None = None


class _TextOptions(Struct):
    format: _Format | None = None
    verbosity: str | None = None


class _Reasoning(Struct):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None  # the old name


class _StreamOptions(Struct):
    include_obfuscation: bool | None = None


class _Body(Struct):
    model: str
    input: str | list[Raw] | None = None
    instructions: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = Raw()
    parallel_tool_calls: bool | None = None
    text: _TextOptions | None = None
    reasoning: _Reasoning | None = None
    include: list[str] | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: Raw = Raw()
    store: bool | None = None
    background: bool | None = None
    truncation: str | None = None


_body = msgspec.json.Decoder(_Body)
_metadata = msgspec.json.Decoder(dict[str, str])
_TAKEN = frozenset({*_Body.__struct_fields__} - {"include", "stream_options", "truncation"})
# Said of every answer: nothing is lost of them.
_INCLUDED = frozenset({"reasoning.encrypted_content", "message.output_text.logprobs"})
# State that only the provider that made it has.
_STATE = {
    "previous_response_id": "there is no stored response of this id",
    "conversation": "conversations are kept by their provider, and this model has another",
    "prompt": "stored prompts are kept by their provider, and this model has another",
}
_NAMES = {
    "turns": "input",
    "max_tokens": "max_output_tokens",
    "format": "text.format",
    "verbosity": "text.verbosity",
    "thinking": "reasoning",
    "logprobs": "include",
}


def parse(request: Request) -> ChatRequest:
    """What is asked; InvalidRequest names what cannot be understood."""
    raw = _utf8(request.body)
    found = decoded(members, raw, "")
    body = decoded(_body, raw, "")
    for name, why in _STATE.items():
        if given(found.get(name)):
            raise invalid(name, why)
    extra = _extra(found, body)
    names = dict(_NAMES)
    turns = _turns(body, extra, names)
    text, include = body.text or _TextOptions(), body.include or []
    return ChatRequest(
        dialect=DIALECT,
        model=body.model,
        turns=turns,
        stream=bool(body.stream),
        tools=parse_tools(body.tools or [], extra),
        tool_choice=parse_choice(body.tool_choice, extra) if given(body.tool_choice) else None,
        parallel_tool_calls=body.parallel_tool_calls,
        format=_format(text.format) if text.format is not None else None,
        thinking=_thinking(body.reasoning) if body.reasoning is not None else None,
        verbosity=text.verbosity,
        max_tokens=body.max_output_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        logprobs=True if "message.output_text.logprobs" in include else None,
        top_logprobs=body.top_logprobs,
        service_tier=body.service_tier,
        user=body.user,
        safety_identifier=body.safety_identifier,
        prompt_cache_key=body.prompt_cache_key,
        metadata=_checked(body.metadata) if given(body.metadata) else None,
        store=body.store,
        extra=extra,
        names=names,
    )


def _utf8(body: bytes) -> bytes:
    """The body; msgspec skips over strings that it does not need without looking at them."""
    try:
        if not body.isascii():
            body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The body is not UTF-8: byte {error.start}.") from error
    return body


def _extra(found: Members, body: _Body) -> Members:
    """What has no field of its own and says anything beyond the default."""
    extra = others(found, _TAKEN, "")
    if body.truncation == "disabled":
        del extra["truncation"]
    if _INCLUDED.issuperset(body.include or ()):
        extra.pop("include", None)
    if body.stream_options is None or not body.stream_options.include_obfuscation:
        extra.pop("stream_options", None)
    for name, known in (
        ("reasoning", frozenset(_Reasoning.__struct_fields__)),
        ("text", frozenset(_TextOptions.__struct_fields__)),
    ):
        if given(found.get(name)):
            extra.update(others(decoded(members, found[name], name), known, f"{name}."))
    return extra


def _turns(body: _Body, extra: Members, names: dict[str, str]) -> tuple[Turn, ...]:
    history = History(extra)
    if body.instructions is not None:
        history.turns.append(Turn("system", (Text(body.instructions),)))
        names["turns[0]"] = "instructions"
    if isinstance(body.input, str):
        history.turns.append(Turn("user", (Text(body.input),)))
    else:
        for index, item in enumerate(body.input or ()):
            history.add(item, f"input[{index}]")
        history.close()
    return tuple(history.turns)


def _format(found: _Format) -> Format:
    if found.type == "text":
        return Format("text")
    if found.type == "json_object":
        return Format("json")
    if found.type == "json_schema":
        if not given(found.schema):
            raise invalid("text.format.schema", "is required")
        return Format("schema", found.name, found.schema, found.strict, found.description)
    raise invalid("text.format.type", f"there is no format `{found.type}`")


def _thinking(found: _Reasoning) -> Thinking:
    summary = found.summary or found.generate_summary
    return Thinking(
        enabled=False if found.effort == "none" else None,
        effort=found.effort,
        visible=True if summary else None,
        summary=summary,
    )


def _checked(metadata: Raw) -> Raw:
    decoded(_metadata, metadata, "metadata")
    return metadata
