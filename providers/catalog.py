"""The known models as look-up tables: built when a list changes, read by every request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import UNSET, Struct
from msgspec.structs import replace

from providers.instances import Instance
from schemas.models import Model
from schemas.price_overrides import overridden, selectors
from schemas.prices import Metadata, Pricing, merged


class Listed(Struct, frozen=True):
    """One entry of an instance's list."""

    id: str
    created: int = 0
    metadata: Metadata | None = None


class Catalog:
    """Immutable. Of instances that have the same bare id the first by name wins."""

    __slots__ = ("_bare", "_by_id", "_ids", "models")

    def __init__(
        self,
        instances: Iterable[Instance],
        lists: Mapping[str, Sequence[Listed]],
        known: Mapping[str, Mapping[str, Metadata]] | None = None,
        configured: Mapping[str, Metadata] | None = None,
        prices: Mapping[str, Pricing] | None = None,
    ) -> None:
        """`known`: what a price list says, by instance and model; `configured`: by selector, which is
        `instance/model`, `vendor/model` or `model`, and counts more than what the provider says; `prices`:
        by the selectors of `schemas/price_overrides.py`, and they count most."""
        self._bare: dict[str, list[Instance]] = {}
        self._ids: dict[str, frozenset[str]] = {}
        found: dict[str, Model] = {}
        for instance in sorted(instances, key=lambda one: one.name):
            listed = lists.get(instance.name, ())
            self._ids[instance.name] = frozenset(model.id for model in listed)
            for model in listed:
                self._bare.setdefault(model.id, []).append(instance)
                full = f"{instance.name}/{model.id}"
                metadata = _merged(
                    instance, model, (known or {}).get(instance.name, {}), configured or {}
                )
                if prices:
                    metadata = _priced(instance, model.id, metadata, prices)
                found[full] = Model(full, model.created, instance.name, metadata=metadata or UNSET)
        self._by_id = dict(sorted(found.items()))
        self.models: tuple[Model, ...] = tuple(self._by_id.values())

    def owners(self, bare: str) -> Sequence[Instance]:
        """The instances that answer to a bare id, the first of which it means."""
        return self._bare.get(bare, ())

    def has(self, instance: Instance, model: str) -> bool:
        return model in self._ids[instance.name]

    def of(self, instance: str, model: str) -> Model | None:
        """A listed model of an instance."""
        return self._by_id.get(f"{instance}/{model}")

    def find(self, name: str, may: Callable[[Model], bool] = lambda model: True) -> Model | None:
        """By `instance/model` or by the bare id, among those that `may` takes."""
        names = [name, *(f"{instance.name}/{name}" for instance in self.owners(name))]
        found = (self._by_id.get(each) for each in names)
        return next((model for model in found if model is not None and may(model)), None)


def unlisted(
    instance: Instance,
    model: str,
    configured: Mapping[str, Metadata],
    prices: Mapping[str, Pricing],
) -> Metadata | None:
    """What configuration and operators say of a model that no list has."""
    found = _merged(instance, Listed(model), {}, configured)
    return _priced(instance, model, found, prices) if prices else found


def _priced(
    instance: Instance, model: str, found: Metadata | None, prices: Mapping[str, Pricing]
) -> Metadata | None:
    """With the price of the narrowest selector that has one."""
    for selector in selectors(instance.name, instance.vendor, model):
        if (own := prices.get(selector)) is not None:
            found = found or Metadata()
            known = None if found.pricing is UNSET else found.pricing
            return replace(found, pricing=overridden(known, own))
    return found


def _merged(
    instance: Instance,
    model: Listed,
    known: Mapping[str, Metadata],
    configured: Mapping[str, Metadata],
) -> Metadata | None:
    """From what counts least to what counts most."""
    layers = (
        known.get(model.id),
        model.metadata,
        configured.get(model.id),
        configured.get(f"{instance.vendor}/{model.id}"),
        configured.get(f"{instance.name}/{model.id}"),
        instance.metadata.get(model.id),
    )
    found: Metadata | None = None
    for layer in layers:
        if layer is not None:
            found = layer if found is None else merged(found, layer)
    return found
