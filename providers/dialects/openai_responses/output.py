"""The Response around the output items, as a caller gets it."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.base import Context
from providers.canonical.answer import Finish
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest, Members, Text
from providers.dialects.openai_responses.carrier import DIALECT
from providers.dialects.openai_responses.render import reasoning_options, text_options
from providers.dialects.openai_responses.tools import encoded, render_choice, render_tool
from providers.dialects.openai_responses.usage import usage_object
from schemas.usage import Usage

Object = dict[str, object]
encode = msgspec.json.Encoder().encode
_SERVICE_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})


class _Alternative(Struct, gc=False):
    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class Logprob(_Alternative, gc=False):
    top_logprobs: list[_Alternative] | None = None


class _ChatLogprobs(Struct):
    content: list[Logprob] | None = None


_logprobs = msgspec.json.Decoder(_ChatLogprobs).decode


class Output(Struct):
    """What an answer has become so far."""

    items: list[Object | Raw] = []
    finish: Finish | None = None
    usage: Usage | None = None
    service_tier: str | None = None


def read_logprobs(raw: Raw) -> list[Logprob]:
    """Of OpenAI chat's form; the bytes of a token are required here."""
    try:
        found = _logprobs(raw).content or []
    except (msgspec.DecodeError, RecursionError):
        return []
    for logprob in found:
        for alternative in (logprob, *(logprob.top_logprobs or ())):
            if alternative.bytes is None:
                alternative.bytes = list(alternative.token.encode(errors="replace"))
        logprob.top_logprobs = logprob.top_logprobs or []
    return found


class Envelope:
    """The Response of one request: what it repeats of it is written once."""

    __slots__ = ("_head", "_model", "_tail", "_tier", "id")

    def __init__(self, context: Context) -> None:
        self.id = f"resp_{context.request_id}"
        self._model = context.model
        self._tier = context.chat.service_tier
        self._head = b'{"id":%b,"object":"response","created_at":%d,' % (
            encode(self.id),
            context.created,
        )
        self._tail = b"," + encode(_repeated(context))[1:]

    def response(
        self, status: str, output: Output, model: str = "", error: Raw | None = None
    ) -> bytes:
        """The whole object."""
        details = None
        if status == "incomplete" and output.finish is not None:
            details = {"reason": _INCOMPLETE.get(output.finish.reason)}
        done = status not in ("in_progress", "failed")
        found = {
            "status": status,
            "completed_at": None,
            "error": error,
            "incomplete_details": details,
            "model": model or self._model,
            "output": output.items,
            "usage": usage_object(output.usage) if done or output.usage else None,
            "service_tier": _tier(output.service_tier or self._tier),
        }
        return self._head + encode(found)[1:-1] + self._tail


_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def status_of(finish: Finish | None) -> str:
    """The status of a Response that ended so."""
    return "incomplete" if finish is not None and finish.reason in _INCOMPLETE else "completed"


def _tier(given: str | None) -> str:
    return given if given in _SERVICE_TIERS and given is not None else "default"


def _repeated(context: Context) -> Object:
    """What a Response says of its request."""
    chat = context.chat
    notes = Notes(DIALECT, {}, drop=True)  # the provider has been told already
    choice = chat.tool_choice
    extra: Members = chat.extra
    return {
        "background": False,
        "instructions": _instructions(chat),
        "max_output_tokens": chat.max_tokens,
        "max_tool_calls": extra.get("max_tool_calls"),
        "metadata": {} if chat.metadata is None else chat.metadata,
        "parallel_tool_calls": chat.parallel_tool_calls is not False,
        "previous_response_id": context.continues,
        "prompt_cache_key": chat.prompt_cache_key,
        "reasoning": {
            "effort": None,
            "summary": None,
            **(reasoning_options(chat.thinking) if chat.thinking is not None else {}),
        },
        "safety_identifier": chat.safety_identifier,
        "store": chat.store is not False,
        "temperature": chat.temperature,
        "text": {"format": {"type": "text"}, **text_options(chat)},
        "tool_choice": "auto" if choice is None else render_choice(choice, chat.tools),
        "tools": [
            encoded(tool)
            for tool in (render_tool(tool, notes, own=True) for tool in chat.tools)
            if tool is not None
        ],
        "top_logprobs": chat.top_logprobs or 0,
        "top_p": chat.top_p,
        "truncation": extra.get("truncation", "disabled"),
        "user": chat.user,
    }


def _instructions(chat: ChatRequest) -> str | None:
    if chat.names.get("turns[0]") != "instructions" or not chat.turns:
        return None
    return "".join(part.text for part in chat.turns[0].parts if isinstance(part, Text))
