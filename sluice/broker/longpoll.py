"""A fetch that cannot be answered at once: it waits for files, for records, or for its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from schemas.tasks import Tasks
from sluice.broker.disk import disk_trouble
from sluice.broker.fetch import Answer, Collector, FetchRequest, Wanted
from sluice.broker.segment import Slice


class LongPoll:
    """Answers through `done`, once: None says that the disk failed and the client must go.

    Woken by appends, at most once a turn of the loop. `cancel` when the client has gone.
    """

    __slots__ = (
        "_collector",
        "_done",
        "_late",
        "_locating",
        "_over",
        "_request",
        "_scheduled",
        "_tasks",
        "_timer",
    )

    def __init__(
        self,
        collector: Collector,
        tasks: Tasks,
        request: FetchRequest,
        done: Callable[[Answer | None], None],
    ) -> None:
        self._collector, self._tasks, self._request, self._done = collector, tasks, request, done
        self._late = self._locating = self._over = self._scheduled = False
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(request.max_wait, self._expire)
        for partition in request.partitions():
            partition.waiters.add(self)

    def wake(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._woken)

    def _woken(self) -> None:
        self._scheduled = False
        if not (self._over or self._locating):
            self.attempt(self._collector.collect(self._request))

    def _expire(self) -> None:
        self._late = True
        self._woken()

    def attempt(self, answer: Answer) -> None:
        """Answer with this if it suffices; first locate what is not in memory."""
        if answer.cold:
            self._locating = True
            self._tasks.start(self._locate(answer), name="broker-cold-fetch")
        elif self._late or answer.urgent or answer.size >= self._request.min_bytes:
            self.cancel()
            self._done(answer)
        else:
            self._collector.give_back(answer)

    async def _locate(self, answer: Answer) -> None:
        found: dict[Wanted, Slice | None] = {}
        try:
            for part, limit in answer.cold:
                if part.partition and not part.partition.closed:
                    found[part] = await part.partition.locate(part.offset, limit)
        except OSError as exc:
            disk_trouble("cold_read_failed", error=str(exc))
            self._drop(found)
            self.cancel()
            self._done(None)
            return
        self._locating = False
        if self._over:
            self._drop(found)
            return
        located = self._collector.collect_located(self._request, found)
        if located.size or located.urgent or self._late:
            self.cancel()
            self._done(located)

    @staticmethod
    def _drop(found: dict[Wanted, Slice | None]) -> None:
        for piece in found.values():
            if piece is not None:
                piece.release()

    def cancel(self) -> None:
        self._over = True
        self._timer.cancel()
        for partition in self._request.partitions():
            partition.waiters.discard(self)
