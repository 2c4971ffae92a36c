"""Looks for a kept answer to a question in other words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from providers.dialogue import CLIENTS
from schemas.clock import Clock
from schemas.errors import GatewayError
from schemas.metrics import Metrics
from schemas.tasks import Tasks
from streams.caches.embedders.base import EmbedderError
from streams.caches.entry import Corrupt, Entry, decode
from streams.caches.lookup import Lookup
from streams.caches.meaning.parts import Parts
from streams.caches.semantic.decision import Decision, Verdict
from streams.caches.semantic.extraction import Question, Scope, question
from streams.caches.vectors.base import Neighbour, Vector, VectorError
from streams.routing.breaker import Breaker
from streams.routing.config import BreakerConfig
from streams.stages import Call

log = structlog.get_logger()

NEIGHBOURS = 24
# A look-up for which nobody waits any more goes on so long: a connection may be made meanwhile.
PATIENCE = 10.0  # seconds
_BREAKER = BreakerConfig(failure_threshold=3, success_threshold=1, timeout=15.0)
_encode = msgspec.json.Encoder().encode


class Found(Struct, frozen=True):
    """What the semantic cache knows of a request: what is learnt from its answer."""

    key: str  # of the exact question
    dialect: str
    question: Question
    vector: Vector | None = None  # None: nobody looked
    verdict: Verdict = Verdict()
    entry: Entry | None = None  # the answer to be given


class _Looked(Struct, frozen=True):
    vector: Vector
    neighbours: Sequence[Neighbour]
    decision: Decision


class Finder:
    """Asks embedder and store, within a deadline and behind a breaker: what fails is a miss."""

    def __init__(self, parts: Parts, clock: Clock, metrics: Metrics) -> None:
        self._embedder = parts.embedder
        self._store = parts.store
        self._decisions = parts.decisions
        self._config = parts.config
        self._clock = clock
        self._breaker = Breaker(_BREAKER)
        self._failures = metrics.counter("sluice_cache_failures")
        self._looking: dict[str, _LookUp] = {}
        self._tasks = Tasks()

    async def close(self) -> None:
        await self._tasks.abort()

    async def find(self, call: Call, lookup: Lookup) -> Found | None:
        """None: the semantic cache has nothing to do with this request, or cannot be asked."""
        said = lookup.control
        if not said.semantic or call.request.operation != "chat":
            return None
        asked = self._question(call, lookup)
        if asked is None:
            return None
        found = Found(lookup.key, call.request.dialect, asked)
        if not said.read:
            return found
        looked = await self._looked_up(asked, lookup.key)
        if looked is None:
            return None
        neighbours = looked.neighbours
        if said.max_age is not None:
            oldest = self._clock.time() - said.max_age
            neighbours = [each for each in neighbours if _stored_at(each) > oldest]
        verdict = looked.decision.decide(asked.text, neighbours, said.threshold or 0.0)
        entry = None
        if verdict.serve and verdict.candidate is not None and not self._config.shadow:
            entry = entry_of(verdict.candidate.key)
        return replace(found, vector=looked.vector, verdict=verdict, entry=entry)

    def _question(self, call: Call, lookup: Lookup) -> Question | None:
        """None if its answer is nobody else's."""
        client = CLIENTS.get(call.request.dialect)
        if client is None:
            return None
        try:
            chat = client.parse(call.request)
        except GatewayError:
            return None
        # Dialect, headers, tenant and guardrails, as the exact cache tells them apart.
        tenant = _encode(lookup.question.beside).decode()
        scope = Scope(",".join(lookup.models), tenant, self._embedder.identity)
        return question(chat, scope, self._config.max_messages, self._config.hottest)

    # -- looking

    async def _looked_up(self, asked: Question, key: str) -> _Looked | None:
        """Equal requests at the same time look once."""
        look = self._looking.get(key)
        if look is None:
            if not self._breaker.enter(self._clock.monotonic()):
                return None
            look = self._looking[key] = _LookUp()
            look.task = self._tasks.start(self._look(asked, look, key), name="semantic look-up")
        assert look.task is not None
        await asyncio.wait((look.task,), timeout=self._config.timeout)
        if not look.task.done():
            self._failed(look, "it takes too long")
        elif not look.task.cancelled():
            if (fault := look.task.exception()) is None:
                return look.task.result()
            self._failed(
                look, repr(fault)
            )  # of ours: it is logged, and no reason to answer nothing
        return None

    async def _look(self, asked: Question, look: _LookUp, key: str) -> _Looked | None:
        try:
            async with asyncio.timeout(PATIENCE):
                decision = await self._decisions.of(asked.namespace)
                vector = await self._embedder.embed(asked.text)
                if vector is None:
                    self._succeeded(look)
                    return None
                now = self._clock.time()
                found = await self._store.search(asked.namespace, vector, NEIGHBOURS, now)
        except (EmbedderError, VectorError, GatewayError, OSError, TimeoutError) as error:
            self._failed(look, str(error) or repr(error))
            return None
        finally:
            del self._looking[key]
        self._succeeded(look)
        return _Looked(vector, found, decision)

    def _failed(self, look: _LookUp, reason: str) -> None:
        if not look.told:
            look.told = True
            self._failures.inc()
            self._breaker.failed(self._clock.monotonic())
            log.warning("semantic_cache_unavailable", reason=reason)

    def _succeeded(self, look: _LookUp) -> None:
        if not look.told:
            look.told = True
            self._breaker.succeeded()


class _LookUp:
    """One that runs. The breaker is told once what became of it."""

    def __init__(self) -> None:
        self.task: asyncio.Task[_Looked | None] | None = None
        self.told = False


def entry_of(neighbour: Neighbour) -> Entry | None:
    """The kept answer; None if its bytes are damaged."""
    try:
        return decode(neighbour.answer, None)
    except Corrupt as error:
        log.warning("cache_entry_corrupt", key=neighbour.id, error=str(error))
        return None


def _stored_at(neighbour: Neighbour) -> float:
    entry = entry_of(neighbour)
    return entry.stored_at if entry is not None else 0.0
