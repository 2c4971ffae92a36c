"""Models as `GET /v1/models` lists them, and the interfaces by which the ingress asks for them."""

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


class Meant(Struct, frozen=True):
    """What a name means."""

    instance: str
    vendor: str
    model: str  # as its provider knows it


class Allowed(Struct, frozen=True):
    """Who may call a model."""

    default: bool  # whether those that no allow-list selects may be called
    selector: str | None = None  # of the allow-list that decides
    user_paths: tuple[str, ...] = ()  # that it names; those below them may, too

    @property
    def somebody(self) -> bool:
        """Whether it may be called from anywhere."""
        return self.default if self.selector is None else bool(self.user_paths)


class Inventory(Protocol):
    """Who knows everything about models, whoever may call them; for operators."""

    def listed(self) -> Sequence[Model]:
        """All models of all instances, without aliases, sorted by id."""
        ...

    def meant(self, name: str) -> Meant | None:
        """What is called under a name that is no alias; None if nothing is."""
        ...

    def allowed(self, instance: str, model: str) -> Allowed: ...
