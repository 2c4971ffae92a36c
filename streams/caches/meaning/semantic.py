"""The semantic cache as the stage that looks answers up sees it."""

from __future__ import annotations

import asyncio

import structlog

from schemas.clock import Clock
from schemas.control import SemanticReport
from schemas.metrics import Metrics
from schemas.tasks import Tasks
from streams.caches.embedders.base import EmbedderError
from streams.caches.entry import Entry
from streams.caches.lookup import Lookup
from streams.caches.meaning.finding import Finder, Found
from streams.caches.meaning.learning import Keep, Learner
from streams.caches.meaning.parts import Parts
from streams.caches.vectors.base import Expired, VectorError
from streams.stages import Call

log = structlog.get_logger()

HOUR = 3600.0
PATIENCE = (
    60.0  # seconds that a connection, or the file of the embedded store, may take at the start
)


class Semantic:
    """All its parts; closes them."""

    def __init__(self, parts: Parts, clock: Clock, metrics: Metrics) -> None:
        self._config = parts.config
        self._clock = clock
        self._embedder = parts.embedder
        self.store = parts.store
        self._decisions = parts.decisions
        self._backstage = parts.backstage
        self._finder = Finder(parts, clock, metrics)
        self._learner = Learner(parts, metrics)
        self._tasks = Tasks()
        metrics.gauges("sluice_semantic_error_rate", self._rates)

    def start(self, keep: Keep) -> None:
        """`keep` keeps answers that are asked for to be compared."""
        self._learner.keep = keep
        self._tasks.start(self._warm(), name="semantic start")
        self._tasks.start(self._sweep(), name="semantic sweep")

    async def find(self, call: Call, lookup: Lookup) -> Found | None:
        """See Finder."""
        return await self._finder.find(call, lookup)

    def served(self, call: Call, lookup: Lookup, found: Found) -> None:
        """See Learner."""
        self._learner.served(call, lookup, found)

    def answered(self, found: Found, entry: Entry, ttl: float | None) -> None:
        """See Learner."""
        self._learner.answered(found, entry, ttl)

    def report(self) -> SemanticReport:
        """The account up to now."""
        ledger, spent, compared = (
            self._decisions.ledger,
            self._backstage.spent,
            self._learner.compared,
        )
        return SemanticReport(
            mode="threshold" if self._config.max_error_rate is None else "verified",
            shadow=self._config.shadow,
            max_error_rate=self._config.max_error_rate,
            requests=round(ledger.requests, 3),
            served=round(ledger.served, 3),
            wrong=round(ledger.wrong, 6),
            variance=round(ledger.variance, 6),
            judged=round(ledger.judged, 3),
            same=int(compared["same"].value),
            different=int(compared["different"].value),
            undecided=int(compared["undecided"].value),
            calls=spent.calls,
            input_tokens=spent.input_tokens,
            output_tokens=spent.output_tokens,
            cost=round(spent.cost, 9),
        )

    def _rates(self) -> list[tuple[tuple[str], float]]:
        """Nothing as long as nobody compares."""
        ledger = self._decisions.ledger
        if not ledger.judged:
            return []
        return [(("estimate",), ledger.error_rate), (("bound",), ledger.error_bound)]

    async def drain(self) -> None:
        """Wait for what is being learnt."""
        await self._learner.tasks.drain(None)

    async def close(self) -> None:
        await self._tasks.abort()
        await self._finder.close()
        await self._learner.close()
        await self._decisions.close()
        await self.store.close()
        await self._embedder.close()

    async def _warm(self) -> None:
        """Connect before the first request does, which has no time for it."""
        try:
            async with asyncio.timeout(PATIENCE):
                vector = await self._embedder.embed("hello")
                if vector is not None:
                    await self.store.search("", vector, 1, self._clock.time())
        except (EmbedderError, VectorError, OSError, TimeoutError) as error:
            log.warning("semantic_cache_unavailable", reason=str(error) or repr(error))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(HOUR)
            try:
                async with asyncio.timeout(PATIENCE):
                    await self.store.remove(Expired(self._clock.time()))
            except (VectorError, OSError, TimeoutError) as error:
                log.warning("semantic_sweep_failed", reason=str(error) or repr(error))
