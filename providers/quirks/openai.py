"""OpenAI's models, also as Azure serves them."""

from __future__ import annotations

import re

from providers.base import Members

_REASONING_MODEL = re.compile(r"o\d|gpt-5($|[-.](?!chat))")


def completion_tokens_for_reasoning(members: Members, model: str) -> Members:
    """Reasoning models refuse `max_tokens` and take `max_completion_tokens` instead.

    https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_tokens
    """
    if "max_tokens" not in members or not _REASONING_MODEL.match(model):
        return members
    changed = dict(members)
    limit = changed.pop("max_tokens")
    changed.setdefault("max_completion_tokens", limit)
    return changed
