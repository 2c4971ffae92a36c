"""What a model of the Messages API takes, by its name: the API refuses the rest with a 400."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

_EVER = (99, 0)
# `claude-opus-4-8`, `claude-sonnet-4-5-20250929`, `anthropic/claude-opus-4.6`, `claude-3-7-sonnet-latest`
_NAME = re.compile(
    r"claude-(?P<line>[a-z]+)-(?P<major>\d)(?:[-.](?P<minor>\d{1,2}))?(?!\d)"
    r"|claude-(?P<old_major>\d)(?:[-.](?P<old_minor>\d))?-(?P<old_line>[a-z]+)"
)


class Abilities(Struct, frozen=True):
    """The defaults are those of a model that we do not know, of a vendor that imitates the API."""

    adaptive: bool = False  # thinking of type `adaptive`, steered by `output_config.effort`
    budget: bool = True  # thinking of type `enabled` with `budget_tokens`
    highest: tuple[str, ...] = ()  # efforts beyond `high`
    # How thinking is turned off; None: it cannot be.
    off: Literal["disabled", "between_tools"] | None = "disabled"
    sampling: bool = True  # temperature, top_p, top_k
    sampling_together: bool = True  # temperature beside top_p
    schema: bool = False  # `output_config.format`
    forced_tool: bool = True  # tool_choice of type `any` or `tool`
    system_later: bool = False  # messages of role `system`


# From which version on a line of models has a trait. Sources: the pages "What's new" and the migration
# guides under https://platform.claude.com/docs/en/models/, and these:
_ADAPTIVE = {"opus": (4, 6), "sonnet": (4, 6), "haiku": (5, 5), "fable": (0, 0), "mythos": (0, 0)}
"""https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking"""
_NO_BUDGET = {"opus": (4, 7), "sonnet": (5, 0), "haiku": (5, 5), "fable": (0, 0), "mythos": (0, 0)}
"""The same versions refuse sampling parameters."""
_THINKS = {"opus": (4, 0), "sonnet": (3, 7), "haiku": (4, 5), "fable": (0, 0), "mythos": (0, 0)}
_ONE_SAMPLING = {"opus": (4, 1), "sonnet": (4, 5), "haiku": (4, 5)}
_SCHEMA = {"opus": (4, 5), "sonnet": (4, 5), "haiku": (4, 5), "fable": (0, 0), "mythos": (0, 0)}
"""https://platform.claude.com/docs/en/build-with-claude/structured-outputs"""
_ALWAYS_THINKS = {"opus": (5, 5), "fable": (0, 0), "mythos": (0, 0)}
_BETWEEN_TOOLS = {"sonnet": (5, 5)}
_NO_FORCED_TOOL = {"opus": (5, 5), "sonnet": (5, 5), "fable": (5, 1), "mythos": (5, 1)}
_SYSTEM_LATER = {
    "opus": (4, 8),
    "sonnet": (5, 5),
    "haiku": (5, 5),
    "fable": (5, 1),
    "mythos": (5, 1),
}
"""https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages"""

_UNKNOWN = Abilities()


@lru_cache(maxsize=512)
def abilities(model: str) -> Abilities:
    """By the name alone, whatever a router puts before or behind it."""
    if (found := _NAME.search(model.lower())) is None:
        return _UNKNOWN
    line = found["line"] or found["old_line"]
    version = (
        int(found["major"] or found["old_major"]),
        int(found["minor"] or found["old_minor"] or 0),
    )

    def since(trait: dict[str, tuple[int, int]]) -> bool:
        return version >= trait.get(line, _EVER)

    adaptive, old_style = since(_ADAPTIVE), not since(_NO_BUDGET)
    efforts = ("xhigh", "max") if not old_style else ("max",)
    return Abilities(
        adaptive=adaptive,
        budget=since(_THINKS) and old_style,
        highest=efforts if adaptive else (),
        off=None if since(_ALWAYS_THINKS) else _off(since(_BETWEEN_TOOLS)),
        sampling=old_style,
        sampling_together=not since(_ONE_SAMPLING),
        schema=since(_SCHEMA),
        forced_tool=not since(_NO_FORCED_TOOL),
        system_later=since(_SYSTEM_LATER),
    )


def _off(between_tools: bool) -> Literal["disabled", "between_tools"]:
    return "between_tools" if between_tools else "disabled"
