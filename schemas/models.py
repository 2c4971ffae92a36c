"""Models as `GET /v1/models` lists them, and the interface by which the ingress asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class Model(Struct, frozen=True):
    """One callable model. `id` is `instance/model`."""

    id: str
    created: int
    owned_by: str  # the instance
    object: str = "model"


class ModelCatalog(Protocol):
    """Who knows the models; `sluice` hands one to the ingress."""

    def models(self) -> Sequence[Model]:
        """All, sorted by id. Never blocks: lists are refreshed in the background."""
        ...

    def find(self, name: str) -> Model | None:
        """By `instance/model` or by the bare id."""
        ...
