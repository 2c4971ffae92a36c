"""The Faust transport that never commits past unfinished work (docs/adr/0003).

Stock Faust commits past requests that are still running, so that a crash loses them. Here a `Ledger`
per partition says what may be committed; Faust's own acknowledgement book-keeping is not used.

Private names of the pinned versions that are used: Faust's Consumer._thread, _getmany and
_get_active_partitions; aiokafka's _fetch_max_wait_ms, _consumer_timeout, _request_timeout_ms and
_coordinator.fetch_committed_offsets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import ServiceT
from msgspec.structs import replace
from typing_extensions import override

from schemas.faultpoints import reach
from streams.flow import Flow
from streams.ledger import Commit, Ledger
from streams.thread import Thread

log = structlog.get_logger()

Load = Callable[[int, int], Awaitable[None]]  # partition, floor of its exchanges
RETRY = 0.2  # seconds
LAST_COMMIT = 5.0  # seconds: less than a session; without it what runs is called again


class Consumer(Flow):
    """Delivers each record once a generation, and commits what the ledgers allow."""

    _thread: Thread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ledgers: dict[TP, Ledger] = {}
        self.load: Load = _nothing
        self.end: Callable[[int], int] = lambda partition: 0
        self.on_pinned: Callable[[TP, int], None] = lambda tp, offset: None
        self.on_revoked: Callable[[], None] = lambda: None  # start nothing more
        self.on_adopted: Callable[[frozenset[int]], None] = lambda partitions: None
        self.pin_limit = 5_000
        self.boot_id = ""
        self.deliveries = 0  # since the start
        self._ready: set[TP] = set()
        self._committed: dict[TP, Commit] = {}
        self._generation: tuple[int, int] = (-1, 0)
        self._revocations = 0
        self._sought: dict[TP, int] = {}  # where a partition was sent back to
        self._committing = asyncio.Lock()  # one commit at a time, or an older one may come last
        self.on_commit: Callable[[bool], None] = lambda done: None

    @override
    def _new_consumer_thread(self) -> Thread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    # -- assignment

    @override
    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit a last time, then forget: what is redelivered to us attaches to its live task."""
        self._revocations += 1
        self.stop_flow()
        reach("streams.revoked")
        self.on_revoked()
        await self.commit_last()
        await super().on_partitions_revoked(revoked)

    async def commit_last(self) -> None:
        """The last commit before the partitions go. None may come later: it would say that what this worker
        goes on to run was left by one that crashed, and all of it would be called again."""
        try:
            async with asyncio.timeout(LAST_COMMIT), self._committing:
                await self._commit_changes(final=True)
        except TimeoutError:
            log.warning("last_commit_lost")
        finally:
            self._ready.clear()

    @override
    async def perform_seek(self) -> None:
        """Start each partition where its commit says, once the outcomes behind it are known."""
        while not self.should_stop:
            generation = self._now()
            tps = [TP(*tp) for tp in self.assignment()]
            try:
                return await self._adopt(tps, generation)
            except (KafkaError, TimeoutError) as error:
                log.warning("assignment_failed", error=repr(error), retry_in=RETRY)
                await asyncio.sleep(RETRY)
            if generation != self._now():
                return None
        return None

    def _now(self) -> tuple[int, int]:
        """Which assignment this is. Kafka's generation alone changes only when the next one is there."""
        return self.app.consumer_generation_id, self._revocations

    async def _adopt(self, tps: list[TP], generation: tuple[int, int]) -> None:
        if generation == self._generation and self._ready.issuperset(tps):
            return  # the flow stood still without a rebalance: nothing was lost
        begun = asyncio.get_running_loop().time()
        commits = await self._thread.fetch_committed(tps)
        floors = _floors(commits)
        if missing := [tp for tp in tps if tp not in commits]:
            earliest = await self._thread.earliest_offsets(*missing)
            # Whoever starts requests commits first, so that without a commit nothing was started.
            commits |= {
                TP(*tp): Commit(offset, floors.get(tp.partition, 0), clean=True)
                for tp, offset in earliest.items()
            }
            floors = _floors(commits)
        ends = await self._thread.highwaters(*tps)
        for partition, floor in floors.items():
            await self.load(partition, floor)
        promises = {tp: replace(commits[tp], clean=False) for tp in tps if commits[tp].clean}
        if generation != self._now():
            return
        # From here on requests start: a crash must not find the promise that none was.
        if promises and not await self._thread.commit_with_metadata(promises):
            raise TimeoutError("the first commit was not taken")
        if generation != self._now():
            return
        previous, self.ledgers = self.ledgers, {}
        for tp in tps:
            late = previous[tp].finished if tp in previous else ()
            self.ledgers[tp] = Ledger(commits[tp], ends[tp], late)
            self._committed[tp] = promises.get(tp, commits[tp])
            await self._thread.seek_to(tp, commits[tp].offset)
        self._sought.clear()
        self._ready = set(tps)
        self._generation = generation
        self.on_adopted(frozenset(tp.partition for tp in tps))
        log.info(
            "partitions_assigned",
            partitions=sorted(tp.partition for tp in tps),
            seconds=round(asyncio.get_running_loop().time() - begun, 3),
        )

    # -- delivery

    @override
    async def _drain_messages(self, fetcher: ServiceT) -> None:
        """A plain loop: Faust's takes four tasks a message."""
        try:
            while not (self._stopped.is_set() or fetcher.should_stop):
                try:
                    await self._drain_once()
                except TimeoutError:
                    continue
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _drain_once(self) -> None:
        count = 0
        astray: set[TP] = set()
        async for tp, record in self._records():
            ledger = self.ledgers.get(tp) if tp in self._ready else None
            if ledger is None or tp in astray:
                continue
            if record.offset > ledger.next_offset and await self._went_astray(tp, ledger):
                astray.add(tp)
                continue
            if not ledger.deliver(record.offset):
                continue
            self.deliveries += 1
            await self.callback(self._to_message(tp, record))
            count += 1
            if count % 100 == 0:
                await asyncio.sleep(0)

    async def _went_astray(self, tp: TP, ledger: Ledger) -> bool:
        """Records were passed over: go back, unless the log has none there.

        A fetch that was under way during a rebalance can return records of the position before it,
        and what is dropped then is never fetched again. A ledger that believed such a gap would
        commit past work that nobody has done. What is missing after going back is really not there
        (a transaction's marker, retention).
        """
        if self._sought.get(tp) == ledger.next_offset:
            return False
        self._sought[tp] = ledger.next_offset
        await self._thread.seek_to(tp, ledger.next_offset)
        return True

    # -- commits

    def ledger(self, topic: str, partition: int) -> Ledger | None:
        """Of a partition that this worker has, or had until the adoption that is under way."""
        return self.ledgers.get(TP(topic, partition))

    @override
    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Called by Faust on its timer."""
        if self._committing.locked():
            return False
        async with self._committing:
            return await self._commit_changes(final=False)

    async def _commit_changes(self, *, final: bool) -> bool:
        """Commit what changed. `final`: no request starts afterwards in this generation."""
        commits: dict[TP, Commit] = {}
        for tp in self._ready:
            ledger = self.ledgers[tp]
            commit = ledger.commit(self.end(tp.partition), final=final, boot_id=self.boot_id)
            if commit != self._committed.get(tp):
                commits[tp] = commit
            if (pinned := ledger.pinning(self.pin_limit)) is not None:
                self.on_pinned(tp, pinned)
        if not commits:
            return False
        reach("streams.finished")
        done = await self._thread.commit_with_metadata(commits)
        self.on_commit(done)
        if done:
            self._committed |= commits
            reach("streams.committed")
        return done

    @property
    def ready(self) -> frozenset[TP]:
        """Partitions from which records are delivered."""
        return frozenset(self._ready)

    def lags(self) -> dict[TP, int]:
        """Records that were not delivered yet, by assigned partition."""
        behind = {}
        for tp in self._ready & self._assigned():
            high = self._thread.highwater(tp)
            behind[tp] = max(0, (high or 0) - self.ledgers[tp].next_offset)
        return behind

    def unadopted(self) -> bool:
        """Whether partitions were assigned from which nothing is delivered yet."""
        return not self._ready.issuperset(self._assigned())

    def lag(self, topic: str) -> int:
        """Records of a topic's assigned partitions that were not delivered yet."""
        return sum(lag for tp, lag in self.lags().items() if tp.topic == topic)

    def waiting(self) -> int:
        """Records that were not delivered yet and should be: not those of what is held back."""
        return sum(lag for tp, lag in self.lags().items() if tp.topic not in self._held_back)


def _floors(commits: Mapping[TP, Commit]) -> dict[int, int]:
    """From where on the outcomes of each partition are to be read: they are shared by its topics."""
    floors: dict[int, int] = {}
    for tp, commit in commits.items():
        floors[tp.partition] = min(commit.floor, floors.get(tp.partition, commit.floor))
    return floors


async def _nothing(partition: int, floor: int) -> None:
    return None


class Transport(driver.Transport):
    """Faust's aiokafka transport with our consumer."""

    Consumer = Consumer
