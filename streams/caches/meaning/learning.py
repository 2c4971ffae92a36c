"""What happens to an answer behind its caller's back: it is compared, and the question is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import structlog
from msgspec.structs import replace

from providers.retelling import words
from schemas.errors import GatewayError
from schemas.metrics import Metrics
from schemas.tasks import Tasks
from streams.caches.embedders.base import Embedder, EmbedderError
from streams.caches.entry import Entry, encode
from streams.caches.flight import Flight
from streams.caches.lookup import Lookup
from streams.caches.meaning.finding import Found, entry_of
from streams.caches.meaning.labels import labels
from streams.caches.meaning.parts import Parts
from streams.caches.semantic.decision import Lesson
from streams.caches.semantic.judges import Case
from streams.caches.vectors.base import (
    ById,
    Entry as Kept,
    Neighbour,
    Vector,
    VectorError,
)
from streams.stages import Call

log = structlog.get_logger()

BACKLOG = 256  # what comes while so many are at work teaches nothing
AT_ONCE = 8
PIECE = 100  # words that every embedder reads
SECONDS = 10.0  # that a store may take to keep a question
_AWAY = (VectorError, EmbedderError, GatewayError, OSError, TimeoutError)
Keep = Callable[[Flight], Awaitable[None]]


class Learner:
    """Never in anybody's way: all of it runs in tasks of its own, and may be given up."""

    def __init__(self, parts: Parts, metrics: Metrics) -> None:
        self._judge = parts.judge
        self._decisions = parts.decisions
        self._store = parts.store
        self._embedder = parts.embedder
        self._backstage = parts.backstage
        self._config = parts.config
        self.keep: Keep  # what keeps the answers that are asked for here
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._failures = metrics.counter("sluice_cache_failures")
        self.compared = {
            result: metrics.counter("sluice_cache_comparisons", result)
            for result in ("same", "different", "undecided")
        }
        self.tasks = Tasks()

    async def close(self) -> None:
        await self.tasks.abort()

    # -- what is told to it

    def answered(self, found: Found, entry: Entry, ttl: float | None) -> None:
        """A request has its own answer now, which may be given again for `ttl` seconds."""
        expires = entry.stored_at + (ttl or self._config.ttl)
        self._start(self._learn(found, replace(entry, expires_at=expires)))

    def served(self, call: Call, lookup: Lookup, found: Found) -> None:
        """A kept answer was given. If somebody shall find out whether it was right: a model that judges
        reads it; else the provider is asked, and what it says is kept."""
        if not found.verdict.judged:
            return
        if self._config.judge_model is not None:
            self._start(self._learn(found, None))
        else:
            self._start(self._audit(call, lookup, found))

    def _start(self, work: Awaitable[None]) -> None:
        if len(self.tasks) < BACKLOG:
            self.tasks.start(self._in_turn(work), name="semantic lesson")
        elif asyncio.iscoroutine(work):
            work.close()

    async def _in_turn(self, work: Awaitable[None]) -> None:
        async with self._turns:
            try:
                await work
            except _AWAY as error:
                self._failures.inc()
                log.warning("semantic_lesson_lost", error=str(error) or repr(error))

    # -- what comes of it

    async def _audit(self, call: Call, lookup: Lookup, found: Found) -> None:
        asked = Call(replace(call.request, reply_to=None, deadline=None), call.envelope)
        asked.lookup, asked.found = lookup, found
        await self.keep(await self._backstage.fly(asked))

    async def _learn(self, found: Found, fresh: Entry | None) -> None:
        verdict, same, rival = found.verdict, None, None
        candidate = verdict.candidate
        if verdict.judged and candidate is not None:
            same = await self._same(found, candidate.key, fresh)
            if same is False and candidate.rival is not None:
                rival = await self._same(found, candidate.rival, fresh)
        decision = await self._decisions.of(found.question.namespace)
        lesson = decision.learn(verdict, same, rival)
        self._decisions.learnt(found.question.namespace)
        async with asyncio.timeout(SECONDS):
            if lesson.drop is not None:
                await self._store.remove(ById(found.question.namespace, (lesson.drop,)))
            if lesson.keep:
                await self._keep(found, lesson, fresh)

    async def _same(self, found: Found, known: Neighbour, fresh: Entry | None) -> bool | None:
        kept, same = entry_of(known), None
        if kept is not None:
            said = words(found.dialect, fresh.body) if fresh is not None else None
            case = Case(found.question.text, known.text, words(found.dialect, kept.body), said)
            try:
                same = await self._judge.same(case)
            except _AWAY as error:
                log.warning("semantic_judge_failed", error=str(error) or repr(error))
        result = {True: "same", False: "different", None: "undecided"}[same]
        self.compared[result].inc()
        return same

    async def _keep(self, found: Found, lesson: Lesson, fresh: Entry | None) -> None:
        answer, candidate = fresh, found.verdict.candidate
        if answer is None and candidate is not None and lesson.group == candidate.key.group:
            answer = entry_of(candidate.key)  # a model found it right for this question, too
        vector = found.vector
        if vector is None:
            vector = await self._embedder.embed(found.question.text)
        if answer is None or vector is None:
            return
        group = lesson.group or found.key
        await self._store.add(
            Kept(
                id=found.key,
                namespace=found.question.namespace,
                group=group,
                text=found.question.text,
                vector=vector,
                answer=encode(answer),
                expires=answer.expires_at,
                labels=labels(answer, group),
            )
        )


def whole(embedder: Embedder) -> Callable[[str], Awaitable[Vector]]:
    """Embeds answers, which may be longer than an embedder reads: then by the mean of their pieces."""

    async def embed(text: str) -> Vector:
        if (vector := await embedder.embed(text)) is not None:
            return vector
        split = text.split()
        pieces = [" ".join(split[at : at + PIECE]) for at in range(0, len(split), PIECE)]
        found = [each for piece in pieces if (each := await embedder.embed(piece)) is not None]
        if len(found) < len(pieces) or not found:
            raise EmbedderError("this embedder cannot read the answer")
        total = np.sum(found, axis=0)
        return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), np.float32)

    return embed
