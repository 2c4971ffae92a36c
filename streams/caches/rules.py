"""Which answers may be given again: whole and good ones only."""

from __future__ import annotations

from msgspec import Struct

from providers.canonical.answer import Answer, AnswerPart, Choice
from providers.canonical.request import Native, Reasoning, Refusal, Text, ToolCall


class Rules(Struct, frozen=True):
    """What a user may allow."""

    tool_calls: bool = False  # answers that call the caller's tools, or that rest on a provider's


def may_be_kept(answer: Answer, rules: Rules) -> bool:
    """Whether nothing is missing in an answer, and nothing in it was meant for one time only."""
    return bool(answer.choices) and all(_whole(choice, rules) for choice in answer.choices)


def _whole(choice: Choice, rules: Rules) -> bool:
    reason = choice.finish.reason if choice.finish is not None else None
    reasons = {"stop", "tool_calls"} if rules.tool_calls else {"stop"}
    if reason not in reasons:
        return False  # cut at a limit, filtered, paused, or never ended
    if any(isinstance(part, Refusal) for part in choice.parts):
        return False
    acts = any(isinstance(part, ToolCall | Native) for part in choice.parts)
    return (rules.tool_calls or not acts) and any(_says_something(part) for part in choice.parts)


def _says_something(part: AnswerPart) -> bool:
    if isinstance(part, Text):
        return bool(part.text)
    return not isinstance(part, Reasoning)
