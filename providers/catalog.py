"""The known models as look-up tables: built when a list changes, read by every request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from providers.instances import Instance
from schemas.models import Model


class Listed(Struct, frozen=True):
    """One entry of an instance's list."""

    id: str
    created: int = 0


class Catalog:
    """Immutable. Of instances that have the same bare id the first by name wins."""

    __slots__ = ("_bare", "_by_id", "_ids", "models")

    def __init__(
        self, instances: Iterable[Instance], lists: Mapping[str, Sequence[Listed]]
    ) -> None:
        self._bare: dict[str, Instance] = {}
        self._ids: dict[str, frozenset[str]] = {}
        found: dict[str, Model] = {}
        for instance in sorted(instances, key=lambda one: one.name):
            listed = lists.get(instance.name, ())
            self._ids[instance.name] = frozenset(model.id for model in listed)
            for model in listed:
                self._bare.setdefault(model.id, instance)
                full = f"{instance.name}/{model.id}"
                found[full] = Model(full, model.created, instance.name)
        self._by_id = dict(sorted(found.items()))
        self.models: tuple[Model, ...] = tuple(self._by_id.values())

    def owner(self, bare: str) -> Instance | None:
        """The instance that answers to a bare id."""
        return self._bare.get(bare)

    def has(self, instance: Instance, model: str) -> bool:
        return model in self._ids[instance.name]

    def find(self, name: str) -> Model | None:
        """By `instance/model` or by the bare id."""
        if (model := self._by_id.get(name)) is not None:
            return model
        if (instance := self._bare.get(name)) is not None:
            return self._by_id[f"{instance.name}/{name}"]
        return None
