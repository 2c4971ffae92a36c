"""Requests in this worker's hands: held, running, stopped, drained.

`admit` is called from the processor's loop body and never waits or raises. Held requests start as
places become free; at the limit (count or bytes) the topic's partitions are paused.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

import structlog

from schemas import headers as h
from schemas.clock import Clock
from schemas.faultpoints import reach
from schemas.headers import Headers
from schemas.metrics import Metrics
from schemas.requests import Malformed
from schemas.tasks import Tasks
from streams.config import StreamsConfig
from streams.delivery import Delivery, Message, Partitions, parse
from streams.handling import Handling
from streams.log import Log, Undeliverable
from streams.waiting import Waiting

log = structlog.get_logger()

REMEMBERED_CANCELLATIONS = 100_000
ALONE_FROM = 1  # redeliveries counted before; the next run has the worker to itself


class Inflight:
    """All requests of one worker."""

    def __init__(
        self,
        config: StreamsConfig,
        handling: Handling,
        producers: Log,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._config = config
        self._handling = handling
        self._log = producers
        self._clock = clock
        self.partitions: Partitions
        self.redeliveries: Callable[[int, str], int] = lambda partition, request_id: 0
        self.fatal: Callable[[BaseException], None] = lambda error: None
        self.tasks = Tasks()
        self.service_time = 0.0  # seconds, moving average
        self._held: deque[Delivery] = deque()
        self._held_bytes = 0
        self._paused = False
        self._live: dict[str, Delivery] = {}
        self._alone: deque[Delivery] = deque()  # wait until nothing else runs
        self._solo = False  # one that runs alone is running
        self._waiting = Waiting(config.max_held_bytes, self._pump)  # of the live ones
        self._closed = False
        self._suspended = False  # between a revocation and the next adoption
        self._aborting = False
        self._refusing = 0  # records on their way to the dead letters
        self._cancelled: OrderedDict[str, None] = OrderedDict()
        self._moved = metrics.counter("sluice_moved_requests")
        self._delivered = {
            kind: metrics.counter("sluice_deliveries", kind)
            for kind in ("new", "attached", "malformed")
        }
        metrics.gauge("sluice_running_requests", lambda: len(self._live))
        metrics.gauge("sluice_held_requests", lambda: len(self._held))

    @property
    def running(self) -> int:
        return len(self._live)

    @property
    def held(self) -> int:
        return len(self._held) + len(self._alone)

    @property
    def full(self) -> bool:
        """Nothing more is taken at the moment."""
        return self._paused

    # -- in

    def admit(self, message: Message) -> None:
        """Take a record; called from the processor's loop body, which must not raise."""
        reach("streams.delivered")
        if self._suspended:
            return  # of partitions that are going: it is delivered again to whoever gets them
        try:
            delivery = parse(message, self._clock.time())
        except Malformed as error:
            self._delivered["malformed"].inc()
            self._refusing += 1
            refusal = self._refuse(message, str(error), error)
            self.tasks.start(refusal, name=f"refuse {message.partition}:{message.offset}")
            self._bound()
            return
        self.partitions.attach(delivery, message.partition, message.offset)
        self._held.append(delivery)
        self._held_bytes += delivery.size
        self._pump()
        self._bound()

    def _bound(self) -> None:
        """Pause the partitions when enough is held; refusals wait for the log as requests do."""
        config = self._config
        held = len(self._held) + self._refusing
        if not self._paused and (
            held >= config.max_held or self._held_bytes >= config.max_held_bytes
        ):
            self._paused = True
            self.partitions.pause()

    def _pump(self) -> None:
        """Start what may start."""
        while self._held and not self._closed and not self._solo and not self._alone:
            if len(self._live) - self._waiting.count >= self._config.concurrency:
                break
            delivery = self._held.popleft()
            self._held_bytes -= delivery.size
            self._start(delivery)
        if self._alone and not self._live and not self._closed:
            self._solo = True
            self._run(self._alone.popleft(), redelivered=True)
        config = self._config
        low = (
            len(self._held) + self._refusing <= config.max_held // 2
            and self._held_bytes <= config.max_held_bytes // 2
        )
        if self._paused and low:
            self._paused = False
            self.partitions.resume()

    def _start(self, delivery: Delivery) -> None:
        request, message = delivery.request, delivery.message
        if (live := self._live.get(request.request_id)) is not None:
            self._attach(delivery, live)
            return
        redelivered = self.partitions.redelivered(message.partition, message.offset)
        if redelivered and self.redeliveries(message.partition, request.request_id) >= ALONE_FROM:
            self._alone.append(delivery)
            return
        self._run(delivery, redelivered=redelivered)

    def _run(self, delivery: Delivery, *, redelivered: bool) -> None:
        request = delivery.request
        self._delivered["new"].inc()
        self._live[request.request_id] = delivery
        delivery.started = True
        if request.request_id in self._cancelled:
            delivery.stop_reason = "cancelled"
        elif request.deadline is not None and request.deadline <= self._clock.time():
            delivery.stop_reason = "expired"
        delivery.waits = self._waiting.of(request.request_id, delivery.size)
        delivery.task = self.tasks.start(
            self._work(delivery, redelivered=redelivered), name=f"request {request.request_id}"
        )

    def _attach(self, delivery: Delivery, live: Delivery) -> None:
        """The same request again: a redelivery, a producer's retry, or a copy that we moved forward."""
        self._delivered["attached"].inc()
        message = delivery.message
        self.partitions.attach(live, message.partition, message.offset)
        if delivery.request.reply_to == live.request.reply_to or delivery.moved:
            live.offsets.add((message.partition, message.offset))
            return
        self.tasks.start(
            self._follow(delivery, live), name=f"request {delivery.request.request_id} again"
        )

    # -- work

    async def _work(self, delivery: Delivery, *, redelivered: bool) -> None:
        begun = self._clock.monotonic()
        try:
            await self._handling.run(delivery, redelivered=redelivered)
        except asyncio.CancelledError as error:
            if not self._aborting:  # nobody else may cancel it here: it would never be finished
                self.fatal(error)
            raise  # the process ends; nothing is finished, so it is redelivered
        except Exception as error:  # the edge: an effect on the log failed for good
            log.exception("request_stuck", request_id=delivery.request.request_id)
            self.fatal(error)
            return
        finally:
            self._live.pop(delivery.request.request_id, None)
            delivery.waits(False)
            if not self._live:
                self._solo = False
        for partition, offset in delivery.offsets:
            self.partitions.finish(delivery.message.topic, partition, offset)
        self.service_time += (self._clock.monotonic() - begun - self.service_time) * 0.05
        self._pump()

    async def _follow(self, delivery: Delivery, live: Delivery) -> None:
        """Wait for the live one, then answer this asker from its outcome."""
        if live.task is not None:
            await asyncio.wait((live.task,))
        try:
            await self._handling.run(delivery, redelivered=False)
        except Exception as error:  # the edge, as above
            log.exception("request_stuck", request_id=delivery.request.request_id)
            self.fatal(error)
            return
        message = delivery.message
        self.partitions.finish(message.topic, message.partition, message.offset)

    async def _refuse(self, message: Message, reason: str, error: Malformed) -> None:
        try:
            await self._handling.refuse(message, reason, error.reply_to)
        except Exception as failure:  # the edge, as above
            log.exception("refusal_stuck", partition=message.partition, offset=message.offset)
            self.fatal(failure)
            return
        finally:
            self._refusing -= 1
            self._pump()
        self.partitions.finish(message.topic, message.partition, message.offset)

    def move(self, delivery: Delivery, partition: int, offset: int) -> None:
        """Produce a pinned request again, so that its old offset holds back no commit."""
        if delivery.moving or not delivery.started:
            return
        delivery.moving = True
        self.tasks.start(
            self._move(delivery, partition, offset), name=f"move {delivery.request.request_id}"
        )

    async def _move(self, delivery: Delivery, partition: int, offset: int) -> None:
        message = delivery.message
        headers: Headers = [(n, v) for n, v in message.headers if n != h.REQUEST_ID]
        headers.append((h.REQUEST_ID, delivery.request.request_id.encode()))
        try:
            await self._log.write(
                message.topic, message.value, key=message.key, headers=headers, partition=partition
            )
        except Undeliverable as error:  # too large with one header more: it goes on pinning
            log.warning("move_refused", request_id=delivery.request.request_id, error=str(error))
            return
        except Exception as error:  # the edge, as above
            log.exception("move_failed", request_id=delivery.request.request_id)
            self.fatal(error)
            return
        reach("streams.moved")
        self.partitions.finish(message.topic, partition, offset)
        self._moved.inc()
        delivery.moving = False

    # -- out

    def cancel(self, request_id: str) -> None:
        """Stop a request, now or when it arrives."""
        if (live := self._live.get(request_id)) is not None:
            live.stop("cancelled")
            return
        self._cancelled[request_id] = None
        if len(self._cancelled) > REMEMBERED_CANCELLATIONS:
            self._cancelled.popitem(last=False)

    def expire(self) -> None:
        """Stop what is past its deadline. Called a few times a second: no timer a request."""
        now = self._clock.time()
        for delivery in list(self._live.values()):
            deadline = delivery.request.deadline
            if deadline is not None and deadline <= now:
                delivery.stop("expired")

    def suspend(self) -> None:
        """Partitions are being revoked: what was not started belongs to their next owner."""
        self._suspended = True
        self._drop_held()

    def go_on(self) -> None:
        """Partitions were adopted."""
        self._suspended = False

    def _drop_held(self) -> None:
        self._held.clear()
        self._alone.clear()
        self._held_bytes = 0
        self._paused = False

    async def drain(self, timeout: float) -> None:
        """Start nothing more, wait up to `timeout` seconds; a stream cut short ends as failed."""
        self._closed = True
        self._drop_held()
        if not await self.tasks.drain(timeout):
            return
        for delivery in list(self._live.values()):
            if delivery.begun:
                delivery.stop("shutdown")
        await self.tasks.drain(2.0)
        log.warning("drain_incomplete", redelivered=len(self._live))
        self._aborting = True
        await self.tasks.abort()
