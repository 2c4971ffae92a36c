"""Effort and budget, the two ways to say how much a model is to think."""

from __future__ import annotations

# Tokens for each effort. OpenAI says no numbers; these are the middle of what others translate them to.
BUDGETS: dict[str, int] = {
    "none": 0,
    "minimal": 1024,
    "low": 4096,
    "medium": 8192,
    "high": 16384,
    "xhigh": 24576,
    "max": 32768,
}


def budget(effort: str) -> int:
    """Tokens for an effort; those of `medium` for a word that we do not know."""
    return BUDGETS.get(effort, BUDGETS["medium"])


def effort(tokens: int) -> str:
    """The highest effort whose budget `tokens` covers; the model's choice (-1) is `medium`."""
    if tokens < 0:
        return "medium"
    if tokens == 0:
        return "none"
    return next(
        (word for word in ("max", "xhigh", "high", "medium", "low") if tokens >= BUDGETS[word]),
        "minimal",
    )
