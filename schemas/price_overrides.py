"""Prices that an operator has set while everything runs: they count more than all that is known else."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from schemas.objects import Kind
from schemas.prices import Pricing, merged

EVERY = "/"  # the selector of all models


class PriceOverride(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the models that a selector means cost. The selector is its name on `llm.config`:
    `instance/model`, `vendor/model`, `model`, `instance/`, `vendor/`, or `/`."""

    pricing: Pricing
    created_at: str | None = None  # RFC 3339
    updated_at: str | None = None


PRICE_OVERRIDES: Kind[PriceOverride] = Kind("prices", PriceOverride)


def selectors(instance: str, vendor: str, model: str) -> Iterator[str]:
    """All that mean a model, the narrowest first."""
    yield f"{instance}/{model}"
    yield f"{vendor}/{model}"
    yield model
    yield f"{instance}/"
    yield f"{vendor}/"
    yield EVERY


def overridden(known: Pricing | None, own: Pricing) -> Pricing:
    """Rate by rate: what the override says, else what is known. Rates by length that are known do not
    stand against a plain rate of the override."""
    if known is None:
        return own
    found = merged(known, own)
    plain = own.input_per_mtok is not None or own.output_per_mtok is not None
    return replace(found, tiers=()) if plain and not own.tiers else found
