"""The stages of a worker that answer without a call, made from its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct

from providers.base import Target
from schemas.control import Purge
from sluice.process import Context
from sluice.settings import configs
from streams.caches.base import Cache
from streams.caches.config import CacheConfig
from streams.caches.levels import Levels
from streams.caches.memory import MemoryCache
from streams.caches.purging import Purging
from streams.routing.router import Router
from streams.stages import Call, Handler, Stage
from streams.stages.cache import ExactCache, Keeper
from streams.stages.coalesce import Coalesce


class Cached(Struct, frozen=True):
    """The stages, outermost first, and what forgets answers; without effect if nothing is cached."""

    stages: tuple[Stage, ...] = ()
    purge: Callable[[Purge], None] = lambda purge: None


@asynccontextmanager
async def cached(context: Context, router: Router) -> AsyncIterator[Cached]:
    """What answers without a call, while the block runs."""
    config = configs.cache_config(context.settings)
    if config is None:
        yield Cached()
        return
    cache = _cache(context, config)
    purging = Purging(cache)
    keeper = Keeper(cache, config, context.clock)
    flights: list[Coalesce] = []

    def targets(call: Call) -> Sequence[Target]:
        return router.plan(call).targets

    def looked_up(handler: Handler) -> Handler:
        return ExactCache(handler, cache, config, targets, context.clock, context.metrics)

    def coalesced(handler: Handler) -> Handler:
        flights.append(
            Coalesce(handler, keeper.keep, context.clock, context.metrics, shared=config.coalesce)
        )
        return flights[-1]

    try:
        yield Cached((looked_up, coalesced), purging.purge)
    finally:
        await purging.close()
        for each in flights:
            await each.close()
        await cache.close()


def _cache(context: Context, config: CacheConfig) -> Cache:
    memory = MemoryCache(config.memory, context.clock, context.metrics)
    if config.redis_url is None:
        return memory
    # Without an address nobody pays for its library.
    from streams.caches.redis import RedisCache

    redis = RedisCache(
        config.redis_url,
        config.redis_prefix,
        config.redis_timeout,
        context.clock,
        context.metrics,
    )
    return Levels(memory, redis)
