"""The instances' lists of models: fetched in the background, kept over a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import structlog
from msgspec.structs import replace

from providers import snapshot
from providers.catalog import Catalog, Listed
from providers.config import RegistryConfig
from providers.discovery import list_request, parse_list
from providers.instances import Instance
from providers.knowledge import Known, known_of
from providers.snapshot import Kept
from providers.transport import Transport
from schemas.clock import Clock
from schemas.errors import GatewayError, UpstreamError
from schemas.prices import Pricing

log = structlog.get_logger()

_MAX_LIST = 16 << 20  # bytes


class Lists:
    """Holds a `catalog`, which is another object after every change."""

    def __init__(
        self,
        instances: Mapping[str, Instance],
        transport: Transport,
        config: RegistryConfig,
        folder: Path | None,
        clock: Clock,
    ) -> None:
        """`folder` keeps the snapshot; None keeps nothing. Reads the snapshot: may block."""
        self._instances = instances
        self._transport = transport
        self._config = config
        self._folder = folder
        self._clock = clock
        kept = snapshot.load(folder) if folder is not None else {}
        self._fetched = {
            name: found
            for name, found in kept.items()
            if (instance := instances.get(name)) is not None
            and instance.endpoint.models_url == found.models_url
        }
        self._known: Known = {name: found.known for name, found in self._fetched.items()}
        self.prices: dict[str, Pricing] = {}  # that operators have set, by selector
        self.catalog = self._build()

    def is_known(self, instance: Instance) -> bool:
        """Whether there is a list of that instance's models, maybe an old one."""
        return bool(instance.models) or instance.name in self._fetched

    def price(self, selector: str, pricing: Pricing | None) -> None:
        """What a selector's models cost from now on; None: what is known else."""
        self.prices.pop(selector, None)
        if pricing is not None:
            self.prices[selector] = pricing
        self.catalog = self._build()

    async def refresh_forever(self) -> None:
        """Fetches the lists now and then every `refresh_interval`, and those that failed sooner."""
        asked: Collection[str] = self._instances
        while True:
            failed = await self.refresh(asked)
            due = self._clock.monotonic() + self._config.refresh_interval
            while failed and (rest := due - self._clock.monotonic()) > 0:
                await asyncio.sleep(min(self._config.recheck_interval, rest))
                failed = await self.refresh(failed)
            await asyncio.sleep(max(due - self._clock.monotonic(), 0))

    async def refresh(self, names: Collection[str]) -> list[str]:
        """Fetches these instances' lists once, all at the same time, and what is known of the models.
        Who fails keeps its last list, and is named."""
        asked = [one for name in names if self._is_asked(one := self._instances[name])]
        answers = await asyncio.gather(*(self._fetch(instance) for instance in asked))
        found = list(zip(asked, answers, strict=True))
        before = dict(self._fetched)
        for instance, models in found:
            if models is not None:
                known = self._known.get(instance.name, {})
                kept = Kept(instance.endpoint.models_url, tuple(models), known)
                self._fetched[instance.name] = kept
        self.catalog = self._build()
        await self._learn()
        if self._folder is not None and self._fetched != before:
            try:
                await asyncio.to_thread(snapshot.save, self._folder, dict(self._fetched))
            except OSError as error:
                log.warning("models_not_kept", folder=str(self._folder), error=str(error))
        return [instance.name for instance, models in found if models is None]

    async def _learn(self) -> None:
        models = {name: [model.id for model in listed] for name, listed in self._listed().items()}
        known = await known_of(list(self._instances.values()), models, self._clock.time())
        if known is None or known == self._known:
            return
        self._known = known
        for name, kept in self._fetched.items():
            self._fetched[name] = replace(kept, known=known.get(name, {}))
        self.catalog = self._build()

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

    def _is_asked(self, instance: Instance) -> bool:
        return bool(instance.endpoint.models_url) and not self._is_fixed(instance)

    def _is_fixed(self, instance: Instance) -> bool:
        return bool(instance.models) and self._config.configured_models == "allowlist"

    def _listed(self) -> dict[str, Sequence[Listed]]:
        lists: dict[str, Sequence[Listed]] = {}
        for name, instance in self._instances.items():
            configured = {model.id: model for model in snapshot.only(instance.models)}
            fetched = self._fetched.get(name)
            if fetched is not None and not self._is_fixed(instance):
                configured |= {model.id: model for model in fetched.models}
            lists[name] = tuple(configured.values())
        return lists

    def _build(self) -> Catalog:
        instances = self._instances.values()
        return Catalog(
            instances, self._listed(), self._known, self._config.metadata, dict(self.prices)
        )
