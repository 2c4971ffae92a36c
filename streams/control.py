"""`llm.control`: cancellations and purges in, heartbeats out."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas import control
from schemas.clock import Clock
from schemas.control import CacheReport, Cancellation, Handled, Heartbeat, Purge
from schemas.kafka import KafkaConfig
from schemas.requests import Position
from streams.log import Log

log = structlog.get_logger()

LOOK_BACK = 600.0  # seconds: a cancellation may be older than the worker that takes the request
BEAT = 1.0
RETRY = 1.0


class Cancel(Protocol):
    """Who ends requests."""

    def __call__(self, request_id: str, *, left: bool) -> None: ...


class Others(Protocol):
    """What is told of what other workers say."""

    def handled(self, positions: Iterable[Position]) -> None: ...
    def heard(self, boot_id: str) -> None: ...


class ControlReader:
    """Reads all of the topic, from ten minutes back."""

    def __init__(self, kafka: KafkaConfig, clock: Clock, cancel: Cancel, others: Others) -> None:
        self._kafka = kafka
        self._clock = clock
        self._cancel = cancel
        self._others = others
        self.on_purge: Callable[[Purge], None] = lambda purge: None
        self._consumer: AIOKafkaConsumer

    async def open(self) -> None:
        """Returns when everything up to now was read: an old cancellation precedes its request."""
        self._consumer = AIOKafkaConsumer(
            **self._kafka.consumer_options("sluice-control"),
            enable_auto_commit=False,
            auto_offset_reset="latest",
            fetch_max_wait_ms=500,
        )
        await self._consumer.start()
        tp = TopicPartition(self._kafka.topics.control, 0)
        self._consumer.assign([tp])
        since = int((self._clock.time() - LOOK_BACK) * 1000)
        found = (await self._consumer.offsets_for_times({tp: since}))[tp]
        end = (await self._consumer.end_offsets([tp]))[tp]
        position = end if found is None else found.offset
        self._consumer.seek(tp, position)
        while position < end:
            await self._read()
            position = await self._consumer.position(tp)

    async def close(self) -> None:
        await self._consumer.stop()

    async def run(self) -> None:
        """Read for ever."""
        while True:
            try:
                await self._read()
            except KafkaError as error:
                log.warning("control_unreadable", error=repr(error), retry_in=RETRY)
                await asyncio.sleep(RETRY)

    async def _read(self) -> None:
        batches = await self._consumer.getmany(timeout_ms=1000)
        for records in batches.values():
            for record in records:
                self._take(record.value)

    def _take(self, value: bytes | None) -> None:
        try:
            found = control.decode(value or b"")
        except msgspec.DecodeError:
            return
        match found:
            case Cancellation():
                self._cancel(found.request_id, left=found.reason == "disconnected")
            case Purge():
                self.on_purge(found)
            case Handled():
                self._others.handled(found.positions)
            case Heartbeat():
                if found.role == "streams":
                    self._others.heard(found.boot_id)


class Beat:
    """Says each second that this worker lives, and what it does."""

    def __init__(
        self, topic: str, producers: Log, clock: Clock, read: Callable[[Heartbeat], Heartbeat]
    ) -> None:
        self.boot_id = os.urandom(8).hex()
        self._topic = topic
        self._log = producers
        self._clock = clock
        self._read = read
        self._blank = Heartbeat("streams", self.boot_id, socket.gethostname(), os.getpid(), 0.0)
        self.acknowledged = clock.monotonic()  # when the log last took one
        self.cache: Callable[[], CacheReport | None] = lambda: None
        self.breakers: Callable[[], dict[str, str]] = dict

    async def once(self) -> None:
        blank = msgspec.structs.replace(
            self._blank, time=self._clock.time(), cache=self.cache(), breakers=self.breakers()
        )
        value, headers = control.encode(self._read(blank))
        await self._log.write(self._topic, value, key=None, headers=headers, partition=0)
        self.acknowledged = self._clock.monotonic()

    async def run(self) -> None:
        while True:
            await self.once()
            await asyncio.sleep(BEAT)
