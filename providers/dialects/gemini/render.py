"""A request of the middle as a body for generateContent: https://ai.google.dev/api/generate-content."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from providers.base import Target
from providers.canonical import thinking
from providers.canonical.notes import Notes
from providers.canonical.request import (
    ChatRequest,
    Custom,
    Function,
    Members,
    NativeTool,
    Thinking,
    WebSearch,
)
from providers.dialects.gemini import families
from providers.dialects.gemini.custom import declared
from providers.dialects.gemini.parts import render_contents

_encode = msgspec.json.Encoder().encode
_CONFIG = {  # our field -> member of generationConfig that takes the value as it is
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
    "n": "candidateCount",
}
# Fields that Gemini has nothing for. The answer means the same without the first.
_HARMLESS = (
    "prediction",  # makes the same answer faster
    "user",  # for the provider's statistics and protection from abuse
    "safety_identifier",
    "prompt_cache_key",  # Gemini finds what it cached by itself
    "metadata",  # comes back from a list of stored answers
    "verbosity",  # a hint of style
)
_MEANINGFUL = (
    "logit_bias",  # in another model's tokens, too
    "audio",  # voices and formats are OpenAI's: Gemini speaks raw PCM in voices of other names
)
# https://ai.google.dev/gemini-api/docs/flex-inference: words of callers for the tiers.
_TIERS = {
    "default": "standard",
    "standard": "standard",
    "standard_only": "standard",
    "flex": "flex",
    "priority": "priority",
}


def render_request(chat: ChatRequest, target: Target, notes: Notes) -> Members:
    """InvalidRequest by `notes` for what cannot be said."""
    model = target.model
    system, contents = render_contents(chat, model, notes)
    members: Members = {"contents": _raw(contents)}
    if system:
        members["systemInstruction"] = _raw({"parts": system})
    own = chat.extra if chat.dialect == "gemini" else {}
    if tools := list(_tools(chat, notes)):
        members["tools"] = _raw(tools)
    if tool_config := _tool_config(chat, model, own):
        members["toolConfig"] = _raw(tool_config)
    if config := _config(chat, model, notes, own):
        members["generationConfig"] = _raw(config)
    if tier := _TIERS.get(chat.service_tier or ""):
        members["serviceTier"] = _raw(tier)
    elif chat.service_tier not in (None, "auto"):
        notes.harmless("service_tier")
    members.update((name, value) for name, value in own.items() if "." not in name)
    if chat.store and chat.dialect != "openai_responses":
        notes.harmless("store")  # what is to be kept of a response, the gateway keeps
    _leave_out(chat, notes)
    return members


def _leave_out(chat: ChatRequest, notes: Notes) -> None:
    for name in _HARMLESS:
        if getattr(chat, name) is not None:
            notes.harmless(name)
    for name in _MEANINGFUL:
        if getattr(chat, name) is not None:
            notes.meaningful(name)
    if chat.parallel_tool_calls is False and chat.tools:
        # A caller that says so would not know what to do with two calls at once.
        notes.meaningful("parallel_tool_calls")
    if chat.dialect != "gemini":
        for name in chat.extra:
            notes.unknown(name)


def _tools(chat: ChatRequest, notes: Notes) -> Iterator[dict[str, object]]:
    """All functions in one tool, as Google's SDK does; every other tool by itself."""
    functions: list[dict[str, object]] = []
    for tool in chat.tools:
        match tool:
            case Function():
                functions.append(_function(tool, notes))
            case Custom():
                functions.append(declared(tool, notes))
            case WebSearch():
                _search(tool, notes)
                yield {"googleSearch": {}}
            case NativeTool(dialect="gemini"):
                yield {tool.kind: tool.raw}
            case NativeTool():
                notes.meaningful("tools", f"it has no tool of the type `{tool.kind}`")
    if functions:
        yield {"functionDeclarations": functions}


def _function(tool: Function, notes: Notes) -> dict[str, object]:
    """With its schema as it came: every model since 2.0 takes `parametersJsonSchema`, as recorded."""
    found: dict[str, object] = {"name": tool.name}
    if tool.description is not None:
        found["description"] = tool.description
    if tool.parameters is not None:
        found["parametersJsonSchema"] = tool.parameters
    if tool.strict:
        notes.harmless("tools.strict")
    if tool.cache is not None:
        notes.harmless("cache_control")
    for name, value in tool.extra.items():
        if name in ("response", "responseJsonSchema", "behavior"):
            found[name] = value
        else:
            notes.harmless(f"tools.{name}")
    return found


def _search(tool: WebSearch, notes: Notes) -> None:
    if tool.allowed_domains:
        notes.meaningful("tools.allowed_domains")
    if tool.blocked_domains:
        notes.meaningful("tools.blocked_domains")  # `excludeDomains` is Vertex AI's alone
    for name in ("max_uses", "context_size", "user_location"):
        if getattr(tool, name) is not None:
            notes.harmless(f"tools.{name}")


def _tool_config(chat: ChatRequest, model: str, own: Members) -> dict[str, object]:
    found: dict[str, object] = {
        name.removeprefix("toolConfig."): value
        for name, value in own.items()
        if name.startswith("toolConfig.")
    }
    if chat.tool_choice is not None and (chat.tools or chat.dialect == "gemini"):
        found["functionCallingConfig"] = _calling(chat)
    # https://ai.google.dev/gemini-api/docs/tool-combination: without it, functions beside Google's own
    # tools are refused.
    own_tools = any(isinstance(tool, WebSearch | NativeTool) for tool in chat.tools)
    functions = any(isinstance(tool, Function | Custom) for tool in chat.tools)
    if own_tools and functions and families.version(model) >= (3, 0):
        found.setdefault("includeServerSideToolInvocations", True)
    return found


def _calling(chat: ChatRequest) -> dict[str, object]:
    """https://ai.google.dev/gemini-api/docs/function-calling#function_calling_modes"""
    choice = chat.tool_choice
    assert choice is not None
    if choice.mode == "tool":
        return {"mode": "ANY", "allowedFunctionNames": [choice.tool]}
    if choice.mode == "none":
        return {"mode": "NONE"}
    if choice.mode == "required":
        found: dict[str, object] = {"mode": "ANY"}
    else:
        # AUTO takes no names; VALIDATED is AUTO with names, and with calls that keep to their schema.
        found = {"mode": "VALIDATED" if choice.allowed else "AUTO"}
    if choice.allowed:
        found["allowedFunctionNames"] = choice.allowed
    return found


def _config(chat: ChatRequest, model: str, notes: Notes, own: Members) -> dict[str, object]:
    found: dict[str, object] = {
        name.removeprefix("generationConfig."): value
        for name, value in own.items()
        if name.startswith("generationConfig.")
    }
    for ours, theirs in _CONFIG.items():
        if (value := getattr(chat, ours)) is not None:
            found[theirs] = value
    if chat.stop:
        found["stopSequences"] = chat.stop
    if chat.modalities and chat.modalities != ("text",):
        found["responseModalities"] = [word.upper() for word in chat.modalities]
    _add_format(chat, found, notes)
    if chat.thinking is not None and (config := _thinking(chat.thinking, model, notes)):
        found["thinkingConfig"] = config
    return found


def _add_format(chat: ChatRequest, found: dict[str, object], notes: Notes) -> None:
    """https://ai.google.dev/gemini-api/docs/structured-output: a schema always binds, `strict` or not."""
    if chat.format is None or chat.format.kind == "text":
        return
    found["responseMimeType"] = "application/json"
    if chat.format.kind == "schema" and chat.format.schema is not None:
        found["responseJsonSchema"] = chat.format.schema
    if chat.format.description is not None:
        notes.harmless("response_format.description")


def _thinking(asked: Thinking, model: str, notes: Notes) -> dict[str, object]:
    """A level for models since 3, a budget for 2.5: https://ai.google.dev/gemini-api/docs/thinking."""
    way = families.thinks(model)
    off = asked.enabled is False or asked.effort == "none" or asked.budget == 0
    if way == "no":
        if not off:
            notes.harmless("thinking")
        return {}
    found: dict[str, object] = {}
    visible = asked.visible
    if visible is None and asked.enabled and not off:
        visible = True  # Anthropic's callers are shown them unasked, Gemini's are not
    if visible is not None:
        found["includeThoughts"] = visible
    if way == "level" and (effort := _effort(asked, off=off)) is not None:
        found["thinkingLevel"] = families.level(model, effort)
    elif way == "budget" and (tokens := _budget(asked, off=off)) is not None:
        found["thinkingBudget"] = families.budget(model, tokens)
    if off and found.get("thinkingBudget") != 0:
        notes.harmless("thinking")  # these think at least a little
    return found


def _effort(asked: Thinking, *, off: bool) -> str | None:
    if off:
        return "none"
    if asked.effort is None and asked.budget is not None and asked.budget > 0:
        return thinking.effort(asked.budget)
    return asked.effort


def _budget(asked: Thinking, *, off: bool) -> int | None:
    if off:
        return 0
    if asked.budget is not None:
        return asked.budget
    if asked.effort is not None:
        return thinking.budget(asked.effort)
    return -1 if asked.enabled or asked.adaptive else None


def _raw(value: object) -> Raw:
    return Raw(_encode(value))
