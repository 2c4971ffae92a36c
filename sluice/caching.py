"""The stages of a worker that answer without a call, made from its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from providers.base import Target
from sluice.process import Context
from sluice.settings import configs
from streams.caches.base import Cache
from streams.caches.config import CacheConfig
from streams.caches.levels import Levels
from streams.caches.memory import MemoryCache
from streams.routing.router import Router
from streams.stages import Call, Handler, Stage
from streams.stages.cache import ExactCache, Keeper
from streams.stages.coalesce import Coalesce


@asynccontextmanager
async def cached(context: Context, router: Router) -> AsyncIterator[tuple[Stage, ...]]:
    """The stages, outermost first; none if nothing is cached."""
    config = configs.cache_config(context.settings)
    if config is None:
        yield ()
        return
    cache = _cache(context, config)
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
        yield looked_up, coalesced
    finally:
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
