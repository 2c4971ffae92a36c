"""Idempotency keys of the assigned partitions: which outcome answers each, read from `llm.idempotency`.

A key stands in the partition of its requests, so that one worker decides on it. What is kept here is
small; the answer itself stands in `llm.exchanges`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container
from functools import partial

import msgspec
from aiokafka import ConsumerRecord

from schemas import headers as h, idempotency
from schemas.clock import Clock
from schemas.idempotency import RECORD_TYPE, Kept, Key
from schemas.requests import SCHEMA_VERSION
from streams.log import Log

# Reads a partition of a topic from a time (epoch milliseconds) to its present end.
Scan = Callable[[str, int, int, Callable[[ConsumerRecord[bytes, bytes]], None]], Awaitable[None]]
_Known = OrderedDict[bytes, Kept]


class Keys:
    """At most `limit` keys a partition, each for `ttl` seconds; beyond, the oldest are forgotten."""

    def __init__(self, topic: str, producer: Log, clock: Clock, *, ttl: float, limit: int) -> None:
        self._topic = topic
        self._log = producer
        self._clock = clock
        self._ttl = ttl
        self._limit = limit
        self._partitions: dict[int, _Known] = {}
        self._writing: dict[bytes, asyncio.Future[None]] = {}

    async def load(self, partition: int, scan: Scan) -> None:
        """Know a partition. Raises KafkaError if the log is away."""
        known = self._partitions.setdefault(partition, OrderedDict())
        since = int((self._clock.time() - self._ttl) * 1000)
        await scan(self._topic, partition, since, partial(self._read, known))

    def keep(self, partitions: Container[int]) -> None:
        """Forget what belongs to others by now."""
        for number in [each for each in self._partitions if each not in partitions]:
            del self._partitions[number]

    def _read(self, known: _Known, record: ConsumerRecord[bytes, bytes]) -> None:
        if record.key is None or record.value is None:
            return
        try:
            self._note(known, record.key, idempotency.decode(record.value))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return  # of a version that we do not know: the key is free

    def _note(self, known: _Known, name: bytes, kept: Kept) -> None:
        known[name] = kept
        known.move_to_end(name)
        if len(known) > self._limit:
            known.popitem(last=False)

    def find(self, key: Key) -> Kept | None:
        """What answers it."""
        known = self._partitions.get(key.partition)
        found = known.get(key.name) if known is not None else None
        return found if found is not None and found.expires > self._clock.time() else None

    def forget(self, key: Key) -> None:
        """Its answer is gone."""
        if (known := self._partitions.get(key.partition)) is not None:
            known.pop(key.name, None)

    def learn(self, partition: int, name: bytes, kept: Kept) -> None:
        """An outcome was read that answers a key."""
        self._note(self._partitions.setdefault(partition, OrderedDict()), name, kept)

    def header(self, key: Key) -> bytes:
        """What an outcome that answers a key says of it."""
        return idempotency.to_header(key, self._clock.time() + self._ttl)

    async def remember(self, key: Key, request_id: str, offset: int) -> None:
        """Write down that the outcome at `offset` answers a key, unless another one does; returns when
        that is acknowledged. Raises Undeliverable."""
        if self.find(key) is not None:
            return
        if (writing := self._writing.get(key.name)) is not None:
            await asyncio.wait((writing,))
            return
        written = self._writing[key.name] = asyncio.get_running_loop().create_future()
        kept = Kept(request_id, key.fingerprint, offset, self._clock.time() + self._ttl)
        try:
            await self._write(key, kept)
            self.learn(key.partition, key.name, kept)
        finally:
            del self._writing[key.name]
            written.set_result(None)

    async def confirm(self, key: Key, request_id: str) -> None:
        """Write down what is known of a key that this request has answered: its worker may have died
        before it did. Raises Undeliverable."""
        kept = self.find(key)
        if kept is not None and kept.request_id == request_id:
            await self._write(key, kept)

    async def _write(self, key: Key, kept: Kept) -> None:
        await self._log.write(
            self._topic,
            idempotency.encode(kept),
            key=key.name,
            headers=[(h.CE_TYPE, RECORD_TYPE), (h.SCHEMA_VERSION, b"%d" % SCHEMA_VERSION)],
            partition=key.partition,
        )
