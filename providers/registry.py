"""Which instance a model name means, and which models there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from providers.access import Access
from providers.alternatives import alternatives
from providers.base import Offer, Target
from providers.catalog import unlisted
from providers.config import RegistryConfig
from providers.instances import Instance
from providers.keys import KeyRing
from providers.lists import Lists
from providers.transport import Transport
from providers.vendors import VENDORS
from schemas.aliases import Alias, AliasTarget
from schemas.clock import Clock, SystemClock
from schemas.errors import InvalidRequest, ModelAccessDenied, ModelNotFound
from schemas.models import Allowed, Meant, Model
from schemas.objects import Table
from schemas.price_overrides import PriceOverride
from schemas.prices import Metadata, Pricing, cost

__all__ = ["Registry"]

_Meant = tuple[Instance, str]  # and the model as its provider knows it


class Registry:
    """The instances, their models and our own names for them. Implements `schemas.models.ModelCatalog`
    and `Inventory`.

    All but the refreshing only looks up.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        transport: Transport,
        config: RegistryConfig,
        folder: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`folder` keeps the lists; None keeps nothing. Reads them: may block."""
        clock = clock or SystemClock()
        self._instances = {instance.name: instance for instance in instances}
        self._lists = Lists(self._instances, transport, config, folder, clock)
        self._metadata = config.metadata
        self._only_aliases = config.only_aliases_listed
        self._aliases: dict[str, Alias] = {}
        self.name(config.aliases)
        self._access = Access(config.enabled_by_default, config.overrides)
        self._rings = {
            instance.name: KeyRing(len(instance.endpoints), clock.monotonic)
            for instance in instances
        }

    def name(self, aliases: Iterable[Alias]) -> None:
        """These are all aliases from now on."""
        self._aliases = {alias.name: alias for alias in aliases if alias.enabled}

    # -- who answers

    def candidates(self, model: str, user_path: str) -> tuple[Offer, ...]:
        """Where a request for `model` may be sent: one target, or those of an alias in its order.

        An alias comes first, if any of its targets is there; then the first segment is an instance's
        name, else a vendor's, else part of a bare id. What is asked of a named instance is never
        checked against its list. ModelNotFound, or ModelAccessDenied if nothing of it may be called
        from there.
        """
        alias = self._aliases.get(model)
        if alias is not None and (offers := self._offers(alias, user_path)):
            return offers
        meant = self._meant(model, user_path)
        if not self._allows(meant, user_path):
            raise ModelAccessDenied(param="model")
        return (Offer(self._target(meant)),)

    def resolve(self, model: str, user_path: str = "/") -> Target:
        """The first of the candidates."""
        return self.candidates(model, user_path)[0].target

    def instance(self, name: str) -> Target:
        """The instance of that name, else the first of the vendor of that name, and no model of it;
        InvalidRequest if there is neither."""
        found = self._instances.get(name) or self._of_vendor(name, "")
        if found is None:
            raise InvalidRequest(
                f"No provider is configured under the name {name[:100]!r};"
                f" there are: {', '.join(sorted(self._instances)) or 'none'}.",
                param="provider",
            )
        return self._target((found, ""))

    def again(self, target: Target) -> Target:
        """The same model of the same instance with the key whose turn it is."""
        found = self._instances.get(target.instance)
        return self._target((found, target.model)) if found is not None else target

    def alternatives(self, target: Target, user_path: str) -> Sequence[str]:
        """Models that may stand in for one, the likest first, and may be called from there."""
        catalog = self._lists.catalog
        known = catalog.of(target.instance, target.model)
        wanted = known or Model(f"{target.instance}/{target.model}", 0, target.instance)
        allowed = (model for model in catalog.models if self._may(model, user_path))
        return alternatives(wanted, allowed)

    def keeping(self, *routes: str) -> Sequence[Target]:
        """The instances that have one of the routes, sorted by name."""
        return tuple(
            self._target((instance, ""))
            for _, instance in sorted(self._instances.items())
            if instance.endpoint.routes.keys() & set(routes)
        )

    def vendor(self, name: str) -> str | None:
        """The vendor of an instance; None if there is no such instance."""
        found = self._instances.get(name)
        return found.vendor if found is not None else None

    def allows(self, instance: str, model: str, user_path: str) -> bool:
        """Whether that model of that instance may be called from there."""
        return self._access.allows(instance, model, user_path)

    def limit(self, instance: str, key: int, until: float) -> None:
        """The provider limits one key (`Endpoint.key`) until then, by the monotonic clock: the others
        are used so long."""
        self._rings[instance].limit(key, until)

    def free_keys(self, instance: str) -> int:
        """How many of the instance's keys are not limited now."""
        return self._rings[instance].free

    def price(
        self, instance: str, model: str, input_tokens: int, output_tokens: int
    ) -> float | None:
        """Dollars of a plain request of that size; None if that is not known."""
        found = self.pricing(instance, model)
        return None if found is None else cost(found, input_tokens, output_tokens)

    def pricing(self, instance: str, model: str) -> Pricing | None:
        """The rates of a model as they are now; None if none are known."""
        listed = self._lists.catalog.of(instance, model)
        if listed is not None:
            metadata = listed.metadata
        elif (known := self._instances.get(instance)) is not None:
            # What is asked of a named instance is never checked against its list.
            metadata = unlisted(known, model, self._metadata, self._lists.prices) or UNSET
        else:
            return None
        if metadata is UNSET or metadata.pricing is UNSET:
            return None
        return metadata.pricing

    def follow(self, prices: Table[PriceOverride]) -> None:
        """Count with the prices that operators set, and each change of them from now on."""
        prices.watch(
            lambda name, found: self._lists.price(name, None if found is None else found.pricing)
        )

    # -- what there is

    def models(self, user_path: str) -> Sequence[Model]:
        listed = self._lists.catalog.models
        if self._access.open and not self._aliases and not self._only_aliases:
            return listed
        found: dict[str, Model] = {}
        if not self._only_aliases:
            found = {model.id: model for model in listed if self._may(model, user_path)}
        for alias in self._aliases.values():
            if (model := self._listed_alias(alias, user_path)) is not None:
                found[alias.name] = model
        return tuple(found[name] for name in sorted(found))

    def listed(self) -> Sequence[Model]:
        return self._lists.catalog.models

    def meant(self, name: str) -> Meant | None:
        try:
            instance, model = self._meant(name, "/")
        except ModelNotFound:
            return None
        return Meant(instance.name, instance.vendor, model)

    def allowed(self, instance: str, model: str) -> Allowed:
        return self._access.of(instance, model)

    def find(self, name: str, user_path: str) -> Model | None:
        alias = self._aliases.get(name)
        if alias is not None and (model := self._listed_alias(alias, user_path)) is not None:
            return model
        return self._lists.catalog.find(name, lambda model: self._may(model, user_path))

    # -- refreshing

    async def refresh_forever(self) -> None:
        """Fetches the lists now and then every `refresh_interval`, until cancelled."""
        await self._lists.refresh_forever()

    async def refresh(self) -> None:
        """Fetches every instance's list once, all at the same time; who fails keeps its last list."""
        await self._lists.refresh(self._instances)

    # -- names

    def _meant(self, model: str, user_path: str) -> _Meant:
        first, slash, rest = model.partition("/")
        if slash and rest:
            if (named := self._instances.get(first)) is not None:
                return named, rest
            if (chosen := self._of_vendor(first, rest)) is not None:
                return chosen, rest
        owners = self._lists.catalog.owners(model)
        owner = next(
            (one for one in owners if self._access.allows(one.name, model, user_path)),
            owners[0] if owners else self._by_prefix(model) or self._only_unknown(),
        )
        if owner is None:
            raise ModelNotFound(
                f"No configured provider has the model {model[:100]!r}:"
                " GET /v1/models lists those that can be called.",
                param="model",
            )
        return owner, model

    def _allows(self, meant: _Meant, user_path: str) -> bool:
        return self._access.allows(meant[0].name, meant[1], user_path)

    def _may(self, model: Model, user_path: str) -> bool:
        bare = model.id.removeprefix(f"{model.owned_by}/")
        return self._access.allows(model.owned_by, bare, user_path)

    def _target(self, meant: _Meant) -> Target:
        instance, model = meant
        return Target(instance.endpoints[self._rings[instance.name].next()], model)

    def _of_vendor(self, vendor: str, model: str) -> Instance | None:
        """The vendor's first instance that lists the model, else its first."""
        own = sorted(
            (one for one in self._instances.values() if one.vendor == vendor),
            key=lambda one: one.name,
        )
        has = self._lists.catalog.has
        return next((one for one in own if has(one, model)), own[0] if own else None)

    def _by_prefix(self, model: str) -> Instance | None:
        for instance in self._instances.values():
            prefix = VENDORS[instance.vendor].model_prefix
            if prefix is not None and model.startswith(prefix):
                return instance
        return None

    def _only_unknown(self) -> Instance | None:
        """The gateway's only instance, while nothing is known of its models."""
        if len(self._instances) != 1:
            return None
        instance = next(iter(self._instances.values()))
        return None if self._lists.is_known(instance) else instance

    # -- aliases

    def _reachable(self, alias: Alias, user_path: str) -> Iterator[tuple[AliasTarget, _Meant]]:
        """Its targets that are there and may be called."""
        for target in alias.targets:
            name = f"{target.provider}/{target.model}" if target.provider else target.model
            try:
                meant = self._meant(name, user_path)
            except ModelNotFound:
                continue
            # A provider that is not there makes its name part of a bare id, which may be unknown.
            if self._allows(meant, user_path):
                yield target, meant

    def _offers(self, alias: Alias, user_path: str) -> tuple[Offer, ...]:
        return tuple(
            Offer(self._target(meant), target.weight)
            for target, meant in self._reachable(alias, user_path)
        )

    def _listed_alias(self, alias: Alias, user_path: str) -> Model | None:
        """An alias as one more model, which has the name and the metadata of its first target."""
        for _, (instance, model) in self._reachable(alias, user_path):
            meant = self._lists.catalog.of(instance.name, model)
            found = meant or Model(model, 0, instance.name)
            metadata = found.metadata
            if alias.description is not None:
                known = Metadata() if metadata is UNSET else metadata
                metadata = replace(known, description=alias.description)
            return replace(found, id=alias.name, metadata=metadata)
        return None
