"""Names of our own for models."""

from __future__ import annotations

from msgspec import Struct


class AliasTarget(Struct, frozen=True, forbid_unknown_fields=True):
    """A model that an alias may mean, and its share."""

    model: str
    provider: str | None = None  # instance or vendor; None: as if `model` was asked for
    weight: float = 1.0


class Alias(Struct, frozen=True, kw_only=True):
    """One name. It may shadow a model, and hold slashes; its targets are models, not aliases."""

    name: str
    targets: tuple[AliasTarget, ...]
    description: str | None = None
    enabled: bool = True
