"""Names of our own for models: those of `config.yaml`, of sets on `llm.config`, and those that the admin API
has set there one by one."""

from __future__ import annotations

from msgspec import Struct

from schemas.objects import Kind


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
    created_at: str | None = None  # RFC 3339; only of those that the admin API has set
    updated_at: str | None = None


class AliasInForce(Struct, frozen=True):
    """An alias as it is in force, and who says so: `admin`, `routing/<set>` or `config.yaml`."""

    alias: Alias
    source: str


ALIASES: Kind[Alias] = Kind("aliases", Alias)
