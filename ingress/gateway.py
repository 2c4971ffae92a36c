"""The parts of one ingress process and the order in which they start and stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import MappingProxyType

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from ingress.admission import Admission
from ingress.archive import Archive
from ingress.auth import Auth
from ingress.caller import Addresses, identify
from ingress.config import IngressConfig
from ingress.control import Workers
from ingress.deliver import Delivery
from ingress.follower import Follower
from ingress.guards import IncomingRequest
from ingress.keys import Keys
from ingress.lasting import OnDisconnect
from ingress.live import Live
from ingress.past import Past
from ingress.producer import Log
from ingress.reader import Reader
from ingress.rejections import Rejections
from ingress.replies import Replies
from ingress.signals import Signals
from ingress.spooling import Spooling
from schemas.analytics import NoReports, Reports
from schemas.clock import Clock
from schemas.configured import Configuration
from schemas.errors import Interrupted, Overloaded
from schemas.kafka import KafkaConfig
from schemas.kept import AnswerStore, Threads
from schemas.keys import KEYS
from schemas.metrics import Counter, Histogram, Metrics
from schemas.models import Inventory, ModelCatalog
from schemas.objects import ObjectLog
from schemas.operating import Operations
from schemas.replies import Address
from schemas.requests import INGRESS_SOURCE
from schemas.routing_sets import Checker
from schemas.tasks import Tasks
from schemas.tracing import Tracer

log = structlog.get_logger()

Connect = Callable[[], Awaitable[None]]

TICK = 0.1  # seconds between two looks at the deadlines
_RETRY = 0.5  # seconds between two attempts to reach the broker at start
_LAST_WORDS = 2.0  # seconds for interrupted streams to write their error events


class Gateway:
    """Everything that a request needs. Kafka may be away at any time, also at start."""

    reports: Reports = NoReports()  # what the store of the exchanges is asked
    tracer: Tracer | None = None  # None: nothing is traced; to be set before `start`

    objects: ObjectLog | None = None  # None: nothing is governed but by settings
    operations: Operations | None = None  # what operators can ask of the log
    routing: Checker | None = None  # who knows whether rules are right
    inventory: Inventory | None = None  # who knows all models
    threads: Threads | None = None  # who knows what goes on with what
    switches: Mapping[str, str] = MappingProxyType({})  # features by the names of their settings
    configured: Callable[[], Configuration] | None = None  # what this process was started with
    guardrails: Collection[str] = ()
    _keys: Keys | None = None

    def __init__(
        self,
        config: IngressConfig,
        kafka: KafkaConfig,
        catalog: ModelCatalog,
        answers: AnswerStore,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.config = config
        self.answers = answers
        self.catalog = catalog
        self.metrics, self.clock = metrics, clock
        self.auth = Auth(config.master_key)
        self.addresses = Addresses(config.trusted_proxies)
        self.spooling = Spooling(config, metrics, clock)
        self.delivery = Delivery(config.write_timeout, config.ping_interval, self.spooling.spool)
        self.workers = Workers(clock)
        self.admission = Admission(config, self.workers, metrics)
        self.replies = Replies(config.reply_buffer, metrics)
        self.log = Log(config, kafka, metrics, clock)
        self.signals = Signals(config, self.log, self.admission, clock)
        self.source = f"{INGRESS_SOURCE}{config.slot}"
        self.rejections = Rejections(self.log, kafka.topics.exchanges, self.source, metrics, clock)
        self.reply_to = Address(kafka.topics.replies, config.slot)
        self._reply_partition = TopicPartition(kafka.topics.replies, config.slot)
        self.reader = Reader(
            kafka,
            f"sluice-ingress-{config.slot}",
            {
                self._reply_partition: self.replies.receive,
                TopicPartition(kafka.topics.control, 0): self.workers.receive,
            },
            self._lost,
        )
        self.archive = Archive(kafka, f"sluice-ingress-{config.slot}-archive")
        self.follower = Follower(kafka, f"sluice-ingress-{config.slot}-follower")
        self.live = Live(kafka, f"sluice-ingress-{config.slot}-live", clock)
        self.exchanges = kafka.topics.exchanges
        self.past = Past(kafka, config, self.archive, answers, clock)
        self.tasks = Tasks()
        self._observed: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self.loops: list[asyncio.Task[None]] = []
        self.draining = False

    def govern(self, objects: ObjectLog, guardrails: Collection[str] = ()) -> None:
        """Before `start`: keys and all else on `llm.config` are followed from then on. `guardrails`: names of
        those in the settings."""
        self.objects, self.guardrails = objects, guardrails
        self._keys = Keys(objects.objects.table(KEYS))
        self.auth = Auth(self.config.master_key, self._keys)

    async def start(self) -> None:
        """Connect, for as long as it takes, and start the loops.

        The reader first: its position must be fixed before a request can be produced. Raises
        MissingPartition or PartitionMismatch where waiting would not help.
        """
        self.log.tracer = self.tracer
        await self._reach(self.reader.start)
        await self._reach(self.log.start)
        await self._follow()
        self.loops += [
            self.tasks.start(self.reader.run(), name="ingress replies"),
            self.tasks.start(self.signals.run(), name="ingress signals"),
            self.tasks.start(self._watch(), name="ingress deadlines"),
            self.tasks.start(self.follower.run(), name="ingress follower"),
            self.tasks.start(self.live.run(), name="ingress live"),
        ]
        if self.config.spool_dir is not None:
            self.loops.append(self.tasks.start(self.spooling.run(), name="ingress spool"))

    def on_disconnect(self, client: str | None) -> OnDisconnect:
        """What happens to the requests of a key when their clients go, if they do not say it."""
        key = self._keys.table.get(client) if self._keys is not None and client else None
        return (key.on_disconnect if key is not None else None) or self.config.on_disconnect

    async def _follow(self) -> None:
        if self.objects is None or self._keys is None:
            return
        await self._reach(self.objects.start)
        self._keys.read = True
        self.loops.append(self.tasks.start(self.objects.run(), name="config"))
        self.tasks.start(self.objects.mend(), name="config mend")

    async def _reach(self, connect: Connect) -> None:
        told = False
        while True:
            try:
                return await connect()
            except (KafkaError, OSError) as error:
                if not told:
                    log.warning("broker_unreachable", error=repr(error))
                told = True
            await asyncio.sleep(_RETRY)

    def identify(self, request: IncomingRequest) -> None:
        """Give the request its ids; InvalidRequest if the caller's could not be echoed."""
        identify(request, int(self.clock.time() * 1000), self.config.slot)

    def observe(self, route: str, status: int, began: float) -> None:
        """Count a request to a model route that began at `began` (monotonic)."""
        key = (route, status)
        if (found := self._observed.get(key)) is None:
            found = self._observed[key] = (
                self.metrics.counter("sluice_requests", route, str(status)),
                self.metrics.histogram("sluice_request_duration_seconds", route),
            )
        found[0].inc()
        found[1].observe(self.clock.monotonic() - began)

    def check(self) -> None:
        """Overloaded or LogUnavailable if nothing can be taken in now."""
        if self.draining:
            self.admission.reject("stopping")
            raise Overloaded("The gateway is stopping: ask again.", retry_after=1)
        if not self.log.healthy:
            self.admission.reject("log")
            self.log.check()

    def checks(self) -> dict[str, str]:
        """What readiness looks at, each `ok` or what is wrong."""
        return {
            "accepting": "stopping" if self.draining else "ok",
            "broker": "ok" if self.log.healthy else "the log does not acknowledge records",
            "reply_slot": "ok" if self.reader.healthy else "the reply partition is not being read",
            "worker": "ok"
            if self.workers.serving()
            else "no worker with partitions has been heard",
        }

    async def drain(self) -> None:
        """Take in nothing more, wait for what is in flight, end in-band what is left."""
        self.draining = self.signals.stopping = True
        if not await self.admission.idle(self.config.shutdown_timeout):
            log.warning("requests_interrupted", count=self.admission.count)
            error = Interrupted("The gateway is stopping: ask again.")
            self.replies.interrupt(error)
            self.follower.interrupt(error)
            await self.admission.idle(_LAST_WORDS)

    async def stop(self) -> None:
        """Stop the loops, send what is left to be said, close the connections."""
        await self.tasks.abort()
        await self.signals.close()
        await self.log.stop()
        await self.reader.stop()
        await self.follower.stop()
        await self.archive.stop()
        if self.objects is not None:
            await self.objects.stop()

    def _lost(self, partition: TopicPartition) -> None:
        if partition == self._reply_partition:
            self.replies.interrupt(Interrupted("Part of the answer was lost: ask again."))

    async def _watch(self) -> None:
        while True:
            self.replies.tick(self.clock.monotonic())
            self.follower.tick(self.clock.monotonic())
            await asyncio.sleep(TICK)
            if self.workers.expected_wait:
                self.workers.refresh()
