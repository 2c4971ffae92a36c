"""One contract of the whole gateway, over both brokers: what a client and a service rely on."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from msgspec import Struct

from schemas import control, ids
from schemas.clock import SystemClock, from_rfc3339, rfc3339
from schemas.control import Cancellation
from tests.brokers import BROKERS, embedded_broker
from tests.crash.load import accounted_for_once, ask_many, no_half_answer, settled
from tests.e2e.log import (
    Record,
    Tail,
    answer_of,
    chat,
    correlated,
    keyed,
    outcome_of,
    producing,
    tail,
)
from tests.gateway import ELSEWHERE, KEY, Gateway
from tests.parallel import OWN_SERVICE
from tests.stack import Stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEBIBYTE = 1 << 20
EIGHT = 8 * MEBIBYTE
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SERVICE = "replies.service"  # behind the prefix: reply topic of a service, three partitions
FORBIDDEN = "forbidden"
AUTHORIZATION = {"authorization": f"Bearer {KEY}"}
_numbers = itertools.count()


class World(Struct):
    """The shared gateway, a client of it, and a service that produces and reads."""

    gateway: Gateway
    reading: Tail
    producer: AIOKafkaProducer
    http: httpx.AsyncClient

    @property
    def stack(self) -> Stack:
        return self.gateway.stack

    def topic(self, name: str) -> str:
        return self.gateway.topic(name)

    async def post(self, body: bytes, **headers: str) -> httpx.Response:
        return await self.http.post("/v1/chat/completions", content=body, headers=headers)

    async def send(self, body: bytes | None, name: str, /, **headers: bytes) -> Record:
        """Produce to the request topic, to be answered on the service's topic; `name` correlates."""
        found = {
            "kafka_replyTopic": self.topic(SERVICE).encode(),
            "kafka_replyPartition": b"0",
            "kafka_correlationId": name.encode(),
        } | headers
        return await self.producer.send_and_wait(
            self.stack.topics.requests, body, key=name.encode(), headers=list(found.items())
        )

    async def answer(self, name: str, topic: str = SERVICE) -> tuple[bytes, list[dict[str, bytes]]]:
        return await answer_of(self.reading, self.topic(topic), correlated(name.encode()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(gateway: Gateway) -> AsyncIterator[World]:
    stack, topics = gateway.stack, gateway.stack.topics
    own = {SERVICE: 3, ELSEWHERE: 1, FORBIDDEN: 1}
    await make_topics(stack, own)
    every = (topics.requests, topics.replies, topics.exchanges, topics.control)
    async with (
        tail(stack.bootstrap, *every, topics.dead_letters, *map(gateway.topic, own)) as reading,
        producing(stack.bootstrap) as producer,
        httpx.AsyncClient(base_url=gateway.url, timeout=60, headers=AUTHORIZATION) as http,
    ):
        yield World(gateway, reading, producer, http)


async def make_topics(stack: Stack, partitions: dict[str, int]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    settings = {"max.message.bytes": str(16 << 20)}
    try:
        await admin.create_topics(
            [
                NewTopic(stack.topics.prefix + name, count, 1, topic_configs=settings)
                for name, count in partitions.items()
            ]
        )
    finally:
        await admin.close()


def unique(name: str) -> str:
    return f"{name}-{next(_numbers)}"


def said(body: bytes) -> str:
    """The content of a plain answer."""
    content: str = json.loads(body)["choices"][0]["message"]["content"]
    return content


def streamed(text: str) -> str:
    """The content of a whole stream."""
    events = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    choices = [choice for event in events for choice in json.loads(event)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


async def calls(world: World) -> dict[str, Any]:
    """What was asked of the provider."""
    return await world.gateway.sim_calls()


async def nothing_open(world: World) -> None:
    async def none() -> bool:
        return (await calls(world))["open"] == 0

    await until(none, 30.0, "a call of the provider is still open")


def by_key(world: World, topic: str, key: str) -> list[Record]:
    return [record for record in world.reading.records[topic] if keyed(key)(record)]


# -- records: order, keys, headers


async def test_a_request_of_the_ingress(world: World) -> None:
    """Body byte for byte, the id as key and ce_id, and every header of the contract; no credentials."""
    body = b'{ "model":"sim-echo", "messages":[{"role":"user","content":"\xc3\xa4"}], "new":1 }\n'
    found = await world.post(
        body,
        traceparent=TRACE,
        **{"x-request-id": "mine", "x-sluice-user-path": "/team/a"},
    )
    request_id = found.headers["sluice-request-id"]

    (record,) = await world.reading.take(world.stack.topics.requests, keyed(request_id))

    headers = dict(record.headers)
    assert record.value == body
    assert len(headers) == len(record.headers)
    created, deadline = headers.pop("ce_time"), headers.pop("ce_expirytime")
    assert from_rfc3339(deadline.decode()) - from_rfc3339(created.decode()) == pytest.approx(600)
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": request_id.encode(),
        "ce_type": b"llm.request.chat",
        "ce_source": b"/sluice/ingress/0",
        "content-type": b"application/json",
        "sluice-schema": b"1",
        "sluice-user-path": b"/team/a",
        "sluice-client": b"master",
        "sluice-client-ip": b"127.0.0.1",
        "sluice-client-request-id": b"mine",
        "traceparent": TRACE.encode(),
        "kafka_replyTopic": world.stack.topics.replies.encode(),
        "kafka_replyPartition": (0).to_bytes(4, "big"),
    }
    assert KEY.encode() not in b"".join(value for _, value in record.headers)


async def test_the_records_of_a_stream(world: World) -> None:
    """In order on the ingress's partition: numbered, counted on the last, and together the HTTP body."""
    text = " ".join(f"word{number}" for number in range(40))
    found = await world.post(chat("sim-5", text, stream=True))
    request_id = found.headers["sluice-request-id"]

    body, headers = await answer_of(world.reading, world.stack.topics.replies, keyed(request_id))

    assert body == found.content
    assert streamed(found.text) == text
    assert len(headers) > 10
    first, *middle, last = headers
    passed_on = json.loads(first.pop("sluice-http-headers"))
    assert passed_on.pop("openai-version") == "2020-10-01"  # of the provider's answer
    assert passed_on.pop("sluice-attempts") == "1"
    assert all(float(passed_on[f"sluice-{name}-ms"]) >= 0 for name in ("upstream", "overhead"))
    assert first == {
        "ce_type": b"llm.reply.started",
        "sluice-attempt": b"1",
        "sluice-seq": b"0",
        "sluice-status": b"200",
        "content-type": b"text/event-stream",
        "sluice-provider": b"sim",
        "sluice-model": b"sim-5",
    }
    for number, each in enumerate(middle, 1):
        seq = b"%d" % number
        assert each == {
            "ce_type": b"llm.reply.chunk",
            "sluice-attempt": b"1",
            "sluice-seq": seq,
        }
    assert last == {
        "ce_type": b"llm.reply.completed",
        "sluice-attempt": b"1",
        "sluice-seq": b"%d" % (len(headers) - 1),
        "sluice-count": b"%d" % len(headers),
    }
    records = by_key(world, world.stack.topics.replies, request_id)
    assert {record.partition for record in records} == {0}
    assert all(record.value.endswith(b"\n\n") for record in records)  # whole events


async def test_the_outcome_of_a_request(world: World) -> None:
    """One record, keyed by the id, in the partition of the same number as the request's."""
    found = await world.post(chat("sim-echo", "an outcome"))
    request_id = found.headers["sluice-request-id"]

    exchange = await outcome_of(world.reading, world.stack.topics, request_id)

    (record,) = by_key(world, world.stack.topics.exchanges, request_id)
    (asked,) = await world.reading.take(world.stack.topics.requests, keyed(request_id))
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_type": b"llm.exchange.completed",
        "ce_id": request_id.encode(),
        "ce_source": b"/sluice/ingress/0",
        "content-type": b"application/json",
        "sluice-schema": b"1",
    }
    assert record.partition == asked.partition
    assert (exchange.kafka.partition, exchange.kafka.offset) == (asked.partition, asked.offset)
    assert exchange.request.content() == chat("sim-echo", "an outcome")
    assert exchange.response is not None
    assert exchange.response.content() == found.content
    await until(lambda: request_id in world.stack.documents(), 30.0, "no document")


async def test_headers_of_the_provider(world: World) -> None:
    """A refusal carries what the provider said of its limits, on the reply and in the HTTP answer."""
    found = await world.post(chat("sim-status-429-retry-9"))
    request_id = found.headers["sluice-request-id"]

    _, (headers,) = await answer_of(world.reading, world.stack.topics.replies, keyed(request_id))

    assert found.status_code == 429
    assert found.headers["retry-after"] == "9"
    assert headers["ce_type"] == b"llm.reply.failed"
    assert headers["sluice-status"] == b"429"
    assert json.loads(headers["sluice-http-headers"])["retry-after"] == "9"


async def test_order_of_many(world: World) -> None:
    """Fifty streams at once: the records of each are in order, and each client has its own text."""

    async def one(number: int) -> str:
        text = " ".join(f"w{number}-{index}" for index in range(30))
        found = await world.post(chat("sim-2", text, stream=True))
        assert streamed(found.text) == text
        return found.headers["sluice-request-id"]

    names = await asyncio.gather(*(one(number) for number in range(50)))

    for name in names:
        await answer_of(world.reading, world.stack.topics.replies, keyed(name))


# -- large bodies


async def test_8_mb_up(world: World) -> None:
    """A body of 8 MB is answered, and stands in the log as it came."""
    text = "x" * EIGHT
    body = chat("sim-bytes-10", text)
    found = await world.post(body)
    assert found.status_code == 200

    (record,) = await world.reading.take(
        world.stack.topics.requests, keyed(found.headers["sluice-request-id"])
    )

    assert record.value == body


async def test_8_mb_up_and_down(world: World) -> None:
    """The echo of 8 MB comes back whole; one exchange holds both."""
    text = "y" * EIGHT
    found = await world.post(chat("sim-echo", text))

    assert said(found.content) == text
    exchange = await outcome_of(
        world.reading, world.stack.topics, found.headers["sluice-request-id"]
    )
    assert exchange.response is not None
    assert exchange.response.content() == found.content


@pytest.mark.parametrize("stream", [False, True])
async def test_8_mb_down(world: World, stream: bool) -> None:
    """An answer of 8 MB is many records, and one body."""
    found = await world.post(chat(f"sim-bytes-{EIGHT}", stream=stream))

    content = streamed(found.text) if stream else said(found.content)
    assert content == "sluices " * (EIGHT // 8)
    _, headers = await answer_of(
        world.reading, world.stack.topics.replies, keyed(found.headers["sluice-request-id"])
    )
    assert len(headers) >= 8


async def test_a_body_above_the_limit(world: World) -> None:
    """It is refused and never reaches the log."""
    found = await world.post(chat("sim-echo", "z" * (9 * MEBIBYTE)))

    assert (found.status_code, found.json()["error"]["code"]) == (413, "body_too_large")
    await world.reading.upto_now()
    assert not by_key(world, world.stack.topics.requests, found.headers["sluice-request-id"])


# -- slow consumers


async def test_a_slow_reader(world: World) -> None:
    """A client that takes a stream in sips gets all of it."""
    size = 3 * MEBIBYTE
    read = bytearray()
    reader, writer = await connect(world, chat(f"sim-bytes-{size}", stream=True))
    try:
        async with asyncio.timeout(60):
            while piece := await reader.read(MEBIBYTE // 8):
                read += piece
                await asyncio.sleep(0.05)
                if read.endswith(b"0\r\n\r\n"):
                    break
    finally:
        writer.close()

    head, _, chunked = bytes(read).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert streamed(dechunked(chunked).decode()) == "sluices " * (size // 8)


async def test_a_reader_that_stops(world: World) -> None:
    """It is dropped, and its call is cancelled; a neighbour on the same ingress is served meanwhile."""
    reader, writer = await connect(world, chat(f"sim-10-bytes-{64 << 20}", stream=True), "stopped")
    try:
        assert (await reader.read(12)).startswith(b"HTTP/1.1 200")

        neighbour = await world.post(chat("sim-5-lorem-50", stream=True))
        assert len(streamed(neighbour.text).split()) == 50

        (record,) = await world.reading.take(
            world.stack.topics.requests,
            lambda r: ("sluice-client-request-id", b"stopped") in r.headers,
        )
        exchange = await outcome_of(world.reading, world.stack.topics, record.key.decode())
        assert exchange.outcome == "cancelled"
    finally:
        writer.transport.abort()
    await nothing_open(world)


async def connect(
    world: World, body: bytes, name: str = "slow"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has sent a chat request and reads nothing by itself beyond a small buffer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.stack.http, limit=1 << 16)
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nX-Request-ID: %s\r\n"
        b"Authorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (name.encode(), KEY.encode(), len(body), body)
    )
    await writer.drain()
    return reader, writer


def dechunked(raw: bytes) -> bytes:
    body, rest = bytearray(), raw
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body += rest[:length]
        rest = rest[length + 2 :]
        if not length:
            break
    return bytes(body)


# -- reply slots


async def test_two_slots(world: World) -> None:
    """Two ingress processes on one log: each gets its own answers, by its own partition."""
    url = world.gateway.second
    async with httpx.AsyncClient(base_url=url, timeout=60, headers=AUTHORIZATION) as second:
        both = (world.http, second)

        async def one(number: int) -> tuple[int, str]:
            text = unique(f"slot {number % 2}")
            body = chat("sim-20", text, stream=number % 4 > 1)
            found = await both[number % 2].post("/v1/chat/completions", content=body)
            content = streamed(found.text) if number % 4 > 1 else said(found.content)
            assert content == text
            return number % 2, found.headers["sluice-request-id"]

        found = await asyncio.gather(*(one(number) for number in range(60)))

    assert {ids.slot_of(name) for slot, name in found if slot == 0} == {0}
    assert {ids.slot_of(name) for slot, name in found if slot == 1} == {1}
    for slot, name in found:
        await answer_of(world.reading, world.stack.topics.replies, keyed(name))
        records = by_key(world, world.stack.topics.replies, name)
        assert {record.partition for record in records} == {slot}


# -- cancellation


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away(world: World, stream: bool) -> None:
    """The call of the provider is abandoned; the outcome is `cancelled`, recorded once."""
    before = (await calls(world))["abandoned"]
    name = unique("gone")
    model = "sim-20-lorem-5000" if stream else "sim-hang"
    _, writer = await connect(world, chat(model, stream=stream), name)
    (record,) = await world.reading.take(
        world.stack.topics.requests,
        lambda r: ("sluice-client-request-id", name.encode()) in r.headers,
    )

    async def called() -> bool:
        return bool((await calls(world))["request_ids"].get(record.key.decode()))

    await until(called, 30.0, "the provider was not called")
    writer.transport.abort()

    exchange = await outcome_of(world.reading, world.stack.topics, record.key.decode())
    assert (exchange.outcome, exchange.error and exchange.error.code) == ("cancelled", "cancelled")
    await nothing_open(world)
    assert (await calls(world))["abandoned"] == before + 1
    (told,) = [
        control.decode(r.value)
        for r in world.reading.records[world.stack.topics.control]
        if record.key in r.value
    ] or [None]
    assert told == Cancellation(record.key.decode(), "disconnected")


async def cancel(world: World, request_id: str) -> None:
    """As a service does it."""
    value, headers = control.encode(Cancellation(request_id, "requested"))
    await world.producer.send_and_wait(
        world.stack.topics.control, value, headers=headers, partition=0
    )


async def test_a_cancellation_by_a_service(world: World) -> None:
    """A running request of a service ends as cancelled, and its asker is told so."""
    name = unique("cancel")
    await world.send(chat("sim-20-lorem-5000", stream=True), name, ce_id=name.encode())
    await world.reading.take(world.topic(SERVICE), correlated(name.encode()))

    await cancel(world, f"/kafka/{name}")

    exchange = await outcome_of(world.reading, world.stack.topics, f"/kafka/{name}")
    assert exchange.outcome == "cancelled"
    body, headers = await world.answer(name)
    assert headers[-1]["ce_type"] == b"llm.reply.failed"
    assert b"[DONE]" not in body
    assert json.loads(body.strip().splitlines()[-1][6:])["error"]["code"] == "cancelled"
    await nothing_open(world)


async def test_a_cancellation_before_its_request(world: World) -> None:
    """It is remembered: the request that comes later calls nobody."""
    name = unique("early")
    await cancel(world, f"/kafka/{name}")
    # The worker reads the control topic and the requests side by side.
    await cancelled_in_time(world, name)
    before = (await calls(world))["total"]

    await world.send(chat("sim-echo"), name, ce_id=name.encode())

    exchange = await outcome_of(world.reading, world.stack.topics, f"/kafka/{name}")
    assert (exchange.outcome, exchange.status, exchange.attempts) == ("cancelled", 499, ())
    body, (headers,) = await world.answer(name)
    assert headers["sluice-status"] == b"499"
    assert json.loads(body)["error"]["code"] == "cancelled"
    assert (await calls(world))["total"] == before


async def cancelled_in_time(world: World, name: str) -> None:
    """Return when the worker has read the control topic up to now: a running request shows it."""
    marker = unique("marker")
    await world.send(chat("sim-hang"), marker, ce_id=marker.encode())
    await cancel(world, f"/kafka/{marker}")
    await outcome_of(world.reading, world.stack.topics, f"/kafka/{marker}")


# -- deadlines


async def test_a_deadline_that_has_passed(world: World) -> None:
    """504 and `expired`, and nobody was called."""
    name = unique("late")
    before = (await calls(world))["total"]

    await world.send(
        chat("sim-echo"), name, ce_id=name.encode(), ce_expirytime=b"2020-01-01T00:00:00+01:00"
    )

    exchange = await outcome_of(world.reading, world.stack.topics, f"/kafka/{name}")
    assert (exchange.outcome, exchange.status, exchange.attempts) == ("expired", 504, ())
    body, (headers,) = await world.answer(name)
    assert headers["sluice-status"] == b"504"
    assert json.loads(body)["error"]["code"] == "deadline_exceeded"
    assert (await calls(world))["total"] == before


@pytest.mark.parametrize("stream", [False, True])
async def test_a_deadline_that_passes(world: World, stream: bool) -> None:
    """The call is abandoned; a plain asker gets 504, a stream ends in-band."""
    name = unique("short")
    deadline = rfc3339(SystemClock().time() + 1.0).encode()
    model = "sim-20-lorem-5000" if stream else "sim-hang"

    await world.send(chat(model, stream=stream), name, ce_id=name.encode(), ce_expirytime=deadline)

    exchange = await outcome_of(world.reading, world.stack.topics, f"/kafka/{name}")
    assert exchange.outcome == "expired"
    assert len(exchange.attempts) == 1
    body, headers = await world.answer(name)
    assert headers[0]["sluice-status"] == (b"200" if stream else b"504")
    error = body.strip().splitlines()[-1].removeprefix(b"data: ")
    assert json.loads(error)["error"]["code"] == "deadline_exceeded"
    assert b"[DONE]" not in body
    await nothing_open(world)


# -- dead letters


async def test_bytes_that_are_no_request(world: World) -> None:
    """Kept with key, value, headers, reason and place; the asker gets an error."""
    name = unique("junk")
    value = b"\x00\xff no request"

    sent = await world.send(value, name, **{"x-of-mine": b"\xff"})

    (letter,) = await world.reading.take(world.stack.topics.dead_letters, keyed(name))
    assert letter.value == value
    headers = dict(letter.headers)
    assert headers["x-of-mine"] == b"\xff"
    assert headers["kafka_correlationId"] == name.encode()
    assert headers["kafka_dlt-exception-fqcn"] == b"Malformed"
    assert headers["kafka_dlt-exception-message"] == b"The body is not UTF-8: byte 1."
    assert headers["kafka_dlt-original-topic"] == world.stack.topics.requests.encode()
    assert headers["kafka_dlt-original-partition"] == sent.partition.to_bytes(4, "big")
    assert headers["kafka_dlt-original-offset"] == sent.offset.to_bytes(8, "big")
    assert headers["kafka_dlt-original-timestamp"] == sent.timestamp.to_bytes(8, "big")
    body, (told,) = await world.answer(name)
    assert (told["ce_type"], told["sluice-status"]) == (b"llm.reply.failed", b"400")
    assert json.loads(body)["error"]["message"] == "The body is not UTF-8: byte 1."


# -- direct producers


async def test_a_body_alone(world: World) -> None:
    """No key and no header: an outcome named by the record's place, and no reply."""
    sent = await world.producer.send_and_wait(
        world.stack.topics.requests, chat("sim-echo", "alone")
    )
    request_id = f"{sent.topic}-{sent.partition}-{sent.offset}"

    exchange = await outcome_of(world.reading, world.stack.topics, request_id)

    assert exchange.outcome == "completed"
    assert exchange.source == exchange.user_path == "/kafka"
    assert from_rfc3339(exchange.created_at) == pytest.approx(sent.timestamp / 1000)
    await until(lambda: request_id in world.stack.documents(), 30.0, "no document")
    await world.reading.upto_now()
    assert not by_key(world, world.stack.topics.replies, request_id)


@pytest.mark.parametrize("model", ["sim-300", "sim-echo"])
async def test_the_same_id_twice(world: World, model: str) -> None:
    """One call; both askers are answered, whether the second comes during the call or after it."""
    one, two = unique("once"), unique("again")
    body = chat(model, one)
    headers = {"ce_id": one.encode(), "ce_source": b"/billing"}

    async def send(name: str, partition: bytes) -> None:
        to = {"kafka_replyPartition": partition, "kafka_correlationId": name.encode()}
        reply = {"kafka_replyTopic": world.topic(SERVICE).encode()}
        await world.producer.send_and_wait(
            world.stack.topics.requests,
            body,
            key=one.encode(),
            headers=list((headers | reply | to).items()),
        )

    await send(one, b"1")
    if model == "sim-echo":
        await world.answer(one)
    await send(two, b"2")

    first, told = await world.answer(one)
    second, again = await world.answer(two)
    assert first == second
    assert said(first) == one
    assert "sluice-replay" not in told[0]
    assert {each["sluice-replay"] for each in again} == {b"1"}
    assert again[0]["sluice-attempt"] == b"2"
    places = {
        correlation: {
            r.partition
            for r in world.reading.records[world.topic(SERVICE)]
            if correlated(correlation.encode())(r)
        }
        for correlation in (one, two)
    }
    assert places == {one: {1}, two: {2}}
    assert (await calls(world))["request_ids"][f"/billing/{one}"] == 1
    await world.reading.upto_now()
    assert len(by_key(world, world.stack.topics.exchanges, f"/billing/{one}")) == 1


async def test_a_reply_topic_that_is_not_allowed(world: World) -> None:
    """The request is run and recorded; nothing is written where it must not."""
    for name, topic, allowed in (
        (unique("allowed"), ELSEWHERE, True),
        (unique("forbidden"), FORBIDDEN, False),
    ):
        await world.send(
            chat("sim-echo", name),
            name,
            ce_id=name.encode(),
            kafka_replyTopic=world.topic(topic).encode(),
        )
        exchange = await outcome_of(world.reading, world.stack.topics, f"/kafka/{name}")
        assert exchange.outcome == "completed"
        if allowed:
            body, _ = await world.answer(name, topic)
            assert said(body) == name
    # What comes behind it is answered, so that it would stand there by now.
    last = unique("behind")
    await world.send(chat("sim-echo", last), last)
    await world.answer(last)
    await world.reading.upto_now()
    assert world.reading.records[world.topic(FORBIDDEN)] == []


@pytest.mark.parametrize("partition", [(2).to_bytes(4, "big"), (2).to_bytes(8, "big"), b"2", b"02"])
async def test_forms_of_the_reply_partition(world: World, partition: bytes) -> None:
    """Big-endian of 4 and 8 bytes as Spring writes it, and decimal text."""
    name = unique("form")

    await world.send(chat("sim-echo", name), name, kafka_replyPartition=partition)

    body, _ = await world.answer(name)
    assert said(body) == name
    (record,) = [
        r for r in world.reading.records[world.topic(SERVICE)] if correlated(name.encode())(r)
    ]
    assert record.partition == 2


@pytest.mark.parametrize("correlation", [b"", b"\x00\xff\xfe", b"x" * 5000])
async def test_correlation_ids_are_any_bytes(world: World, correlation: bytes) -> None:
    """Every record of a stream carries the asker's correlation id as it was."""
    name = unique("correlation")

    await world.send(
        chat("sim-2-lorem-20", stream=True),
        name,
        ce_id=name.encode(),
        kafka_correlationId=correlation,
    )

    body, headers = await answer_of(world.reading, world.topic(SERVICE), keyed(f"/kafka/{name}"))
    assert len(streamed(body.decode()).split()) == 20
    assert {each["kafka_correlationId"] for each in headers} == {correlation}


# -- restart of the broker


@pytest.mark.xdist_group(OWN_SERVICE)
@pytest.mark.parametrize("kind", BROKERS)
async def test_the_broker_is_killed(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """kill -9 with requests in flight: accepted = outcomes = documents, and no half answer."""
    async with restartable(kind, tmp_path, request) as (bootstrap, kill, start):
        stack = Stack(tmp_path, bootstrap, "restart.", INGRESS_PUBLISH_TIMEOUT="20s")
        try:
            await stack.start_all()
            names = [unique("restart") for _ in range(60)]
            asking = asyncio.ensure_future(ask_many(stack, names, "sim-300-lorem-12"))

            async def running() -> bool:
                async with httpx.AsyncClient(timeout=10) as client:
                    found = await client.get(f"http://127.0.0.1:{stack.sim_port}/calls")
                return bool(found.json()["open"] >= 30)

            await until(running, 30.0, "the provider was not called")
            await kill()
            await asyncio.sleep(0.5)
            await start()
            seen = await asking
            later = await ask_many(stack, [unique("later") for _ in range(10)])
            count = await settled(stack)
        finally:
            stack.erase()

    accounted_for_once(count)
    assert [one.ended for one in later] == ["whole"] * 10
    no_half_answer(later)
    lorem = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor"
    for one in seen:
        assert one.ended in ("whole", "error"), one
        if one.ended == "whole":
            assert one.text == lorem
    assert not count.repeated  # no worker died


@asynccontextmanager
async def restartable(
    kind: str, folder: Path, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[str, Any, Any]]:
    """A broker of this test alone: its address, how to kill it and how to start it again."""
    if kind == "embedded":
        async with embedded_broker(folder) as running:

            async def kill() -> None:
                running.kill()

            yield running.bootstrap, kill, running.start
        return
    own = await asyncio.to_thread(request.getfixturevalue("own_service"), "kafka")
    yield (
        own.endpoints["KAFKA_BOOTSTRAP_SERVERS"],
        lambda: asyncio.to_thread(own.kill),
        lambda: asyncio.to_thread(own.start),
    )
