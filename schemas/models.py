"""Models as `GET /v1/models` lists them, and the interface by which the ingress asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import UNSET, Struct, UnsetType

from schemas.prices import Metadata


class Model(Struct, frozen=True):
    """One callable name. `id` is `instance/model`, or an alias."""

    id: str
    created: int
    owned_by: str  # the instance
    object: str = "model"
    metadata: Metadata | UnsetType = UNSET


class ModelCatalog(Protocol):
    """Who knows the models; `sluice` hands one to the ingress."""

    def models(self, user_path: str) -> Sequence[Model]:
        """All that may be called from there, sorted by id. Never blocks: lists are refreshed in the
        background."""
        ...

    def find(self, name: str, user_path: str) -> Model | None:
        """By `instance/model`, by the bare id or by an alias."""
        ...

    def vendor(self, name: str) -> str | None:
        """The vendor of an instance; None if there is no such instance."""
        ...
