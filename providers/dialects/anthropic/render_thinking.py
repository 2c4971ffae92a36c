"""How much a model is to think, in the way that the model takes.

Models from 4.6 on think `adaptive` and take an effort; those before take a budget of tokens, which must
be at least 1024 and less than `max_tokens`, since it is part of them.
https://platform.claude.com/docs/en/build-with-claude/thinking,
https://platform.claude.com/docs/en/build-with-claude/effort
"""

from __future__ import annotations

from msgspec import Struct

from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest, Thinking
from providers.canonical.thinking import BUDGETS, budget, effort
from providers.dialects.anthropic.models import Abilities

_LEAST = 1024  # tokens of a budget
_MOST = 32_000  # tokens of an answer that every model gives that thinks within a budget
_LOWEST = "low"


class Thought(Struct, frozen=True):
    """What a request says of thinking."""

    max_tokens: int
    thinking: dict[str, object] | None = None
    effort: str | None = None

    @property
    def budgeted(self) -> bool:
        """Thinks within a budget, which rules out forced tools and a history without thoughts."""
        return self.thinking is not None and self.thinking["type"] == "enabled"

    @property
    def on(self) -> bool:
        return self.thinking is not None and self.thinking["type"] in ("enabled", "adaptive")


def render_thinking(
    chat: ChatRequest, able: Abilities, default_max_tokens: int, notes: Notes
) -> Thought:
    """What the caller said of thinking, and the limit of tokens that follows."""
    asked = chat.thinking
    limit = chat.max_tokens if chat.max_tokens is not None else default_max_tokens
    if asked is None:
        return Thought(limit)
    if asked.enabled is False or asked.effort == "none" or asked.budget == 0:
        return _off(asked, able, limit, notes)
    if able.adaptive and (not able.budget or asked.budget is None or asked.budget < 0):
        return _adaptive(chat, asked, able, limit)
    if not able.budget:
        notes.harmless("thinking")  # an old model that cannot think
        return Thought(limit)
    return _within(chat, asked, limit)


def _off(asked: Thinking, able: Abilities, limit: int, notes: Notes) -> Thought:
    if able.off is not None:
        return Thought(limit, {"type": able.off} if able.budget or able.adaptive else None)
    notes.harmless("thinking")  # the model cannot but think: as little as it can
    return Thought(limit, effort=_LOWEST)


def _adaptive(chat: ChatRequest, asked: Thinking, able: Abilities, limit: int) -> Thought:
    word = _word(asked, able)
    if chat.max_tokens is None:
        limit += budget(word or "medium")
    thinking: dict[str, object] = {"type": "adaptive"}
    if (visible := _visible(asked)) is not None:
        thinking["display"] = "summarized" if visible else "omitted"
    return Thought(limit, thinking, word)


def _word(asked: Thinking, able: Abilities) -> str | None:
    """The effort that the model knows nearest below the one that was asked for."""
    word = asked.effort
    if word is None and asked.budget is not None and asked.budget > 0:
        word = effort(asked.budget)
    if word is None or word in ("low", "medium", "high") or word in able.highest:
        return word
    if word == "minimal":
        return _LOWEST
    return "high" if word in BUDGETS else "medium"


def _within(chat: ChatRequest, asked: Thinking, limit: int) -> Thought:
    """A budget that the caller gave stays, and the limit makes room for an answer behind it; one that
    only follows from an effort fits into the limit."""
    given = asked.budget
    if given is not None and given > 0:
        tokens = max(_LEAST, given)
        if chat.max_tokens is None or limit <= tokens:
            limit += tokens
    else:
        tokens = budget(asked.effort or "medium")
        if chat.max_tokens is None:
            tokens = max(_LEAST, min(tokens, _MOST - limit))
            limit += tokens
        else:
            tokens = max(_LEAST, min(tokens, limit * 3 // 4))
            limit = limit if tokens < limit else limit + tokens
    thinking: dict[str, object] = {"type": "enabled", "budget_tokens": tokens}
    if _visible(asked) is False:
        thinking["display"] = "omitted"
    return Thought(limit, thinking)


def _visible(asked: Thinking) -> bool | None:
    """A caller that wants a summary wants to see it."""
    return True if asked.summary is not None and asked.visible is None else asked.visible
