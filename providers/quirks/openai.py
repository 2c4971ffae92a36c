"""OpenAI's models, also as Azure serves them."""

from __future__ import annotations

import re

import msgspec

from providers.base import Members
from providers.quirks.adapting import Without, renamed, table, text, with_member

_LIMITED_ANEW = re.compile(r"o\d|gpt-5($|[-.](?!chat))")
# The chat variants do not reason: https://platform.openai.com/docs/models/gpt-5-chat-latest
_REASONING = re.compile(r"o\d|gpt-5(\.\d+)?($|-(?!chat))")
# The models of before: https://platform.openai.com/docs/models
_NEVER_REASONS = re.compile(r"gpt-(3\.5|4)(?!\d)|chatgpt-4o|gpt-5-chat")
_EFFORTS = ("reasoning_effort", "reasoning")
_ENCRYPTED = "reasoning.encrypted_content"
_words = msgspec.json.Decoder(list[str]).decode
# These reason only if they are asked to: https://platform.openai.com/docs/guides/latest-model
_ON_REQUEST = re.compile(r"gpt-5\.\d+(?!\d*-(chat|pro))")


def completion_tokens_for_reasoning(members: Members, model: str) -> Members:
    """Reasoning models refuse `max_tokens` and take `max_completion_tokens` instead.

    https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_tokens
    """
    if not _LIMITED_ANEW.match(model):
        return members
    return renamed(members, "max_tokens", "max_completion_tokens")


def effort_of_reasoning(members: Members, model: str) -> Members:
    """Chat completions have no `reasoning: {"effort": …}`, which is Responses'; it is `reasoning_effort`.

    https://platform.openai.com/docs/api-reference/chat/create#chat-create-reasoning_effort
    """
    given = table(members, "reasoning")
    if given is None or given.keys() != {"effort"}:
        return members
    changed = {name: value for name, value in members.items() if name != "reasoning"}
    changed.setdefault("reasoning_effort", given["effort"])
    return changed


def encrypted_thoughts_of_reasoning(members: Members, model: str) -> Members:
    """Models without thoughts refuse to be asked for encrypted ones.

    https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items
    """
    if "include" not in members or not _NEVER_REASONS.match(model):
        return members
    try:
        given = _words(members["include"])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return members  # the provider says what is wrong with it
    if _ENCRYPTED not in given:
        return members
    return with_member(members, "include", [word for word in given if word != _ENCRYPTED])


# They refuse an effort, too; a caller of another dialect may always ask for one.
without_effort_where_nothing_reasons = Without(
    _EFFORTS,
    lambda members, model: (
        _NEVER_REASONS.match(model) is not None
        and any(bytes(members.get(name, b"null")) != b"null" for name in _EFFORTS)
    ),
    "https://platform.openai.com/docs/guides/reasoning",
)


def _reasons(members: Members, model: str) -> bool:
    if not _REASONING.match(model):
        return False
    if not _ON_REQUEST.match(model):
        return True
    effort = text(members, "reasoning_effort")
    if effort is None and (given := table(members, "reasoning")) is not None:
        effort = text(given, "effort")
    return effort not in (None, "none")


# A value other than the default is refused while a model reasons, also at Azure:
# https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning#not-supported
# Log probabilities are refused too, but whoever asks for them wants them: that refusal reaches the
# caller.
without_sampling_for_reasoning = Without(
    ("temperature", "top_p", "presence_penalty", "frequency_penalty"),
    _reasons,
    "https://platform.openai.com/docs/guides/latest-model#gpt-5-parameter-compatibility",
)
