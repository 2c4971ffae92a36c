"""Which instance a model name means, and which models there are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog

from providers import snapshot
from providers.base import Target
from providers.catalog import Catalog, Listed
from providers.config import RegistryConfig
from providers.discovery import list_request, parse_list
from providers.instances import BadVariable, Instance, instances
from providers.snapshot import Kept
from providers.transport import Transport
from providers.vendors import VENDORS
from schemas.errors import GatewayError, InvalidRequest, ModelNotFound, UpstreamError
from schemas.models import Model

log = structlog.get_logger()

_MAX_LIST = 16 << 20  # bytes


class Registry:
    """The instances and their lists of models. Implements `schemas.models.ModelCatalog`.

    `resolve`, `models` and `find` only look up; the lists are fetched by `refresh`.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        transport: Transport,
        config: RegistryConfig,
        folder: Path | None = None,
    ) -> None:
        """`folder` keeps the snapshot; None keeps nothing. Reads the snapshot: may block."""
        self._instances = {instance.name: instance for instance in instances}
        self._transport = transport
        self._config = config
        self._folder = folder
        kept = snapshot.load(folder) if folder is not None else {}
        self._fetched = {
            name: found
            for name, found in kept.items()
            if (instance := self._instances.get(name)) is not None
            and instance.endpoint.models_url == found.models_url
        }
        self._catalog = self._build()

    def models(self) -> Sequence[Model]:
        return self._catalog.models

    def find(self, name: str) -> Model | None:
        return self._catalog.find(name)

    def resolve(self, model: str) -> Target:
        """Where to send a request for `model`; ModelNotFound if no instance has it.

        The first segment is an instance's name, else a vendor's, else part of a bare id. What is
        asked of a named instance is never checked against its list.
        """
        first, slash, rest = model.partition("/")
        if slash and rest:
            if (named := self._instances.get(first)) is not None:
                return Target(named.endpoint, rest)
            if (chosen := self._of_vendor(first, rest)) is not None:
                return Target(chosen.endpoint, rest)
        owner = self._catalog.owner(model) or self._by_prefix(model) or self._only_unknown()
        if owner is None:
            raise ModelNotFound(
                f"No configured provider has the model {model[:100]!r}:"
                " GET /v1/models lists those that can be called.",
                param="model",
            )
        return Target(owner.endpoint, model)

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
        return Target(found.endpoint, "")

    def vendor(self, name: str) -> str | None:
        """The vendor of an instance; None if there is no such instance."""
        found = self._instances.get(name)
        return found.vendor if found is not None else None

    async def refresh_forever(self) -> None:
        """Fetches the lists now and then every `refresh_interval`, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._config.refresh_interval)

    async def refresh(self) -> None:
        """Fetches every instance's list once, all at the same time; who fails keeps its last list."""
        asked = [one for one in self._instances.values() if not self._is_fixed(one)]
        answers = await asyncio.gather(*(self._fetch(instance) for instance in asked))
        changed = {
            instance.name: Kept(instance.endpoint.models_url, tuple(models))
            for instance, models in zip(asked, answers, strict=True)
            if models is not None
        }
        if not changed:
            return
        before = dict(self._fetched)
        self._fetched.update(changed)
        self._catalog = self._build()
        if self._folder is not None and self._fetched != before:
            try:
                await asyncio.to_thread(snapshot.save, self._folder, dict(self._fetched))
            except OSError as error:
                log.warning("models_not_kept", folder=str(self._folder), error=str(error))

    async def _fetch(self, instance: Instance) -> list[Listed] | None:
        try:
            async with asyncio.timeout(self._config.fetch_timeout):
                async with self._transport.send(list_request(instance.endpoint)) as response:
                    body = await response.read(_MAX_LIST)
            if response.status != 200:
                raise UpstreamError(f"The provider answered with HTTP {response.status}.")
            models = parse_list(body)
        except (GatewayError, TimeoutError) as error:
            log.warning("models_not_fetched", instance=instance.name, error=str(error) or "timeout")
            return None
        log.info("models_fetched", instance=instance.name, models=len(models))
        return models

    def _is_fixed(self, instance: Instance) -> bool:
        return bool(instance.models) and self._config.configured_models == "allowlist"

    def _build(self) -> Catalog:
        lists: dict[str, Sequence[Listed]] = {}
        for name, instance in self._instances.items():
            configured = {model.id: model for model in snapshot.only(instance.models)}
            fetched = self._fetched.get(name)
            if fetched is not None and not self._is_fixed(instance):
                configured |= {model.id: model for model in fetched.models}
            lists[name] = tuple(configured.values())
        return Catalog(self._instances.values(), lists)

    def _of_vendor(self, vendor: str, model: str) -> Instance | None:
        """The vendor's first instance that lists the model, else its first."""
        own = sorted(
            (one for one in self._instances.values() if one.vendor == vendor),
            key=lambda one: one.name,
        )
        return next((one for one in own if self._catalog.has(one, model)), own[0] if own else None)

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
        known = instance.models or instance.name in self._fetched
        return None if known else instance


__all__ = ["BadVariable", "Instance", "Registry", "instances"]
