"""What a caller of chat completions asks: https://platform.openai.com/docs/api-reference/chat/create.

What OpenAI's imitators have added to the request, and what means the same elsewhere, is understood,
too. All else stays in `ChatRequest.extra`.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.decode import decoded, given, invalid, members, others, utf8
from providers.canonical.request import ChatRequest, Format, Members, Thinking, Tool, ToolChoice
from providers.dialects.openai_chat.details import DIALECT
from providers.dialects.openai_chat.parse_messages import parse_messages
from providers.dialects.openai_chat.parse_tools import (
    parse_choice,
    parse_functions,
    parse_tools,
    parse_web_search,
)
from schemas.requests import Request


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Schema(Struct):
    name: str | None = None
    description: str | None = None
    schema: Raw = Raw()
    strict: bool | None = None


class _Format(Struct):
    type: str
    json_schema: _Schema | None = None


class _Reasoning(Struct):
    """https://openrouter.ai/docs/use-cases/reasoning-tokens"""

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None
    summary: str | None = None


class _Thinking(Struct):
    """https://docs.z.ai/api-reference/llm/chat-completion"""

    type: str | None = None
    budget_tokens: int | None = None


class _Body(Struct):
    model: str
    messages: list[Raw]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = Raw()
    functions: list[Raw] | None = None
    function_call: Raw = Raw()
    parallel_tool_calls: bool | None = None
    web_search_options: Raw = Raw()
    response_format: _Format | None = None
    reasoning_effort: str | None = None
    reasoning: _Reasoning | None = None
    thinking: _Thinking | None = None
    enable_thinking: bool | None = None
    thinking_budget: int | None = None
    include_reasoning: bool | None = None
    verbosity: str | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: Raw = Raw()
    n: int | None = None
    modalities: list[str] | None = None
    audio: Raw = Raw()
    prediction: Raw = Raw()
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: Raw = Raw()
    store: bool | None = None


_body = msgspec.json.Decoder(_Body)
_KNOWN = frozenset(_Body.__struct_fields__)
# Objects of which a part is understood.
_NESTED: dict[str, frozenset[str]] = {
    "stream_options": frozenset(_StreamOptions.__struct_fields__),
    "reasoning": frozenset(_Reasoning.__struct_fields__),
    "thinking": frozenset(_Thinking.__struct_fields__),
}
_NAMES = {
    "turns": "messages",
    "format": "response_format",
    "reasoning": "messages.reasoning_content",
    "citations": "messages.annotations",
    "effort": "reasoning_effort",
}
_THINKING = ("reasoning_effort", "reasoning", "thinking", "enable_thinking", "thinking_budget")


def parse(request: Request) -> ChatRequest:
    """InvalidRequest names the field that cannot be understood."""
    raw = utf8(request.body)
    body = decoded(_body, raw, "")
    found = decoded(members, raw, "")
    extra, names = _extra(found), dict(_NAMES)
    tools, choice = _tools(body, extra, names)
    limit = body.max_completion_tokens
    if limit is not None:
        names["max_tokens"] = "max_completion_tokens"
    names["thinking"] = next((name for name in _THINKING if name in found), "reasoning_effort")
    options = body.stream_options
    return ChatRequest(
        dialect=DIALECT,
        model=body.model,
        turns=parse_messages(body.messages),
        stream=bool(body.stream),
        include_usage=bool(options and options.include_usage),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=body.parallel_tool_calls,
        format=_format(body.response_format, found, extra),
        thinking=_thinking(body),
        verbosity=body.verbosity,
        max_tokens=body.max_tokens if limit is None else limit,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k,
        stop=_stop(body.stop),
        seed=body.seed,
        frequency_penalty=body.frequency_penalty,
        presence_penalty=body.presence_penalty,
        logprobs=body.logprobs,
        top_logprobs=body.top_logprobs,
        logit_bias=given(body.logit_bias),
        n=body.n,
        modalities=tuple(body.modalities or ()),
        audio=given(body.audio),
        prediction=given(body.prediction),
        service_tier=body.service_tier,
        user=body.user,
        safety_identifier=body.safety_identifier,
        prompt_cache_key=body.prompt_cache_key,
        metadata=given(body.metadata),
        store=body.store,
        extra=extra,
        names=names,
    )


def _extra(found: Members) -> Members:
    extra = others(found, _KNOWN)
    for name, known in _NESTED.items():
        if name in found and (raw := given(found[name])) is not None:
            extra.update(others(decoded(members, raw, name), known, f"{name}."))
    return extra


def _stop(stop: str | list[str] | None) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


def _tools(
    body: _Body, extra: Members, names: dict[str, str]
) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    tools = parse_tools(body.tools or [])
    choice, place = given(body.tool_choice), "tool_choice"
    if not tools and body.functions:
        names |= {"tools": "functions", "tool_choice": "function_call"}
        tools = parse_functions(body.functions)
        choice, place = given(body.function_call), "function_call"
    if (search := given(body.web_search_options)) is not None:
        tools = (*tools, parse_web_search(search, extra))
    return tools, None if choice is None else parse_choice(choice, place)


def _format(found: _Format | None, body: Members, extra: Members) -> Format | None:
    if found is None:
        return None
    if found.type == "text":
        return Format("text")
    if found.type == "json_object":
        return Format("json")
    if found.type != "json_schema":
        extra["response_format"] = body["response_format"]  # a grammar of some imitator's
        return None
    if (schema := found.json_schema) is None:
        raise invalid("response_format.json_schema", "is required")
    return Format("schema", schema.name, given(schema.schema), schema.strict, schema.description)


def _thinking(body: _Body) -> Thinking | None:
    """How much to think, in whichever words; where two are given, OpenAI's count."""
    reasoning, thinking = body.reasoning or _Reasoning(), body.thinking or _Thinking()
    effort = body.reasoning_effort or reasoning.effort
    budgets = (reasoning.max_tokens, thinking.budget_tokens, body.thinking_budget)
    enabled = _first(reasoning.enabled, body.enable_thinking)
    if thinking.type in ("enabled", "disabled"):
        enabled = thinking.type == "enabled"
    if effort == "none":
        enabled = False
    visible = body.include_reasoning
    if reasoning.exclude is not None:
        visible = not reasoning.exclude
    found = Thinking(
        enabled,
        effort,
        next((tokens for tokens in budgets if tokens is not None), None),
        visible=visible,
        summary=reasoning.summary,
    )
    return found if found != Thinking() else None


def _first(*flags: bool | None) -> bool | None:
    return next((flag for flag in flags if flag is not None), None)
