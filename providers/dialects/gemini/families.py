"""What the families of models take, told by the model's name."""

from __future__ import annotations

import re
from typing import Literal

_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_NEWEST = (
    99,
    0,
)  # a name without a version, `gemini-flash-latest` or a tuned one, is of a new family
Level = Literal["minimal", "low", "medium", "high"]


def version(model: str) -> tuple[int, int]:
    """Major and minor version."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else _NEWEST


def signs(model: str) -> bool:
    """Whether calls of functions in its history must be signed.

    https://ai.google.dev/gemini-api/docs/thought-signatures
    """
    return version(model) >= (3, 0)


def takes_media_in_results(model: str) -> bool:
    """https://ai.google.dev/gemini-api/docs/function-calling: multimodal function responses."""
    return version(model) >= (3, 0)


def thinks(model: str) -> Literal["no", "budget", "level"]:
    """How its thinking is set: https://ai.google.dev/gemini-api/docs/thinking."""
    found = version(model)
    if found < (2, 5):
        return "no"
    return "budget" if found < (3, 0) else "level"


def level(model: str, effort: str) -> Level:
    """The level of thinking for an effort; the next higher one where the model has fewer levels."""
    wanted: Level = "high"
    if effort in ("none", "minimal"):
        wanted = "minimal"
    elif effort == "low":
        wanted = "low"
    elif effort == "medium":
        wanted = "medium"
    if "-pro" in model:
        if wanted == "minimal":
            return "low"
        if wanted == "medium" and version(model) == (3, 0):
            return "high"
    return wanted


def budget(model: str, tokens: int) -> int:
    """A budget within the model's limits; -1 stays the model's own choice, 0 is none at all."""
    if tokens < 0:
        return -1
    if "-pro" in model:
        return min(max(tokens, 128), 32768)
    lowest = 512 if "-lite" in model else 1
    return min(max(tokens, lowest), 24576) if tokens else 0
