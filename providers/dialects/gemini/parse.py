"""A Gemini caller's request into the middle: https://ai.google.dev/api/generate-content."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from providers.canonical.request import (
    ChatRequest,
    Format,
    Function,
    Members,
    NativeTool,
    Thinking,
    Tool,
    ToolChoice,
    WebSearch,
)
from providers.dialects.gemini.contents import parse_turns
from providers.dialects.gemini.fields import Fields, opening
from providers.dialects.gemini.schema import json_schema
from schemas.errors import InvalidRequest
from schemas.requests import Request

_encode = msgspec.json.Encoder().encode
# What a caller calls the fields of the middle, for messages and headers.
NAMES = {
    "messages": "contents",
    "tool_choice": "toolConfig.functionCallingConfig",
    "format": "generationConfig.responseSchema",
    "thinking": "generationConfig.thinkingConfig",
    "max_tokens": "generationConfig.maxOutputTokens",
    "temperature": "generationConfig.temperature",
    "top_p": "generationConfig.topP",
    "top_k": "generationConfig.topK",
    "stop": "generationConfig.stopSequences",
    "seed": "generationConfig.seed",
    "frequency_penalty": "generationConfig.frequencyPenalty",
    "presence_penalty": "generationConfig.presencePenalty",
    "logprobs": "generationConfig.responseLogprobs",
    "top_logprobs": "generationConfig.logprobs",
    "n": "generationConfig.candidateCount",
    "modalities": "generationConfig.responseModalities",
    "service_tier": "serviceTier",
}
_MODES = {"AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"}
_NOTHING = frozenset({b"{}", b"[]", b"false", b'""'})


def parse_request(request: Request) -> ChatRequest:
    """InvalidRequest names the member that cannot be understood."""
    try:
        if not request.body.isascii():
            request.body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The body is not UTF-8: byte {error.start}.") from error
    body = Fields(request.body)
    config = body.object("generationConfig") or Fields(b"{}", "generationConfig")
    tool_config = body.object("toolConfig") or Fields(b"{}", "toolConfig")
    if "cachedContent" in body and not request.drop_params:
        # Whoever parses means to ask another provider, which would answer without all that is in it.
        raise InvalidRequest(
            "`cachedContent` is known to Gemini's own API only; send what it holds, or the header"
            " `sluice-drop-params: true` to be answered without it.",
            param="cachedContent",
        )
    return ChatRequest(
        dialect="gemini",
        model=request.model or body.text("model") or "",
        turns=parse_turns(body),
        stream=bool(request.stream),
        tools=tuple(_tools(body)),
        tool_choice=_choice(tool_config),
        format=_format(config),
        thinking=_thinking(config),
        max_tokens=config.integer("maxOutputTokens"),
        temperature=config.number("temperature"),
        top_p=config.number("topP"),
        top_k=config.integer("topK"),
        stop=config.texts("stopSequences"),
        seed=config.integer("seed"),
        frequency_penalty=config.number("frequencyPenalty"),
        presence_penalty=config.number("presencePenalty"),
        logprobs=config.flag("responseLogprobs"),
        top_logprobs=config.integer("logprobs"),
        n=config.integer("candidateCount"),
        modalities=_modalities(config),
        service_tier=(body.text("serviceTier") or "").lower() or None,
        store=body.flag("store"),
        extra=_extra(body, config, tool_config),
        names=NAMES,
    )


def _tools(body: Fields) -> Iterator[Tool]:
    for tool in body.objects("tools"):
        for declaration in tool.objects("functionDeclarations"):
            yield _function(declaration)
        for kind, raw in tool.rest().items():
            if kind == "googleSearch" and bytes(raw).strip() == b"{}":
                yield WebSearch()
            elif kind == "googleSearch":
                yield _search(raw, tool.at(kind))
            else:
                yield NativeTool("gemini", kind, raw)


def _function(given: Fields) -> Function:
    name = given.text("name")
    if not name:
        raise InvalidRequest(f"`{given.at('name')}` is required.", param=given.at("name"))
    parameters = given.take("parametersJsonSchema")
    openapi = given.take("parameters")
    if parameters is None and openapi is not None:
        parameters = json_schema(openapi, given.at("parameters"))
    return Function(name, given.text("description"), parameters, extra=given.rest())


def _search(raw: Raw, path: str) -> Tool:
    """A search with nothing but blocked domains is one that others know, too."""
    given = Fields(raw, path)
    blocked = given.texts("excludeDomains")
    if given.rest():
        return NativeTool("gemini", "googleSearch", raw)
    return WebSearch(blocked_domains=blocked)


def _choice(tool_config: Fields) -> ToolChoice | None:
    calling = tool_config.object("functionCallingConfig")
    if calling is None:
        return None
    mode = (calling.text("mode") or "AUTO").upper()
    allowed = calling.texts("allowedFunctionNames")
    if mode not in _MODES:
        path = calling.at("mode")
        raise InvalidRequest(f"`{path}` must be AUTO, ANY, NONE or VALIDATED.", param=path)
    if mode == "NONE":
        return ToolChoice("none")
    if mode == "ANY":
        if len(allowed) == 1:
            return ToolChoice("tool", allowed[0])
        return ToolChoice("required", allowed=allowed)
    return ToolChoice("auto", allowed=allowed)


def _format(config: Fields) -> Format | None:
    openapi = config.take("responseSchema")
    schema = config.take("responseJsonSchema")
    if schema is None and openapi is not None:
        schema = json_schema(openapi, config.at("responseSchema"))
    if schema is not None and opening(schema) != b"{":
        path = config.at("responseJsonSchema")
        raise InvalidRequest(f"`{path}` must be an object.", param=path)
    media_type = config.text("responseMimeType")
    if media_type in (None, "text/plain"):
        return None if schema is None else Format("schema", schema=schema)
    if media_type == "application/json":
        return Format("json") if schema is None else Format("schema", schema=schema)
    path = config.at("responseMimeType")
    raise InvalidRequest(
        f"`{path}` must be text/plain or application/json for this model's provider.", param=path
    )


def _thinking(config: Fields) -> Thinking | None:
    given = config.object("thinkingConfig")
    if given is None:
        return None
    budget = given.integer("thinkingBudget")
    level = (given.text("thinkingLevel") or "").lower()
    return Thinking(
        enabled=None if budget is None or budget < 0 else budget > 0,
        effort=level if level and level != "thinking_level_unspecified" else None,
        budget=budget,
        visible=given.flag("includeThoughts"),
    )


def _modalities(config: Fields) -> tuple[str, ...]:
    """Text alone is what every model answers with: the SDKs of some frameworks always say so."""
    found = tuple(word.lower() for word in config.texts("responseModalities"))
    return () if found == ("text",) else found


def _extra(body: Fields, config: Fields, tool_config: Fields) -> Members:
    """What has no place in the middle, by its path; what says nothing is left out."""
    body.take("model")
    return {
        fields.at(name): raw
        for fields in (body, config, tool_config)
        for name, raw in fields.rest().items()
        if bytes(raw) not in _NOTHING
    }
