"""The decision of each namespace: made when it is first asked for, and remembered over restarts."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import structlog
from typing_extensions import override

from schemas.tasks import Tasks
from streams.caches.meaning.memory import Memory, MemoryUnavailable
from streams.caches.semantic.decision import Decision
from streams.caches.semantic.learnt import Learnt
from streams.caches.semantic.ledger import Ledger
from streams.caches.semantic.threshold import Threshold
from streams.caches.semantic.verified import Limits, Verified, fitted

log = structlog.get_logger()

SPACES = 1_000  # namespaces in memory; the others wait where they are saved
EVERY = 30.0  # seconds between two looks at what is to be saved, and at what others learnt


class Decisions(Protocol):
    async def of(self, namespace: str) -> Decision:
        """Its decision. May take as long as it takes to read what it learnt before."""
        ...

    def learnt(self, namespace: str) -> None:
        """Its decision was told of a comparison."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The account of all namespaces of this worker."""
        ...

    async def close(self) -> None: ...


class One(Decisions):
    """A threshold is the same for all."""

    def __init__(self, decision: Threshold) -> None:
        self._decision = decision

    @override
    async def of(self, namespace: str) -> Decision:
        return self._decision

    @override
    def learnt(self, namespace: str) -> None:
        """It learns nothing."""

    @property
    @override
    def ledger(self) -> Ledger:
        return self._decision.ledger

    @override
    async def close(self) -> None:
        """Nothing is kept."""


class _Space:
    def __init__(self, decision: Verified) -> None:
        self.decision = decision
        self.loaded = False  # what was saved before is in it
        self.saved = 0  # labels, when it was saved last
        self.looked = 0  # requests, when the others' states were read last
        self.fitting = asyncio.Lock()

    @property
    def changed(self) -> bool:
        return self.decision.learnt.labels > self.saved


class Learning(Decisions):
    """A verified decision for each namespace."""

    def __init__(
        self,
        limits: Limits,
        worker: str,
        memory: Memory,
        random: Callable[[], float],
        every: float = EVERY,
    ) -> None:
        self._limits = limits
        self._worker = worker
        self._memory = memory
        self._random = random
        self._every = every
        self._spaces: OrderedDict[str, _Space] = OrderedDict()
        self._gone = Ledger()  # of namespaces that are no more in memory and learnt nothing
        self._waiting: dict[str, Ledger] = {}  # of those whose account comes back with them
        self._tasks = Tasks()

    def start(self) -> None:
        self._tasks.start(self._look_after(), name="what the semantic cache learnt")

    @override
    async def of(self, namespace: str) -> Decision:
        space = self._spaces.get(namespace)
        if space is None:
            learnt = Learnt(self._worker)
            space = self._spaces[namespace] = _Space(Verified(self._limits, learnt, self._random))
            self._waiting.pop(namespace, None)
            self._evict()
            await self._load(namespace, space)
        elif namespace in self._spaces:
            self._spaces.move_to_end(namespace)
        return space.decision

    @override
    def learnt(self, namespace: str) -> None:
        space = self._spaces.get(namespace)
        if space is not None and space.decision.due and not space.fitting.locked():
            self._tasks.start(self._fit(space), name="semantic fit")

    @property
    @override
    def ledger(self) -> Ledger:
        total = self._gone
        for ledger in self._waiting.values():
            total = total.merged(ledger)
        for space in self._spaces.values():
            total = total.merged(space.decision.learnt.ledger)
        return total

    @override
    async def close(self) -> None:
        await self._tasks.abort()
        for namespace, space in self._spaces.items():
            await self._save(namespace, space)
        await self._memory.close()

    # -- learning

    async def _fit(self, space: _Space) -> None:
        async with space.fitting:
            if space.decision.due:
                sample = space.decision.sample()
                space.decision.take(await asyncio.to_thread(fitted, sample))

    # -- remembering

    async def _load(self, namespace: str, space: _Space) -> None:
        """Take in what was saved, here before and elsewhere."""
        try:
            states = await self._memory.load(namespace)
        except MemoryUnavailable as error:
            log.warning("semantic_memory_unreadable", error=str(error))
            return
        first = not space.loaded
        for state in states:
            space.decision.learnt.merge(state)
        space.loaded = True
        if first:
            space.saved = space.decision.learnt.labels
        await self._fit(space)

    async def _save(self, namespace: str, space: _Space) -> None:
        """Never over what was not read: that would forget it."""
        if not (space.loaded and space.changed):
            return
        labels = space.decision.learnt.labels
        try:
            await self._memory.save(namespace, self._worker, space.decision.learnt.save())
        except MemoryUnavailable as error:
            log.warning("semantic_memory_unwritable", error=str(error))
            return
        space.saved = labels

    def _evict(self) -> None:
        while len(self._spaces) > SPACES:
            namespace, space = self._spaces.popitem(last=False)
            learnt = space.decision.learnt
            if learnt.labels:
                self._waiting[namespace] = learnt.ledger
            else:
                self._gone = self._gone.merged(learnt.ledger)
            if space.changed:
                self._tasks.start(self._save(namespace, space), name="semantic save")

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            for namespace, space in list(self._spaces.items()):
                if space.looked != space.decision.learnt.seen:
                    await self._load(namespace, space)
                    await self._save(namespace, space)
                    space.looked = space.decision.learnt.seen
