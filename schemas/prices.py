"""What a model costs and can do, in the words of `GET /v1/models`. Prices are US dollars."""

from __future__ import annotations

from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import fields, replace

_PER = 1_000_000
T = TypeVar("T", bound=Struct)


class Tier(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Rates of a request whose input is at most so long; they hold for all of its tokens."""

    up_to_mtok: float | None = None  # of input, in millions; None: any length
    input_per_mtok: float | None = None
    output_per_mtok: float | None = None
    cached_input_per_mtok: float | None = None
    cache_write_per_mtok: float | None = None


class Pricing(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Rates; what is None is unknown. Those of parts (cached, reasoning …) stand in for the whole's."""

    currency: str | None = None
    input_per_mtok: float | None = None
    output_per_mtok: float | None = None
    cached_input_per_mtok: float | None = None
    cache_write_per_mtok: float | None = None
    reasoning_output_per_mtok: float | None = None
    batch_input_per_mtok: float | None = None
    batch_output_per_mtok: float | None = None
    audio_input_per_mtok: float | None = None
    audio_output_per_mtok: float | None = None
    per_image: float | None = None
    input_per_image: float | None = None
    per_second_input: float | None = None
    per_second_output: float | None = None
    per_character_input: float | None = None
    per_request: float | None = None
    per_page: float | None = None
    tiers: tuple[Tier, ...] = ()


class Rank(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where a model stands in one ranking."""

    elo: float | None = None
    rank: int | None = None
    as_of: str | None = None


class Metadata(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is known of a model beside its name."""

    display_name: str | None = None
    description: str | None = None
    family: str | None = None
    modes: tuple[str, ...] = ()  # `chat`, `embedding`
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: dict[str, bool] = {}
    rankings: dict[str, Rank] = {}
    pricing: Pricing | UnsetType = UNSET


def merged(under: T, over: T) -> T:
    """Field by field: what `over` says, else what `under` does."""
    changes = {}
    for field in fields(over):
        mine, theirs = getattr(over, field.name), getattr(under, field.name)
        if isinstance(mine, Pricing) and isinstance(theirs, Pricing):
            changes[field.name] = merged(theirs, mine)
        elif mine != field.default and not (isinstance(mine, dict) and not mine):
            changes[field.name] = mine
    return replace(under, **changes) if changes else under


def cost(pricing: Pricing, input_tokens: int, output_tokens: int) -> float | None:
    """Dollars of a plain request of that size; None if a rate that it needs is unknown."""
    into, out = pricing.input_per_mtok, pricing.output_per_mtok
    for tier in pricing.tiers:
        if tier.up_to_mtok is None or input_tokens <= tier.up_to_mtok * _PER:
            into = into if tier.input_per_mtok is None else tier.input_per_mtok
            out = out if tier.output_per_mtok is None else tier.output_per_mtok
            break
    if (into is None and input_tokens) or (out is None and output_tokens):
        return None
    tokens = input_tokens * (into or 0.0) + output_tokens * (out or 0.0)
    return tokens / _PER + (pricing.per_request or 0.0)
