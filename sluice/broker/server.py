"""The broker as a whole: its folder, its parts, its port, its start and its end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import resource
from collections.abc import Callable
from contextlib import suppress

import structlog

from schemas.clock import Clock, SystemClock
from schemas.tasks import Tasks
from sluice.broker.admin import Admin
from sluice.broker.catalog import Catalog
from sluice.broker.cleaner import Cleaner
from sluice.broker.config import BrokerConfig
from sluice.broker.connection import Connection, Shared
from sluice.broker.disk import Disk
from sluice.broker.dispatch import Dispatch, handlers
from sluice.broker.errors import FolderInUse
from sluice.broker.fetch import Collector
from sluice.broker.files import replace_file
from sluice.broker.groups import Groups
from sluice.broker.journal import Journal
from sluice.broker.lookup import Address, Lookup
from sluice.broker.membership import Membership, SessionLimits
from sluice.broker.memory import RequestMemory, ResponseMemory
from sluice.broker.offsets import Offsets
from sluice.broker.partition import Store
from sluice.broker.rebalance import Rebalance
from sluice.broker.syncer import Syncer
from sluice.broker.tail import Tails

log = structlog.get_logger()

_PORTS = range(20_000, 32_768)  # below the range from which the kernel gives ports to clients
_PORT_ATTEMPTS = 50
_FILES = 65_536  # open files that are asked for: every partition has one
_FAREWELL = 2.0  # seconds in which clients may take what was sent to them


class Broker:
    """One node on one folder. `failed` ends with an exception when the disk cannot be trusted."""

    def __init__(self, config: BrokerConfig, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or SystemClock()
        self.tasks = Tasks()
        self.address = Address(config.host, config.port)

    async def start(self) -> str:
        """Recover the logs and listen; returns "host:port".

        Raises FolderInUse, OSError (folder or port), ValueError (a damaged `meta.json`).
        """
        loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[None] = loop.create_future()
        self._lock = _lock(self.config)
        _raise_file_limit()
        self.disk = Disk()
        try:
            self._assemble(loop)
            self.server = await self._listen()
            bootstrap = f"{self.address.host}:{self.address.port}"
            _write_bootstrap(self.config, bootstrap)
        except BaseException:
            self.disk.close()
            os.close(self._lock)
            raise
        self._start_chores()
        log.info("broker_started", bootstrap=bootstrap, topics=len(self.catalog.topics))
        return bootstrap

    def _assemble(self, loop: asyncio.AbstractEventLoop) -> None:
        config, clock, disk = self.config, self.clock, self.disk
        self.syncer = Syncer(disk, config.fsync_ms, self._fail)
        store = Store(config.folder, clock, disk, self.syncer, Tails(config.tail_memory_bytes))
        self.catalog = Catalog(store)
        self.journal = Journal(config.folder / "groups.log", disk, self.syncer)
        groups = Groups(self.journal, clock)
        self.rebalance = Rebalance(groups, config.rebalance_delay_ms / 1000)
        self.offsets = Offsets(groups, self.rebalance, self._exists)
        self.cleaner = Cleaner(self.catalog, self.offsets, config)
        limits = SessionLimits(config.min_session_ms, config.max_session_ms)
        table = handlers(
            Admin(self.catalog, groups, _broker_settings(config)),
            Lookup(self.catalog, self.address),
            Membership(groups, self.rebalance, limits),
            self.offsets,
            self.syncer,
        )
        responses = ResponseMemory(config.response_memory_bytes)
        dispatch = Dispatch(self.catalog, Collector(responses), self.tasks, table)
        requests = RequestMemory(config.request_memory_bytes, config.stalled_request_s)
        self.shared = Shared(config, loop, disk, self.tasks, dispatch, requests, responses)

    def _exists(self, topic: str, number: int) -> bool:
        return 0 <= number < len(self.catalog.partitions(topic))

    def _fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    def _start_chores(self) -> None:
        self.rebalance.resume()
        self.chores = Tasks()
        self.chores.start(self.cleaner.run(), name="broker-cleaner")
        self.chores.start(self.journal.run(), name="broker-journal")
        if self.config.fsync_ms >= 0:
            self.chores.start(self.syncer.run(), name="broker-syncer")

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        ports = [self.config.port]
        if not self.config.port:
            # the last one first: clients that knew it go on without being told
            ports = [self.catalog.port] * bool(self.catalog.port)
            ports += random.sample(_PORTS, _PORT_ATTEMPTS)
        for port in ports:
            try:
                server = await loop.create_server(
                    lambda: Connection(self.shared), self.config.host, port
                )
            except OSError:
                if port == ports[-1]:
                    raise
                continue
            break
        self.address.port = port
        if self.catalog.port != port:
            self.catalog.port = port
            self.catalog.save()
        return server

    async def close(self) -> None:
        """Answer no more, save the indexes, free the folder."""
        self.server.close()
        await self.chores.abort()
        for connection in tuple(self.shared.connections):
            connection.transport.close()
        await self._farewell()
        await self.tasks.drain(_FAREWELL)
        await self.tasks.abort()
        for partition in self.catalog:
            partition.close(save=True)
        if self.config.fsync_ms >= 0:
            await self.syncer.flush()
        self.disk.close()
        self.journal.close()
        self.failed.cancel()
        os.close(self._lock)
        log.info("broker_closed")

    async def _farewell(self) -> None:
        """Let clients take what was sent to them, for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self.shared.nobody.wait()
        for connection in tuple(self.shared.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


async def run(
    config: BrokerConfig,
    ready: Callable[[str], None] | None = None,
    *,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until `stop` is set or the task is cancelled; `ready` is told "host:port".

    The caller handles signals. Raises what Broker.start raises, and StorageFailed when an fsync
    failed: then the process must end, and a new one recovers.
    """
    broker = Broker(config)
    address = await broker.start()
    try:
        if ready:
            ready(address)
        waiting = broker.chores.start((stop or asyncio.Event()).wait(), name="broker-stop")
        await asyncio.wait((waiting, broker.failed), return_when=asyncio.FIRST_COMPLETED)
        if broker.failed.done():
            broker.failed.result()
    finally:
        await broker.close()


def _lock(config: BrokerConfig) -> int:
    config.folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(config.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise FolderInUse(f"{config.folder} is in use by another broker") from None
    return fd


def _write_bootstrap(config: BrokerConfig, bootstrap: str) -> None:
    file, line = config.bootstrap_file, bootstrap.encode() + b"\n"
    if file and not (file.exists() and file.read_bytes() == line):
        replace_file(file, line)


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _broker_settings(config: BrokerConfig) -> dict[str, str]:
    """What `describe_configs` tells of the broker, under Kafka's names."""
    return {
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": str(config.rebalance_delay_ms),
        "group.max.session.timeout.ms": str(config.max_session_ms),
        "group.min.session.timeout.ms": str(config.min_session_ms),
        "offset.metadata.max.bytes": "4096",
        "offsets.retention.minutes": str(config.offsets_retention_minutes),
        "producer.id.expiration.ms": str(config.producer_expiry_ms),
        "socket.request.max.bytes": str(config.max_request_bytes),
    }
