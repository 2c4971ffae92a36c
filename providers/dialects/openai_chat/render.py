"""A request as a provider of chat completions gets it.

https://platform.openai.com/docs/api-reference/chat/create; of what only OpenAI's imitators know,
nothing is sent unless it came from one: OpenAI refuses members that it does not know.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from providers.base import Members, Target
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest, Format, Thinking
from providers.canonical.thinking import effort
from providers.dialects.openai_chat.details import DIALECT
from providers.dialects.openai_chat.render_messages import MessageRenderer
from providers.dialects.openai_chat.render_tools import render_choice, render_tools
from providers.dialects.openai_chat.write import Object

_encode = msgspec.json.Encoder().encode
# Of the same name and meaning here and there.
_SAME = (
    *("max_tokens", "temperature", "top_p", "seed", "frequency_penalty", "presence_penalty"),
    *("logprobs", "top_logprobs", "logit_bias", "n", "audio", "prediction", "verbosity", "user"),
    *("safety_identifier", "prompt_cache_key"),
)
_TIERS = {  # https://platform.openai.com/docs/api-reference/chat/create#chat-create-service_tier
    **{word: word for word in ("auto", "default", "flex", "priority", "scale")},
    "standard_only": "default",
    "standard": "default",
}


def render(chat: ChatRequest, target: Target, notes: Notes) -> Members:
    """InvalidRequest by `notes` for what cannot be said."""
    body: Object = {
        "model": target.model,
        "messages": MessageRenderer(target.model, notes).render(chat.turns),
    }
    for name in _SAME:
        if (value := getattr(chat, name)) is not None:
            body[name] = value
    body |= _tools(chat, notes)
    body |= _options(chat, notes)
    if chat.stream:
        body["stream"] = True
        if target.endpoint.routes[DIALECT].stream_usage:
            body["stream_options"] = {"include_usage": True}
    _lose(chat, notes)
    return {name: Raw(_encode(value)) for name, value in body.items()}


def _tools(chat: ChatRequest, notes: Notes) -> Object:
    """Choice and parallel calls are refused without tools."""
    found = render_tools(chat.tools, notes)
    if "tools" not in found:
        return found
    if chat.tool_choice is not None:
        found["tool_choice"] = render_choice(chat.tool_choice, chat.tools)
    if chat.parallel_tool_calls is not None:
        found["parallel_tool_calls"] = chat.parallel_tool_calls
    return found


def _options(chat: ChatRequest, notes: Notes) -> Object:
    found: Object = {}
    if chat.format is not None:
        found["response_format"] = _format(chat.format)
    if chat.thinking is not None and (word := _effort(chat.thinking)) is not None:
        found["reasoning_effort"] = word
    if chat.stop:
        found["stop"] = chat.stop
    if any(modality != "text" for modality in chat.modalities):
        found["modalities"] = chat.modalities
    if chat.service_tier is not None:
        if (tier := _TIERS.get(chat.service_tier)) is not None:
            found["service_tier"] = tier
        else:
            notes.harmless("service_tier")
    return found


def _format(given: Format) -> Object:
    if given.kind != "schema":
        return {"type": "text" if given.kind == "text" else "json_object"}
    schema: Object = {"name": given.name or "answer"}  # required here
    for name in ("description", "schema", "strict"):
        if (value := getattr(given, name)) is not None:
            schema[name] = value
    return {"type": "json_schema", "json_schema": schema}


def _effort(thinking: Thinking) -> str | None:
    """A budget becomes the effort that it amounts to."""
    if thinking.effort is not None:
        return thinking.effort
    if thinking.enabled is False:
        return "none"
    if thinking.budget is not None and thinking.budget >= 0 and not thinking.adaptive:
        return effort(thinking.budget)
    return None


def _lose(chat: ChatRequest, notes: Notes) -> None:
    """What chat completions have nothing for: nothing of it changes what is asked."""
    if chat.top_k is not None:
        notes.harmless("top_k")
    if chat.metadata is not None and bytes(chat.metadata) != b"{}":
        # Labels of what is stored, and refused without: nothing is stored there for our callers.
        notes.harmless("metadata")
    if chat.store and chat.dialect == DIALECT:
        notes.harmless("store")
    if chat.thinking is not None and chat.thinking.summary is not None:
        notes.harmless("thinking.summary")
    for name in chat.extra:
        notes.unknown(name)
