"""Models that may stand in for another, by what is known of them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import UNSET

from schemas.models import Model
from schemas.prices import Metadata

MOST = 5
# The first of these in which both stand tells how alike two models are.
RANKINGS = (
    "chatbot_arena",
    *("chatbot_arena_coding", "chatbot_arena_math"),
    *("chatbot_arena_creative_writing", "chatbot_arena_vision"),
)


def alternatives(wanted: Model, models: Iterable[Model]) -> list[str]:
    """Names of at most five, the likest first: the same model elsewhere, its family, then those that
    are ranked as high. Of a model of which nothing is known only the first kind."""
    found = [
        (*likeness, model.id)
        for model in models
        if model.id != wanted.id and (likeness := _likeness(wanted, model)) is not None
    ]
    return [name for *_, name in sorted(found)[:MOST]]


def _likeness(wanted: Model, model: Model) -> tuple[int, float] | None:
    """Smaller is more alike; None: not at all."""
    if _bare(model) == _bare(wanted):
        return (0, 0.0)
    if wanted.metadata is UNSET or model.metadata is UNSET:
        return None
    one, other = wanted.metadata, model.metadata
    if one.modes and other.modes and not set(one.modes) & set(other.modes):
        return None
    apart = _apart(one, other)
    if one.family and one.family == other.family:
        return (1, math.inf if apart is None else apart)
    if apart is None or not set(one.categories) & set(other.categories):
        return None
    return (2, apart)


def _bare(model: Model) -> str:
    return model.id.removeprefix(f"{model.owned_by}/")


def _apart(one: Metadata, other: Metadata) -> float | None:
    """How far apart they stand in a ranking that has both."""
    for name in RANKINGS:
        mine, theirs = one.rankings.get(name), other.rankings.get(name)
        if mine is None or theirs is None:
            continue
        if mine.elo is not None and theirs.elo is not None:
            return abs(mine.elo - theirs.elo)
        if mine.rank is not None and theirs.rank is not None:
            return float(abs(mine.rank - theirs.rank))
    return None
