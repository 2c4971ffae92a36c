"""What the broker's tests share: a clock moved by hand, batches, a client that speaks raw frames."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from sluice.broker import Broker
from sluice.broker.apis import APIS, Api
from sluice.broker.disk import Disk
from sluice.broker.partition import Partition, Store
from sluice.broker.syncer import Syncer
from sluice.broker.tail import Tails
from sluice.broker.topic_config import TopicConfig
from sluice.broker.wire import Reader, encode

KEYS = {api.name: key for key, api in APIS.items()}
Row = tuple[bytes | None, bytes | None, int]  # key, value, timestamp in ms
NOBODY = (-1, -1, -1)


class HandClock:
    """A clock that the test moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    @property
    def ms(self) -> int:
        return int(self.now * 1000)


def batch(
    rows: Iterable[Row], producer: tuple[int, int, int] = NOBODY, compression: int = 0
) -> bytes:
    """A record batch as a client makes it; `producer` is id, epoch and first sequence."""
    id_, epoch, sequence = producer
    builder = DefaultRecordBatchBuilder(2, compression, 0, id_, epoch, sequence, 1 << 30)
    for number, (key, value, timestamp) in enumerate(rows):
        builder.append(number, timestamp, key, value, [])
    return bytes(builder.build())


def one(value: bytes, timestamp: int = 1_800_000_000_000, key: bytes | None = b"k") -> bytes:
    """A batch of one record."""
    return batch([(key, value, timestamp)])


def a_store(folder: Path, clock: HandClock, tail_bytes: int = 1 << 20) -> Store:
    disk = Disk()

    def fatal(error: Exception) -> None:
        raise error

    return Store(folder, clock, disk, Syncer(disk, -1, fatal), Tails(tail_bytes))


@asynccontextmanager
async def open_log(
    folder: Path,
    clock: HandClock,
    config: TopicConfig | None = None,
    *,
    tail_bytes: int = 1 << 20,
    owner: int = 1,
) -> AsyncIterator[Partition]:
    """A partition, closed as a broker closes it."""
    store = a_store(folder, clock, tail_bytes)
    partition = Partition(store, "t", 0, config or TopicConfig(), owner)
    try:
        yield partition
    finally:
        partition.close(save=True)
        store.disk.close()


class RawClient:
    """Requests as dicts by the broker's own schemas, responses likewise; also any bytes at all."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def call(self, name: str, version: int, **request: Any) -> dict[str, Any]:
        await self.send(name, version, **request)
        return await self.answer(APIS[KEYS[name]], version)

    async def send(self, name: str, version: int, **request: Any) -> None:
        body = encode(bytearray(), APIS[KEYS[name]].request, request, version)
        await self.send_bytes(frame(KEYS[name], version, bytes(body)))

    async def send_bytes(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, api: Api, version: int) -> dict[str, Any]:
        payload = await self.payload()
        return Reader(memoryview(payload), 4).struct(api.response, version)

    async def payload(self) -> bytes:
        """One response, from its correlation id on; IncompleteReadError when disconnected."""
        async with asyncio.timeout(20):
            (size,) = struct.unpack(">i", await self.reader.readexactly(4))
            return await self.reader.readexactly(size)

    async def disconnected(self) -> bool:
        """Whether the broker closes the connection without another byte."""
        try:
            async with asyncio.timeout(20):
                return await self.reader.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.writer.close()


async def a_topic(client: RawClient, name: str = "t", partitions: int = 1, **settings: str) -> None:
    told = [{"name": key.replace("_", "."), "value": value} for key, value in settings.items()]
    topic = {"name": name, "partitions": partitions, "replication": 1, "configs": told}
    reply = await client.call("create_topics", 4, topics=[topic], timeout=1000)
    assert reply["topics"][0]["error"] == 0


async def until(condition: Callable[[], object]) -> None:
    """Wait, at most 20 s, for a condition of the broker."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # the broker does not tell its tests
            await asyncio.sleep(0.005)


async def abandon(broker: Broker) -> None:
    """End a broker as kill -9 does: nothing is saved, the folder becomes free."""
    broker.server.close()
    for connection in tuple(broker.shared.connections):
        connection.transport.abort()
    await broker.chores.abort()
    await broker.tasks.abort()
    for group in broker.offsets.groups.known.values():
        for member in group.members.values():
            if member.timer:
                member.timer.cancel()
    broker.failed.cancel()
    os.close(broker._lock)


def frame(key: int, version: int, body: bytes, client: bytes = b"raw") -> bytes:
    head = struct.pack(">hhih", key, version, 7, len(client)) + client
    return struct.pack(">i", len(head) + len(body)) + head + body


def produce_body(topic: str, number: int, records: bytes, acks: int = -1) -> bytes:
    name = struct.pack(">h", len(topic)) + topic.encode()
    parts = struct.pack(">iii", 1, number, len(records)) + records
    return struct.pack(">hhii", -1, acks, 1000, 1) + name + parts


def fetch_body(
    topic: str, number: int, offset: int, *, limit: int = 1 << 20, wait: int = 0
) -> bytes:
    """Version 4."""
    name = struct.pack(">h", len(topic)) + topic.encode()
    part = struct.pack(">iiqi", 1, number, offset, limit)
    return struct.pack(">iiiibi", -1, wait, 1, 50 << 20, 0, 1) + name + part


def produced(payload: bytes, topic: str) -> tuple[int, int]:
    """Error and base offset of a produce response (version 3 to 8) for one partition."""
    at = 4 + 4 + 2 + len(topic) + 4
    _, error, base = struct.unpack_from(">ihq", payload, at)
    return error, base


def fetched(payload: bytes, topic: str) -> tuple[int, bytes]:
    """Error and records of a fetch response (version 4) for one partition."""
    at = 4 + 4 + 4 + 2 + len(topic) + 4
    _, error, _, _, _, size = struct.unpack_from(">ihqqii", payload, at)
    return error, payload[at + 30 : at + 30 + size]
