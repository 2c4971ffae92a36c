"""The stage that reserves the worst case of a call before it is made: behind the caches, before routing's
candidates are asked. Nothing is asked where nothing is limited."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Protocol

import structlog
from msgspec.structs import replace

from providers.base import Target
from schemas.budget_errors import BudgetCheckFailed, BudgetExceeded, UnknownPrice
from schemas.clock import Clock
from schemas.costs import priced
from schemas.errors import GatewayError, RateLimited
from schemas.metrics import Metrics
from schemas.replies import Failed, Started
from schemas.usage import Usage
from streams.budgets.base import Accounts, AccountsUnavailable
from streams.budgets.book import Asked, Book, message, retry_after
from streams.budgets.config import BudgetsConfig
from streams.budgets.rate_headers import merged, rate_headers
from streams.costs import Prices
from streams.routing.facts import facts
from streams.stages import Call, Handler, Replies

log = structlog.get_logger()


class Planner(Protocol):
    """Who may be called for a request."""

    def targets(self, call: Call) -> Sequence[Target]:
        """GatewayError if nobody may."""
        ...


class Ready(Protocol):
    """Whether what is spent is known."""

    async def known(self) -> bool: ...


class Reserving:
    """A Handler."""

    def __init__(
        self,
        handler: Handler,
        desk: Desk,
    ) -> None:
        self._handler = handler
        self._desk = desk

    def __call__(self, call: Call) -> Replies:
        if not self._desk.book:
            return self._handler(call)
        return self._reserved(call)

    async def _reserved(self, call: Call) -> Replies:
        told: dict[str, str] = {}
        try:
            await self._desk.reserve(call, told)
        except GatewayError as error:
            if error.retry_after is not None:
                told["retry-after"] = f"{error.retry_after}"
            yield Failed(error, error.status, http_headers=told)
            return
        async with aclosing(self._handler(call)) as replies:
            async for reply in replies:
                if told and isinstance(reply, Started | Failed):
                    yield replace(reply, http_headers=merged(reply.http_headers, told))
                else:
                    yield reply


class Desk:
    """Reserves for all requests of a worker."""

    def __init__(
        self,
        config: BudgetsConfig,
        book: Book,
        accounts: Accounts,
        planner: Planner,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.book = book
        self.prices: Prices = lambda instance, model: None
        self.ready: Ready | None = None
        self._config = config
        self._accounts = accounts
        self._planner = planner
        self._clock = clock
        self._refused = {
            what: metrics.counter("sluice_budget_refusals", what)
            for what in ("budget", "requests", "tokens", "concurrency", "failure", "price")
        }

    async def reserve(self, call: Call, told: dict[str, str]) -> None:
        """Returns when the request may go on, with what its answer says of limits in `told`;
        BudgetExceeded, RateLimited, BudgetCheckFailed, UnknownPrice, or what is wrong with the model."""
        now = self._clock.time()
        asked = self._worst(call, now)
        demanded = self.book.demands(asked, now)
        if not demanded:
            return
        try:
            if self.ready is not None and not await self.ready.known():
                raise AccountsUnavailable("what is spent is not known yet")
            demands = [each.demand for each in demanded]
            standing = await self._accounts.reserve(call.request.request_id, demands, now)
        except AccountsUnavailable as error:
            log.warning("accounts_unavailable", error=str(error))
            if self._config.on_failure == "open":
                return
            self._refused["failure"].inc()
            raise BudgetCheckFailed(retry_after=1) from error
        told.update(rate_headers(demanded, standing, now))
        if standing.refused is None:
            return
        refused, used = demanded[standing.refused], standing.used[standing.refused]
        self._refused[refused.what].inc()
        kind = BudgetExceeded if refused.what == "budget" else RateLimited
        raise kind(message(refused, used), retry_after=retry_after(refused, used, now))

    def _worst(self, call: Call, now: float) -> Asked:
        """What the request may cost at most, by whoever of the candidates is the dearest."""
        request, model = call.request, call.envelope.model
        known = facts(request, model, stream=False, now=now)
        into, out = known["input_tokens"], known["max_tokens"]
        assert isinstance(into, int)
        assert isinstance(out, int)
        if request.operation == "embeddings":
            out = 0
        elif not out:
            out = self._config.max_tokens
        cost: int | None = 0
        budgeted = call.features is None or call.features.budget
        if budgeted and self.book.counts_money and request.relay is None:
            usage = Usage(into, out)
            costs = [
                priced(usage, self.prices(target.instance, target.model))
                for target in self._planner.targets(call)
            ]
            totals = [each.total for each in costs if each is not None]
            cost = max(totals) if totals else None
            if cost is None and self._config.unknown_price == "refuse":
                self._refused["price"].inc()
                raise UnknownPrice(param="model")
        return Asked(request.user_path, request.client, model, cost, into + out, budgeted)
