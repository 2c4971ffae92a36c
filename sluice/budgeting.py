"""Budgets and limits of a worker, made from its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from providers.base import Target
from schemas.kafka import KafkaConfig
from schemas.objects import Objects
from schemas.tasks import Tasks
from sluice import reports
from sluice.process import Context
from sluice.settings import budgets
from streams.budgets.base import Accounts
from streams.budgets.book import Book
from streams.budgets.config import BudgetsConfig
from streams.budgets.ledger import Ledger
from streams.budgets.memory import MemoryAccounts
from streams.budgets.stage import Desk, Reserving
from streams.costs import Prices
from streams.routing.router import Router
from streams.stages import Call, Stage


class _Planned:
    """Who may be called, as routing plans it."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def targets(self, call: Call) -> Sequence[Target]:
        return self._router.plan(call).targets


@asynccontextmanager
async def budgeted(
    context: Context, kafka: KafkaConfig, objects: Objects, router: Router, prices: Prices
) -> AsyncIterator[tuple[Stage, ...]]:
    """The stage that reserves, while the block runs; none if budgets are off."""
    config = budgets.config(context.settings)
    if config is None:
        yield ()
        return
    book = Book(config.seeds, objects)
    accounts = _accounts(config)
    shared = config.redis_url is not None
    ledger = Ledger(kafka, book, accounts, context.clock, shared=shared)
    if isinstance(accounts, MemoryAccounts):
        ledger.save = accounts.save
    desk = Desk(config, book, accounts, _Planned(router), context.clock, context.metrics)
    store = ledger.past = reports.spending(context.settings)
    desk.prices, desk.ready = prices, ledger
    tasks = Tasks()
    # One that ends by a fault of ours would let everybody spend.
    running = tasks.start(ledger.run(), name="ledger")
    running.add_done_callback(lambda _: context.stop.set())
    try:
        yield (lambda handler: Reserving(handler, desk),)
        if running.done():
            running.result()
    finally:
        await tasks.abort()
        await accounts.close()
        if store is not None:
            await store.close()


def _accounts(config: BudgetsConfig) -> Accounts:
    if config.redis_url is None:
        return MemoryAccounts(Path(config.file) if config.file else None)
    # Without an address nobody pays for its library.
    from streams.budgets.redis import RedisAccounts

    return RedisAccounts(config.redis_url, config.redis_prefix, config.redis_timeout)
