"""Connections: malformed input, order, slow clients, and the caps on memory over all of them."""

import asyncio
import os
import resource
import struct

import pytest

from sluice.broker.connection import SMALL
from tests.sluice.broker.conftest import Connect, StartBroker
from tests.sluice.broker.support import (
    KEYS,
    RawClient,
    a_topic,
    fetch_body,
    fetched,
    frame,
    one,
    produce_body,
    produced,
    until,
)

FETCH, PRODUCE = KEYS["fetch"], KEYS["produce"]


async def append(client: RawClient, records: bytes, topic: str = "t") -> tuple[int, int]:
    await client.send_bytes(frame(PRODUCE, 3, produce_body(topic, 0, records)))
    return produced(await client.payload(), topic)


async def fetch(client: RawClient, offset: int, limit: int = 1 << 20) -> tuple[int, bytes]:
    await client.send_bytes(frame(FETCH, 4, fetch_body("t", 0, offset, limit=limit)))
    return fetched(await client.payload(), "t")


def resident() -> int:
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


NAME = struct.pack(">h", 1) + b"t"
MALFORMED = {
    "zero size": struct.pack(">i", 0),
    "negative size": struct.pack(">i", -1),
    "huge size": struct.pack(">i", 2**31 - 1),
    "above the limit": struct.pack(">i", (100 << 20) + 1),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
    "unknown api": frame(999, 0, b""),
    "unsupported metadata version": frame(KEYS["metadata"], 99, b""),
    "negative version": frame(KEYS["metadata"], -1, b""),
    "produce version 2": frame(PRODUCE, 2, produce_body("t", 0, b"")[2:]),
    "fetch version 0": frame(FETCH, 0, fetch_body("t", 0, 0)),
    "truncated array": frame(KEYS["metadata"], 1, struct.pack(">i", 3) + NAME),
    "huge array": frame(KEYS["metadata"], 1, struct.pack(">i", 2**31 - 1)),
    "negative array": frame(KEYS["metadata"], 1, struct.pack(">i", -2)),
    "bad utf-8": frame(KEYS["metadata"], 1, struct.pack(">ih", 1, 2) + b"\xc3\x28"),
    "null where none may be": frame(KEYS["heartbeat"], 0, struct.pack(">h", -1)),
    "client id beyond the end": struct.pack(">ihhih", 14, KEYS["metadata"], 1, 7, 3000) + bytes(4),
    "produce: no body": frame(PRODUCE, 3, b""),
    "produce: many topics": frame(PRODUCE, 3, struct.pack(">hhii", -1, -1, 0, 2**31 - 1)),
    "produce: bad topic": frame(PRODUCE, 3, struct.pack(">hhiih", -1, -1, 0, 1, -1)),
    "produce: bad utf-8": frame(
        PRODUCE, 3, struct.pack(">hhiih", -1, -1, 0, 1, 2) + b"\xc3\x28" + struct.pack(">i", 0)
    ),
    "produce: negative records": frame(
        PRODUCE, 3, struct.pack(">hhii", -1, -1, 0, 1) + NAME + struct.pack(">iii", 1, 0, -5)
    ),
    "produce: records beyond the end": frame(
        PRODUCE, 3, struct.pack(">hhii", -1, -1, 0, 1) + NAME + struct.pack(">iii", 1, 0, 1 << 30)
    ),
    "fetch: no body": frame(FETCH, 4, b""),
    "fetch: many topics": frame(FETCH, 4, fetch_body("t", 0, 0)[:17] + struct.pack(">i", 1 << 30)),
    "fetch: many partitions": frame(
        FETCH,
        4,
        fetch_body("t", 0, 0)[:17] + struct.pack(">i", 1) + NAME + struct.pack(">i", 1 << 30),
    ),
    "fetch: negative partitions": frame(
        FETCH, 4, fetch_body("t", 0, 0)[:17] + struct.pack(">i", 1) + NAME + struct.pack(">i", -4)
    ),
}


async def test_malformed_requests_close_their_connection_only(
    start_broker: StartBroker, connect: Connect
) -> None:
    """Every kind of nonsense is answered by closing that connection; a neighbour notices nothing."""
    broker = await start_broker()
    neighbour = await connect(broker)
    await a_topic(neighbour)
    for number, (name, data) in enumerate(MALFORMED.items()):
        client = await connect(broker)
        await client.send_bytes(data)
        assert await client.disconnected(), name
        assert await append(neighbour, one(b"v")) == (0, number), name
    error, records = await fetch(neighbour, 0)
    assert (error, records.count(b"v")) == (0, len(MALFORMED))


async def test_random_bytes_do_no_harm(start_broker: StartBroker, connect: Connect) -> None:
    """Plausible headers with random bodies, for every API and version, leave the broker working."""
    broker = await start_broker()
    neighbour = await connect(broker)
    await a_topic(neighbour)
    for name, key in KEYS.items():
        if name in ("join_group", "create_topics"):
            continue  # random bytes that are a right request would make what is asked for
        for version in range(4):
            client = await connect(broker)
            await client.send_bytes(frame(key, version, os.urandom(40)) + frame(key, 77, b""))
            client.writer.write_eof()
            await client.reader.read()
            client.close()
    assert await append(neighbour, one(b"v")) == (0, 0)


async def test_a_torn_request_harms_nobody(start_broker: StartBroker, connect: Connect) -> None:
    """A client that dies within a request leaves nothing behind."""
    broker = await start_broker()
    client = await connect(broker)
    await a_topic(client)
    half = frame(PRODUCE, 3, produce_body("t", 0, one(bytes(500_000))))[:-9]
    await client.send_bytes(half)
    client.close()
    neighbour = await connect(broker)
    assert await append(neighbour, one(b"v")) == (0, 0)
    await until(lambda: broker.shared.request_memory.used == 0)


async def test_pipelined_requests_are_answered_in_order(
    start_broker: StartBroker, connect: Connect
) -> None:
    """Responses come in the order of the requests, also behind one that waits."""
    broker = await start_broker()
    client = await connect(broker)
    await a_topic(client)
    requests = [frame(FETCH, 4, fetch_body("t", 0, 0, wait=100))]
    requests += [frame(PRODUCE, 3, produce_body("t", 0, one(b"%d" % i))) for i in range(500)]
    await client.send_bytes(b"".join(requests))
    assert fetched(await client.payload(), "t") == (0, b"")
    assert [produced(await client.payload(), "t") for _ in range(500)] == [
        (0, i) for i in range(500)
    ]


async def test_clients_that_never_read_do_not_grow_the_broker(
    start_broker: StartBroker, connect: Connect
) -> None:
    """Forty clients ask for 20 MB each and take nothing: memory stays bounded, others are served."""
    broker = await start_broker(response_memory_bytes=4 << 20, tail_memory_bytes=8 << 20)
    neighbour = await connect(broker)
    await a_topic(neighbour, max_message_bytes=str(2 << 20))
    for _ in range(20):
        assert (await append(neighbour, one(os.urandom(1 << 20))))[0] == 0
    before = resident()
    stuck = [await connect(broker) for _ in range(40)]
    for client in stuck:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(5):
            await client.send_bytes(frame(FETCH, 4, fetch_body("t", 0, 0, limit=50 << 20)))
    for _ in range(20):
        assert len((await fetch(neighbour, 0, 50 << 20))[1]) > 20 << 20
    assert broker.shared.response_memory.used <= 4 << 20
    assert resident() - before < 120 << 20  # the neighbour's own 20 MB answers count here, too
    for client in stuck:
        client.writer.transport.abort()
    await until(lambda: broker.shared.response_memory.used == 0)


async def test_large_requests_share_a_bounded_memory(
    start_broker: StartBroker, connect: Connect
) -> None:
    """Ten 1 MB requests at once through 2 MB of memory all succeed, one after the other."""
    broker = await start_broker(request_memory_bytes=2 << 20)
    first = await connect(broker)
    await a_topic(first, max_message_bytes=str(2 << 20))
    clients = [await connect(broker) for _ in range(10)]
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, broker.shared.request_memory.used)
            await asyncio.sleep(0)

    watching = asyncio.get_running_loop().create_task(watch())
    answers = await asyncio.gather(*(append(c, one(os.urandom(1_000_000))) for c in clients))
    watching.cancel()
    assert sorted(answers) == [(0, i) for i in range(10)]
    assert 0 < most <= 2 << 20
    assert broker.shared.request_memory.used == 0


async def test_a_request_larger_than_the_memory_is_read_alone(
    start_broker: StartBroker, connect: Connect
) -> None:
    """A request above the cap is not refused and does not deadlock: it gets the memory for itself."""
    broker = await start_broker(request_memory_bytes=1 << 20)
    clients = [await connect(broker) for _ in range(3)]
    await a_topic(clients[0], max_message_bytes=str(8 << 20))
    answers = await asyncio.gather(*(append(c, one(os.urandom(4 << 20))) for c in clients))
    assert sorted(answers) == [(0, 0), (0, 1), (0, 2)]


async def test_who_stalls_in_a_request_gives_way(
    start_broker: StartBroker, connect: Connect
) -> None:
    """A client that holds memory and sends nothing is disconnected when others wait for it."""
    broker = await start_broker(request_memory_bytes=1 << 20, stalled_request_s=0.2)
    good, bad = await connect(broker), await connect(broker)
    await a_topic(good, max_message_bytes=str(2 << 20))
    await bad.send_bytes(struct.pack(">i", 1_000_000) + bytes(1000))
    await until(lambda: broker.shared.request_memory.used > 0)
    assert await append(good, one(b"small")) == (0, 0)
    assert await append(good, one(os.urandom(900_000))) == (0, 1)
    assert await bad.disconnected()


async def test_connections_are_limited(start_broker: StartBroker, connect: Connect) -> None:
    """Beyond `max_connections` a new one is closed, and a place that becomes free is given again."""
    broker = await start_broker(max_connections=2)
    clients = [await connect(broker), await connect(broker)]
    for client in clients:
        await client.call("metadata", 1)
    assert await (await connect(broker)).disconnected()
    clients[0].close()
    await until(lambda: len(broker.shared.connections) == 1)
    await (await connect(broker)).call("metadata", 1)


async def test_a_large_answer_comes_whole_from_files(
    start_broker: StartBroker, connect: Connect
) -> None:
    """With no memory for responses, what is fetched is streamed from the files, byte for byte."""
    broker = await start_broker(response_memory_bytes=0, tail_memory_bytes=0)
    client = await connect(broker)
    await a_topic(client, max_message_bytes=str(4 << 20))
    bodies = [os.urandom(size) for size in (10, 3 << 20, 70_000, 1 << 20)]
    for body in bodies:
        await append(client, one(body))
    _, records = await fetch(client, 0, 50 << 20)
    assert all(body in records for body in bodies)
    assert all(segment._pins <= 1 for p in broker.catalog for segment in p.segments)


@pytest.mark.parametrize("size", [SMALL - 40, SMALL, SMALL + 1, 300_000])
async def test_requests_around_the_threshold(
    start_broker: StartBroker, connect: Connect, size: int
) -> None:
    """Requests just below and above the size that asks for memory work alike, alone and pipelined."""
    broker = await start_broker()
    client = await connect(broker)
    await a_topic(client)
    data = frame(PRODUCE, 3, produce_body("t", 0, one(bytes(size))))
    await client.send_bytes(data * 3)
    assert [produced(await client.payload(), "t") for _ in range(3)] == [(0, 0), (0, 1), (0, 2)]


async def test_a_long_poll_is_answered_by_the_next_append(
    start_broker: StartBroker, connect: Connect
) -> None:
    """A fetch at the end waits for a record and then answers with it at once."""
    broker = await start_broker()
    reader, writer = await connect(broker), await connect(broker)
    await a_topic(writer)
    await reader.send_bytes(frame(FETCH, 4, fetch_body("t", 0, 0, wait=600_000)))
    partition = broker.catalog.partition("t", 0)
    await until(lambda: partition.waiters)
    await append(writer, one(b"here"))
    error, records = fetched(await reader.payload(), "t")
    assert (error, b"here" in records) == (0, True)
    assert not partition.waiters


async def test_a_client_that_goes_leaves_no_waiting_fetch(
    start_broker: StartBroker, connect: Connect
) -> None:
    """The long poll of a connection that was closed is forgotten."""
    broker = await start_broker()
    client = await connect(broker)
    await a_topic(client)
    partition = broker.catalog.partition("t", 0)
    await client.send_bytes(frame(FETCH, 4, fetch_body("t", 0, 0, wait=600_000)))
    await until(lambda: partition.waiters)
    client.close()
    await until(lambda: not partition.waiters)


async def test_deleting_a_topic_answers_its_waiting_fetches(
    start_broker: StartBroker, connect: Connect
) -> None:
    """Who waits for records of a topic is told when it is deleted."""
    broker = await start_broker()
    client, admin = await connect(broker), await connect(broker)
    await a_topic(admin)
    await client.send_bytes(frame(FETCH, 4, fetch_body("t", 0, 0, wait=600_000)))
    partition = broker.catalog.partition("t", 0)
    await until(lambda: partition.waiters)
    await admin.call("delete_topics", 3, topics=["t"], timeout=1000)
    assert fetched(await client.payload(), "t")[0] == 3
    assert not partition.folder.exists()
