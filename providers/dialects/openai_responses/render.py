"""A ChatRequest to a provider's body."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw

from providers.base import Members, Target
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest, Format, Text, Thinking, Turn
from providers.canonical.thinking import effort
from providers.dialects.openai_responses.carrier import DIALECT
from providers.dialects.openai_responses.decode import encode, given
from providers.dialects.openai_responses.render_input import render_input
from providers.dialects.openai_responses.tools import Object, render_choice, render_tool

_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_ENCRYPTED, _LOGPROBS = "reasoning.encrypted_content", "message.output_text.logprobs"
# Ours -> theirs, of the same meaning.
_SAME = {
    "parallel_tool_calls": "parallel_tool_calls",
    "max_tokens": "max_output_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "user": "user",
    "safety_identifier": "safety_identifier",
    "prompt_cache_key": "prompt_cache_key",
    "metadata": "metadata",
}
_HARMLESS = "harmless"
_MEANINGFUL = "meaningful"
# The rule of loss: what Responses have nothing for, when it says anything, and what leaving it out is.
_LOST: tuple[tuple[str, Callable[[ChatRequest], bool], str], ...] = (
    ("stop", lambda chat: bool(chat.stop), _MEANINGFUL),
    ("n", lambda chat: (chat.n or 1) > 1, _MEANINGFUL),
    ("logit_bias", lambda chat: _says(chat.logit_bias), _MEANINGFUL),
    ("modalities", lambda chat: any(kind != "text" for kind in chat.modalities), _MEANINGFUL),
    ("audio", lambda chat: chat.audio is not None and "audio" in chat.modalities, _MEANINGFUL),
    ("seed", lambda chat: chat.seed is not None, _HARMLESS),
    ("top_k", lambda chat: chat.top_k is not None, _HARMLESS),
    ("frequency_penalty", lambda chat: bool(chat.frequency_penalty), _HARMLESS),
    ("presence_penalty", lambda chat: bool(chat.presence_penalty), _HARMLESS),
    ("prediction", lambda chat: chat.prediction is not None, _HARMLESS),
    ("store", lambda chat: bool(chat.store) and chat.dialect != DIALECT, _HARMLESS),
)
# Members of the callers' bodies that mean the same here.
_TAKEN_OVER = frozenset({"prompt_cache_retention", "prompt_cache_options", "moderation"})
# Of our own callers, what only the gateway acts on.
_OURS = frozenset({"background", "stream_options"})
_SERVICE_TIERS = {
    **{word: word for word in ("auto", "default", "flex", "scale", "priority", "fast")},
    "ultrafast": "ultrafast",
    "standard_only": "default",
    "standard": "default",
}


def render(chat: ChatRequest, target: Target, notes: Notes) -> Members:
    """The body to send; InvalidRequest by `notes` for what cannot be said."""
    own = chat.dialect == DIALECT
    found: dict[str, object] = {"model": target.model}
    turns = chat.turns
    if _instructed(chat):
        found["instructions"] = _text(turns[0])
        turns = turns[1:]
    found["input"] = render_input(chat, turns, notes)
    found["stream"] = chat.stream
    found["store"] = False  # nothing here depends on what a provider keeps
    found["include"] = [_ENCRYPTED, _LOGPROBS] if chat.logprobs else [_ENCRYPTED]
    for ours, theirs in _SAME.items():
        if (value := getattr(chat, ours)) is not None:
            found[theirs] = value
    if chat.top_logprobs is not None and (chat.logprobs or own):
        found["top_logprobs"] = chat.top_logprobs
    found.update(_options(chat, notes))
    _lose(chat, notes)
    _extra(chat, found, notes)
    return {name: Raw(encode(value)) for name, value in found.items()}


def _instructed(chat: ChatRequest) -> bool:
    return chat.names.get("turns[0]") == "instructions" and bool(chat.turns)


def _text(turn: Turn) -> str:
    return "".join(part.text for part in turn.parts if isinstance(part, Text))


def _options(chat: ChatRequest, notes: Notes) -> Object:
    own = chat.dialect == DIALECT
    found: Object = {}
    tools = [render_tool(tool, notes, own) for tool in chat.tools]
    if kept := [tool for tool in tools if tool is not None]:
        found["tools"] = kept
    if chat.tool_choice is not None and (kept or own):
        found["tool_choice"] = render_choice(chat.tool_choice, chat.tools)
    if text := text_options(chat):
        found["text"] = text
    if chat.thinking is not None and (reasoning := reasoning_options(chat.thinking)):
        found["reasoning"] = reasoning
    if chat.service_tier is not None:
        if (tier := _SERVICE_TIERS.get(chat.service_tier)) is not None:
            found["service_tier"] = tier
        else:
            notes.harmless("service_tier")
    return found


def text_options(chat: ChatRequest) -> Object:
    """`text`; empty if nothing is said."""
    found: Object = {}
    if chat.format is not None:
        found["format"] = _format(chat.format)
    if chat.verbosity is not None:
        found["verbosity"] = chat.verbosity
    return found


def _format(given_format: Format) -> Object:
    if given_format.kind == "text":
        return {"type": "text"}
    if given_format.kind == "json":
        return {"type": "json_object"}
    found: Object = {
        "type": "json_schema",
        "name": given_format.name or "answer",  # required here
        "schema": given_format.schema,
    }
    if given_format.strict is not None:
        found["strict"] = given_format.strict
    if given_format.description is not None:
        found["description"] = given_format.description
    return found


def reasoning_options(thinking: Thinking) -> Object:
    """`reasoning`; empty if nothing is said."""
    found: Object = {}
    word = thinking.effort
    if word is None and thinking.enabled is False:
        word = "none"
    if word is None and thinking.budget is not None and not thinking.adaptive:
        word = effort(thinking.budget)
    if word is not None:
        found["effort"] = word
    summary = thinking.summary
    if summary is None and thinking.visible:
        summary = "auto"
    if summary is not None:
        found["summary"] = summary
    return found


def _lose(chat: ChatRequest, notes: Notes) -> None:
    for name, said, loss in _LOST:
        if not said(chat):
            continue
        if loss is _MEANINGFUL:
            notes.meaningful(name)
        else:
            notes.harmless(name)


def _says(raw: Raw | None) -> bool:
    return given(raw) and bytes(raw or b"") != b"{}"


def _extra(chat: ChatRequest, found: Object, notes: Notes) -> None:
    own = chat.dialect == DIALECT
    for name, raw in chat.extra.items():
        outer, dot, inner = name.partition(".")
        if name in _TAKEN_OVER or (own and not dot and name not in _OURS):
            found[name] = raw
        elif own and outer in ("reasoning", "text"):
            found[outer] = {**_object(found.get(outer)), inner: raw}
        else:
            notes.unknown(name)


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}
