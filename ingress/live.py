"""What happens now, for those who watch: requests as they are taken in, exchanges as they end, and the
processes as their heartbeats show them. One consumer for all watchers, connected while there are any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from ingress.happening import Finished, Started, finished, started
from ingress.processes import Flow, Processes
from schemas.clock import Clock
from schemas.kafka import KafkaConfig

log = structlog.get_logger()

STEP_MS = 500  # between two pieces of news
ROWS = 100  # of each kind in one piece; what is more is only counted
WAITING = 40  # pieces that one slow watcher may have waiting
FLOW_EVERY = 2.0  # seconds
_PAUSE = 1.0  # seconds after an error
_CLOSE_TIMEOUT = 5.0
_encode = msgspec.json.Encoder().encode


class Watcher:
    """One who watches. Who does not keep up loses pieces, and is told of how many."""

    __slots__ = ("_pieces", "lost")

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        self.lost = 0

    def put(self, piece: bytes) -> None:
        try:
            self._pieces.put_nowait(piece)
        except asyncio.QueueFull:
            self.lost += 1

    async def next(self) -> bytes:
        """The next piece: whole events of a stream."""
        piece = await self._pieces.get()
        if self.lost:
            piece += event("lost", {"pieces": self.lost})
            self.lost = 0
        return piece


class Rows(Struct, frozen=True):
    """What happened in one step. Of `left_out` exchanges only the ids are told, so that nothing that ended
    is shown as running; `more` counts them, and requests that are not told of."""

    started: list[Started]
    finished: list[Finished]
    left_out: list[str]
    more: int


def event(name: str, data: object) -> bytes:
    """One event of a stream."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(data))


class Live:
    """The watchers, and what they are told."""

    def __init__(self, kafka: KafkaConfig, client_id: str, clock: Clock) -> None:
        self._kafka = kafka
        self._client_id = client_id
        self._clock = clock
        self._watchers: set[Watcher] = set()
        self._watched = asyncio.Event()
        self._processes = Processes(clock)
        self._flow: Flow | None = None

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        """A watcher that is told of everything while the block runs."""
        watcher = Watcher()
        if self._flow is not None:
            watcher.put(event("flow", self._flow))
        self._watchers.add(watcher)
        self._watched.set()
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            if not self._watchers:
                self._watched.clear()
                self._flow = None
                await self._watched.wait()
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                log.warning("live_read_failed", error=repr(error))
                self._tell(event("interrupted", {"seconds": _PAUSE}))
                await asyncio.sleep(_PAUSE)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            **self._kafka.client_options(self._client_id),
            enable_auto_commit=False,
            auto_offset_reset="latest",
            fetch_max_wait_ms=STEP_MS,
        )
        try:
            await consumer.start()
            await self._follow(consumer)
        finally:
            await _close(consumer)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        topics = self._kafka.topics
        places = await self._places(consumer)
        read = [tp for tp in places if tp.topic != topics.replies]
        consumer.assign(read)
        await consumer.seek_to_end()
        for tp in read:  # what comes before its position is known would be passed over
            await consumer.position(tp)
        self._processes.forget()
        loop = asyncio.get_running_loop()
        flow_at = 0.0
        while self._watchers:
            begun = loop.time()
            if begun >= flow_at:
                flow_at = begun + FLOW_EVERY
                ends = await consumer.end_offsets(places)
                self._flow = self._processes.flow(ends)
                self._tell(event("flow", self._flow))
            batches = await consumer.getmany(timeout_ms=STEP_MS)
            self._news(record for records in batches.values() for record in records)
            # Many small fetches would cost more than all that is told.
            await asyncio.sleep(max(0.0, STEP_MS / 1000 - (loop.time() - begun)))

    async def _places(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        """Every partition that is read or counted."""
        topics, places = self._kafka.topics, []
        for topic in (*topics.lanes, topics.exchanges, topics.replies, topics.control):
            await consumer._client._wait_on_metadata(topic)
            found = consumer.partitions_for_topic(topic) or ()
            places += [TopicPartition(topic, number) for number in sorted(found)]
        return places

    def _news(self, records: Iterable[ConsumerRecord[bytes, bytes]]) -> None:
        topics = self._kafka.topics
        requests: list[ConsumerRecord[bytes, bytes]] = []
        exchanges: list[ConsumerRecord[bytes, bytes]] = []
        for record in records:
            if record.topic == topics.control:
                self._processes.receive(record)
            else:
                (exchanges if record.topic == topics.exchanges else requests).append(record)
        # An exchange's key is its request's id.
        ids = [(record.key or b"").decode(errors="replace") for record in exchanges]
        ended = [each for record in exchanges[:ROWS] if (each := finished(record)) is not None]
        begun: list[Started] = []
        over = {*ids}  # of these nobody needs to know that they began
        left = len(requests)
        for record in requests:
            if len(begun) == ROWS:
                break
            left -= 1
            if (seen := started(record)) is not None and seen.request_id not in over:
                begun.append(seen)
        if ended or begun or left or ids:
            told = Rows(begun, ended, ids[ROWS:], left + len(ids[ROWS:]))
            self._tell(event("rows", told))

    def _tell(self, piece: bytes) -> None:
        for watcher in self._watchers:
            watcher.put(piece)


async def _close(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            await consumer.stop()
    except (TimeoutError, KafkaError) as error:
        log.warning("live_close_failed", error=repr(error))
