"""The stages of a worker that answer without a call, made from its settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from providers.base import Target
from schemas.control import CacheReport, Purge
from sluice.process import CannotStart, Context
from sluice.settings import configs, semantic as semantic_rows
from streams.caches.base import Cache
from streams.caches.config import CacheConfig
from streams.caches.levels import Levels
from streams.caches.memory import MemoryCache
from streams.caches.purging import Purging
from streams.caches.tally import Tally
from streams.routing.router import Price, Router
from streams.stages import Call, Handler, Stage
from streams.stages.cache import ExactCache
from streams.stages.coalesce import Coalesce
from streams.stages.counted import Counted
from streams.stages.keeper import Keeper

if TYPE_CHECKING:
    from streams.caches.meaning.backstage import Backstage
    from streams.caches.meaning.semantic import Semantic


class Cached(Struct, frozen=True):
    """The stages, outermost first, and what else a worker has to do with them; nothing is cached
    without stages."""

    stages: tuple[Stage, ...] = ()
    purge: Callable[[Purge], None] = lambda purge: None
    report: Callable[[], CacheReport | None] = lambda: None


@asynccontextmanager
async def cached(context: Context, router: Router, price: Price) -> AsyncIterator[Cached]:
    """What answers without a call, while the block runs."""
    config = configs.cache_config(context.settings)
    if config is None:
        yield Cached()
        return
    async with AsyncExitStack() as block:
        made = await _Made.of(context, config, price, block)
        yield Cached(
            (made.counted, made.looked_up(router), made.coalesced),
            made.purging.purge,
            made.tally.report,
        )


class _Made:
    """The parts, and the stages that they become when the pipeline is composed."""

    def __init__(self, context: Context, config: CacheConfig, price: Price, tally: Tally) -> None:
        self.context = context
        self.config = config
        self.price = price
        self.tally = tally
        self.cache = _cache(context, config)
        self.semantic: Semantic | None = None
        self.backstage: Backstage | None = None
        self.keeper = Keeper(self.cache, config, context.clock)
        self.purging = Purging(self.cache)
        self.flights: Coalesce | None = None

    @classmethod
    async def of(
        cls, context: Context, config: CacheConfig, price: Price, block: AsyncExitStack
    ) -> _Made:
        """`block` closes them, the last first."""
        from streams.caches.meaning.seat import Seat

        try:
            seat = await asyncio.to_thread(Seat, context.settings.data_dir / "caches")
        except OSError as error:
            raise CannotStart(f"SLUICE_DATA_DIR: {error}") from error
        block.callback(seat.close)
        tally = Tally(seat.folder / "counts.json", seat.name)
        made = cls(context, config, price, tally)
        block.push_async_callback(made.cache.close)
        if (asked := semantic_rows.config(context.settings)) is not None:
            # Without it nobody pays for its libraries.
            from sluice.semantic import semantic
            from streams.caches.meaning.backstage import Backstage
            from streams.caches.meaning.labels import Forgetting

            made.backstage = Backstage(price, context.clock)
            found = await semantic(context, asked, seat, made.backstage, tally.before.semantic)
            made.semantic = made.keeper.semantic = found
            made.purging = Purging(made.cache, Forgetting(found.store))
            found.start(made.keeper.keep)
            block.push_async_callback(found.close)
            tally.semantic = found.report
        tally.start()
        block.push_async_callback(tally.close)
        block.push_async_callback(made._close)
        return made

    async def _close(self) -> None:
        await self.purging.close()
        if self.flights is not None:
            await self.flights.close()

    # -- stages

    def counted(self, handler: Handler) -> Handler:
        stage = Counted(handler, self.price, self.tally.before, self.context.metrics)
        self.tally.counted = stage.report
        return stage

    def looked_up(self, router: Router) -> Stage:
        def targets(call: Call) -> Sequence[Target]:
            return router.plan(call).targets

        def stage(handler: Handler) -> Handler:
            clock, metrics = self.context.clock, self.context.metrics
            made = ExactCache(handler, self.cache, self.config, targets, clock, metrics)
            made.semantic = self.semantic
            if self.flights is not None:
                made.under_way = self.flights.under_way
            return made

        return stage

    def coalesced(self, handler: Handler) -> Handler:
        if self.backstage is not None:
            self.backstage.handler = handler
        clock, metrics = self.context.clock, self.context.metrics
        shared = self.config.coalesce
        self.flights = Coalesce(handler, self.keeper.keep, clock, metrics, shared=shared)
        return self.flights


def _cache(context: Context, config: CacheConfig) -> Cache:
    memory = MemoryCache(config.memory if config.exact else 0, context.clock, context.metrics)
    if config.redis_url is None or not config.exact:
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
