"""The worker process: the faust.App, what stands around it, start and stop."""

from __future__ import annotations

import asyncio
import fnmatch
import gc
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import faust
import msgspec
import structlog
from faust.auth import SASLCredentials, SSLCredentials
from typing_extensions import override

from schemas.clock import Clock
from schemas.control import Heartbeat
from schemas.kafka import KafkaConfig
from schemas.metrics import Metrics
from schemas.requests import Position
from schemas.tasks import Tasks
from streams import heartbeat, topology, transport
from streams.answers import Sender
from streams.assigned import Assigned
from streams.config import StreamsConfig
from streams.control import Beat, ControlReader
from streams.delivery import Delivery
from streams.elsewhere import Elsewhere
from streams.handling import Handling
from streams.inflight import Inflight
from streams.keys import Keys
from streams.log import Log
from streams.outcomes import Outcomes
from streams.stages import Handler
from streams.stages.idempotency import Read
from streams.thread import Thread
from streams.watchdog import watch

log = structlog.get_logger()

SWEEP = 0.25  # seconds between looks at deadlines
CLOSE_TIMEOUT = 10.0  # seconds
SILENCE = 5.0  # seconds without an acknowledgement after which the log counts as away
WEEK = 7 * 24 * 3600.0  # seconds
RESULTS = ((True, "ok"), (False, "failed"))


class App(faust.App):
    """Faust with our transport."""

    consumer: transport.Consumer

    @override
    def _new_transport(self) -> Any:
        return transport.Transport(self.conf.broker_consumer, self)


class Unmonitored(faust.Monitor):
    """Faust's numbers of itself, of which ours make no use, without what they cost a record."""

    on_message_in = faust.Sensor.on_message_in
    on_message_out = faust.Sensor.on_message_out
    on_stream_event_in = faust.Sensor.on_stream_event_in
    on_stream_event_out = faust.Sensor.on_stream_event_out
    on_topic_buffer_full = faust.Sensor.on_topic_buffer_full


def make_app(config: StreamsConfig, kafka: KafkaConfig) -> App:
    """The faust.App; the reasons are in docs/adr/0003."""
    Path(config.faust_datadir).mkdir(parents=True, exist_ok=True)
    return App(
        kafka.topics.group("streams"),
        broker=[f"aiokafka://{server}" for server in kafka.bootstrap_servers.split(",")],
        broker_credentials=_credentials(kafka),
        broker_client_id="sluice-streams",
        datadir=config.faust_datadir,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,  # else Faust's own assignor, and a leader topic
        web_enabled=False,
        Monitor=Unmonitored,
        store="memory://",
        reply_create_topic=False,
        key_serializer="raw",
        value_serializer="raw",
        stream_wait_empty=False,  # waits without end for running requests; `drain` does it
        cython_optimizations=True,
        stream_buffer_maxsize=256,
        stream_processing_timeout=1800,
        broker_commit_livelock_soft_timeout=1800,
        broker_commit_interval=config.commit_interval,
        broker_commit_every=None,
        broker_session_timeout=config.session_timeout,
        broker_heartbeat_interval=config.heartbeat_interval,
        broker_rebalance_timeout=max(config.session_timeout, 15),
        # Faust gives an adoption this long and then never delivers again. It may last as long as the
        # log is away; Thread sets the time-out of requests.
        broker_request_timeout=WEEK,
        broker_max_poll_records=300,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=config.instance_id,
        producer_request_timeout=15,
    )


def _credentials(kafka: KafkaConfig) -> Any:
    context = kafka.ssl_context()
    if kafka.security_protocol.startswith("SASL"):
        return SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password,
            ssl_context=context,
            mechanism=kafka.sasl_mechanism,
        )
    return SSLCredentials(context) if context else None


class Worker:
    """Everything in one worker process, wired."""

    def __init__(
        self,
        config: StreamsConfig,
        kafka: KafkaConfig,
        handler: Callable[[Keys, Read], Handler],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """`handler` makes the pipeline around what is known of idempotency keys."""
        self._config = config
        self._clock = clock
        self._metrics = metrics
        self._topics = kafka.topics
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.log = Log(kafka, clock)
        self.keys = Keys(
            kafka.topics.idempotency,
            self.log,
            clock,
            ttl=config.idempotency_ttl,
            limit=config.idempotency_max_keys,
        )
        self.outcomes = Outcomes(kafka, self.log, self.keys)
        self.handling = handling = Handling(
            handler(self.keys, self.outcomes.read),
            self.outcomes,
            Sender(self.log),
            kafka.topics,
            clock,
            metrics,
        )
        self.handling = handling
        patterns = (kafka.topics.replies, f"{kafka.topics.replies}.*", *config.reply_topics)
        handling.may_reply_to = lambda topic: any(fnmatch.fnmatchcase(topic, p) for p in patterns)
        self.inflight = Inflight(config, kafka.topics, handling, self.log, clock, metrics)
        self.inflight.redeliveries = self.outcomes.redeliveries
        self.inflight.fatal = self._fail
        self.beat = Beat(kafka.topics.control, self.log, clock, self._heartbeat)
        self.elsewhere = Elsewhere(
            self.beat.boot_id, self.log, kafka.topics.control, config.session_timeout, clock
        )
        self.inflight.elsewhere = self.elsewhere
        self.control = ControlReader(kafka, clock, self.inflight.cancel, self.elsewhere)
        Thread.fetch_max_wait_ms = int(config.fetch_max_wait * 1000)
        self.app = make_app(config, kafka)
        topology.wire(self.app, kafka.topics, self.inflight)
        self._background = Tasks()
        self._opened: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._stopping = False
        # What else runs here, by name; and what is to be told before the requests are waited for.
        self.loops: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = []
        self.before_drain: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    def _background_ended(self, task: asyncio.Task[None]) -> None:
        """A worker without one of its loops looks alive and is not."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _heartbeat(self, blank: Heartbeat) -> Heartbeat:
        work = heartbeat.work(blank, self.app.consumer, self.inflight.lanes)
        return msgspec.structs.replace(work, stopping=self._stopping)

    async def open(self) -> None:
        for part in (self.log, self.outcomes, self.control):
            await part.open()
            self._opened.append(part.close)
        consumer = self.app.consumer
        consumer.load, consumer.end = self._load, self.outcomes.end
        consumer.pin_limit = self._config.pin_limit
        consumer.on_pinned, consumer.on_revoked = self._on_pinned, self.inflight.suspend
        consumer.on_adopted = self._on_adopted
        consumer.boot_id = self.beat.boot_id
        self.inflight.partitions = self.elsewhere.owners = Assigned(consumer)
        self.elsewhere.again = self.inflight.again
        self.elsewhere.refresh = lambda each: self.outcomes.load(each, self.outcomes.end(each))
        commits = {done: self._metrics.counter("sluice_commits", name) for done, name in RESULTS}
        consumer.on_commit = lambda done: commits[done].inc()
        self._metrics.gauges(
            "sluice_consumer_lag",
            lambda: [
                ((tp.topic, str(tp.partition)), float(lag)) for tp, lag in consumer.lags().items()
            ],
        )
        for name, loop in (
            ("control", self.control.run()),
            ("heartbeat", self.beat.run()),
            ("deadlines", self._sweep()),
            ("watchdog", watch(self.app.consumer, self._reachable, self._config, self._clock)),
            *((name, loop()) for name, loop in self.loops),
        ):
            task = self._background.start(loop, name=name)
            task.add_done_callback(self._background_ended)
        await self.app.start()

    async def _load(self, partition: int, floor: int) -> None:
        """What must be known of a partition before its requests start; the outcomes say it last."""
        await self.keys.load(partition, self.outcomes.scan)
        await self.outcomes.load(partition, floor)

    def _on_pinned(self, tp: Any, offset: int) -> None:
        delivery = self.app.consumer.ledgers[tp].delivery(offset)
        if isinstance(delivery, Delivery):
            self.inflight.move(delivery, Position(tp.topic, tp.partition, offset))

    def _on_adopted(self, partitions: frozenset[int]) -> None:
        self.outcomes.keep(partitions)
        self.keys.keep(partitions)
        self.inflight.go_on()

    def _reachable(self) -> bool:
        return self._clock.monotonic() - self.beat.acknowledged < SILENCE

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.inflight.expire()
            self.elsewhere.look()

    async def close(self) -> None:
        """Drain, commit, leave the group."""
        self._stopping = True
        for leave in self.before_drain:
            await leave()
        if self.app.started:
            self.app.consumer.stop_flow()
            self.app.flow_control.suspend()
            await self.inflight.drain(self._config.shutdown_timeout)
            await self.app.consumer.commit_last()
            await self._within(self.app.stop())
        await self.elsewhere.tasks.abort()
        await self._background.abort()
        for close in reversed(self._opened):
            await self._within(close())

    async def _within(self, closing: Coroutine[Any, Any, Any]) -> None:
        """A log that is away must not keep a process that has nothing more to say to it."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await closing
        except TimeoutError:
            log.warning("close_timed_out")


async def run(worker: Worker, stop: asyncio.Event, ready: Callable[[], None] | None = None) -> None:
    """Work until `stop` is set. Raises what made the worker useless; the process should then exit."""
    tasks = Tasks()
    try:
        await worker.open()
        gc.collect()
        gc.freeze()
        if ready is not None:
            ready()
        stopped = tasks.start(stop.wait(), name="stop")
        crashed = tasks.start(worker.app.wait_until_stopped(), name="faust")
        await asyncio.wait((stopped, crashed, worker.failed), return_when=asyncio.FIRST_COMPLETED)
        if worker.failed.done():
            worker.failed.result()
        if crashed.done() and not stop.is_set():
            raise RuntimeError(f"Faust stopped: {worker.app.crash_reason!r}")
    finally:
        await tasks.abort()
        await worker.close()
