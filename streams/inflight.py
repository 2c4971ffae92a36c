"""Requests in this worker's hands: held, running, stopped, drained.

`admit` is called from the processor's loop body and never waits or raises. Held requests start as
places become free, in the dispatcher's order; at a lane's limit its topic's partitions are paused.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from schemas.batch_lines import BatchLine
from schemas.claims import Claim
from schemas.clock import Clock
from schemas.faultpoints import reach
from schemas.metrics import Metrics
from schemas.requests import Malformed, Position
from schemas.tasks import Tasks
from schemas.topics import Topics
from streams.cancellations import Cancellations
from streams.config import StreamsConfig
from streams.delivery import Delivery, Message, Partitions, Runs, parse, position_of
from streams.dispatcher import Dispatcher
from streams.elsewhere import Elsewhere
from streams.handling import Handling
from streams.log import Log
from streams.moving import Mover
from streams.waiting import Waiting

log = structlog.get_logger()

ALONE_FROM = 1  # redeliveries counted before; the next run has the worker to itself


class Inflight:
    """All requests of one worker."""

    def __init__(
        self,
        config: StreamsConfig,
        topics: Topics,
        handling: Handling,
        producers: Log,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.lanes = Dispatcher(config, topics)
        self._handling = handling
        self._clock = clock
        self.partitions: Partitions
        self.redeliveries: Callable[[int, str], int] = lambda partition, request_id: 0
        self.elsewhere: Elsewhere
        self.fatal: Callable[[BaseException], None] = lambda error: None
        # Removes the body of a claim check: its request has its outcome.
        self.settled: Callable[[Claim], Awaitable[None]] | None = None
        # What stands before `handling` for lines of batches, and whether such a one may go on.
        self.lines: Runs = handling
        self.is_open: Callable[[BatchLine], bool] = lambda line: True
        self.tasks = Tasks()
        self._mover = Mover(producers, self.tasks, metrics)
        self._live: dict[str, Delivery] = {}
        self._alone: deque[Delivery] = deque()  # wait until nothing else runs
        self._solo = False  # one that runs alone is running
        self._waiting = Waiting(config.max_held_bytes, self.lanes, self._pump)
        self._closed = False
        self._suspended = False  # between a revocation and the next adoption
        self._aborting = False
        self.cancellations = Cancellations()
        self._delivered = {
            kind: metrics.counter("sluice_deliveries", kind)
            for kind in ("new", "attached", "malformed")
        }
        metrics.gauge("sluice_running_requests", lambda: len(self._live))
        metrics.gauge("sluice_held_requests", lambda: self.held)

    @property
    def running(self) -> int:
        return len(self._live)

    @property
    def held(self) -> int:
        return self.lanes.held + len(self._alone) + self.elsewhere.held

    # -- in

    def admit(self, message: Message) -> None:
        """Take a record; called from the processor's loop body, which must not raise."""
        reach("streams.delivered")
        if self._suspended:
            return  # of partitions that are going: it is delivered again to whoever gets them
        lane = self.lanes[message.topic]
        try:
            delivery = parse(message, self._clock.time())
        except Malformed as error:
            self._delivered["malformed"].inc()
            lane.refusing += 1
            refusal = self._refuse(message, str(error), error)
            self.tasks.start(refusal, name=f"refuse {message.partition}:{message.offset}")
        else:
            self.partitions.attach(delivery, delivery.position)
            if self.lanes.idle(lane) and not (self._closed or self._solo or self._alone):
                self._start(delivery)
                if self._alone:  # it is to run alone, and maybe nothing else runs
                    self._pump()
                return
            lane.put(delivery)
            self._pump()
        if lane.full and not lane.paused:
            lane.paused = True
            self.partitions.pause(lane.topic)

    def _pump(self) -> None:
        """Start what may start."""
        while not (self._closed or self._solo or self._alone):
            if (delivery := self.lanes.next()) is None:
                break
            self._start(delivery)
        if self._alone and not self._live and not self._closed:
            self._solo = True
            self._run(self._alone.popleft(), redelivered=True)
        for lane in self.lanes.both:
            if lane.paused and lane.low:
                lane.paused = False
                self.partitions.resume(lane.topic)

    def again(self, delivery: Delivery) -> None:
        """It was held because another worker ran it."""
        self.lanes[delivery.message.topic].put(delivery)
        self._pump()

    def _start(self, delivery: Delivery) -> None:
        request, message = delivery.request, delivery.message
        if (live := self._live.get(request.request_id)) is not None:
            self.partitions.take_over(delivery.position)
            self._attach(delivery, live)
            return
        if self.elsewhere.holds(delivery):
            return
        redelivered = self.partitions.redelivered(delivery.position)
        if redelivered and self.redeliveries(message.partition, request.request_id) >= ALONE_FROM:
            self._alone.append(delivery)
            return
        self._run(delivery, redelivered=redelivered)

    def _run(self, delivery: Delivery, *, redelivered: bool) -> None:
        request = delivery.request
        self._delivered["new"].inc()
        self._live[request.request_id] = delivery
        self.lanes.began(delivery)
        delivery.started = delivery.running = True
        if self.cancellations.stops(delivery):
            delivery.stop_reason = "cancelled"
        elif request.deadline is not None and request.deadline <= self._clock.time():
            delivery.stop_reason = "expired"
        delivery.waits = self._waiting.of(delivery)
        delivery.task = self.tasks.start(
            self._work(delivery, redelivered=redelivered), name=f"request {request.request_id}"
        )

    def _attach(self, delivery: Delivery, live: Delivery) -> None:
        """The same request again: a redelivery, a producer's retry, or a copy that we moved forward."""
        self._delivered["attached"].inc()
        self.partitions.attach(live, delivery.position)
        if delivery.request.reply_to == live.request.reply_to or delivery.moved:
            if delivery.moved:  # it holds the request's place in the log from now on
                live.moving = False
                for position in live.positions:
                    self.partitions.finish(position)
            live.positions.append(delivery.position)
            return
        self.tasks.start(
            self._follow(delivery, live), name=f"request {delivery.request.request_id} again"
        )

    # -- work

    async def _work(self, delivery: Delivery, *, redelivered: bool) -> None:
        begun = self._clock.monotonic()
        try:
            handling = self._handling if delivery.request.line is None else self.lines
            await handling.run(delivery, redelivered=redelivered)
            claim = delivery.request.claim
            # What is in the dead letters may be sent again, and needs it.
            if claim is not None and self.settled is not None and not delivery.buried:
                await self.settled(claim)
            # The last thing: what is handed over from here on is finished already.
            if delivery.handed:
                await self.elsewhere.tell(delivery)
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
            self.lanes.ended(delivery)
            delivery.running = False
            if not self._live:
                self._solo = False
        for position in delivery.positions:
            self.partitions.finish(position)
        self.lanes[delivery.message.topic].took(self._clock.monotonic() - begun)
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
        self.partitions.finish(delivery.position)

    async def _refuse(self, message: Message, reason: str, error: Malformed) -> None:
        try:
            await self._handling.refuse(message, reason, error.reply_to)
        except Exception as failure:  # the edge, as above
            log.exception("refusal_stuck", partition=message.partition, offset=message.offset)
            self.fatal(failure)
            return
        finally:
            self.lanes[message.topic].refusing -= 1
            self._pump()
        self.partitions.finish(position_of(message))

    def move(self, delivery: Delivery, position: Position) -> None:
        """Produce a pinned request again, so that its old offset holds back no commit."""
        self._mover.fatal = self.fatal
        self._mover.move(delivery, position)

    # -- out

    def cancel(self, request_id: str, *, left: bool = False) -> None:
        """Stop a request, now or when it arrives; of one that its client has `left` its route may say
        that it goes on."""
        self.cancellations.note(request_id, left=left)
        live = self._live.get(request_id)
        if live is not None and self.cancellations.stops(live):
            live.stop("cancelled")

    def expire(self) -> None:
        """Stop what is past its deadline. Called a few times a second: no timer a request."""
        now = self._clock.time()
        for delivery in list(self._live.values()):
            deadline = delivery.request.deadline
            if deadline is not None and deadline <= now:
                delivery.stop("expired")
            elif (line := delivery.request.line) is not None and not self.is_open(line):
                delivery.stop("cancelled")

    def suspend(self) -> None:
        """Partitions are being revoked: what was not started belongs to their next owner."""
        self._suspended = True
        self._drop_held()
        self.elsewhere.forget()
        for delivery in self._live.values():
            delivery.handed = True

    def go_on(self) -> None:
        """Partitions were adopted."""
        self._suspended = False
        self._pump()  # what was paused has nothing held any more

    def _drop_held(self) -> None:
        self._alone.clear()
        self.lanes.clear()

    async def drain(self, timeout: float) -> None:
        """Start nothing more, wait up to `timeout` seconds; a stream cut short ends as failed."""
        self._closed = True
        self._drop_held()
        self.elsewhere.forget()
        if not await self.tasks.drain(timeout):
            return
        for delivery in list(self._live.values()):
            if delivery.begun:
                delivery.stop("shutdown")
        await self.tasks.drain(2.0)
        log.warning("drain_incomplete", redelivered=len(self._live))
        self._aborting = True
        await self.tasks.abort()
