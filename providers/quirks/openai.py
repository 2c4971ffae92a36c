"""OpenAI's models, also as Azure serves them."""

from __future__ import annotations

import re

from providers.base import Members
from providers.quirks.adapting import Without, renamed, table, text

_LIMITED_ANEW = re.compile(r"o\d|gpt-5($|[-.](?!chat))")
# The chat variants do not reason: https://platform.openai.com/docs/models/gpt-5-chat-latest
_REASONING = re.compile(r"o\d|gpt-5(\.\d+)?($|-(?!chat))")
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
