"""Records of the request topic that are no request, or an odd one: each has its reason and its error reply,
and none disturbs a neighbour. The malformed requests of HTTP are in tests/ingress."""

import itertools
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from confluent_kafka import Producer
from msgspec import Struct

from schemas.exchange import Exchange
from schemas.headers import Headers
from tests.e2e.log import (
    Tail,
    answer_of,
    chat,
    correlated,
    is_outcome,
    keyed,
    outcome_of,
    producing,
    tail,
)
from tests.gateway import Gateway
from tests.stack import Stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = chat("sim-echo")
TEXT = "replies.text"  # reply topic of the tests, behind the prefix
HUGE = 1 << 20
# Of a batch: the checksum stands before the attributes and covers all from them on.
ATTRIBUTES, RECORDS = 21, 61
_numbers = itertools.count()


class World(Struct):
    """A worker and a sink on one broker, and a service that produces to them."""

    stack: Stack
    reading: Tail
    producer: AIOKafkaProducer

    @property
    def replies(self) -> str:
        return self.stack.topics.prefix + TEXT


class Case(Struct, frozen=True):
    """A record and what becomes of it. `reason` is part of what stands on the dead letter."""

    name: str
    reason: str
    value: bytes | None = GOOD
    headers: tuple[tuple[str, bytes], ...] = ()
    answered: bool = True  # there is an address that an error can be sent to


def message(text: str) -> bytes:
    """A chat body whose message is what the text says, in JSON."""
    return b'{"model":"sim-echo","messages":[%s]}' % text.encode()


NO_REQUESTS = (
    Case("an empty value", "The body is not valid JSON: Input data was truncated", b""),
    Case("no JSON", "The body is not valid JSON", b"not JSON"),
    Case("binary", "The body is not UTF-8: byte 0", bytes(range(255, 0, -1))),
    Case("a gzip stream in the value", "The body is not UTF-8: byte 1", b"\x1f\x8b\x08\x00"),
    Case("cut JSON", "Input data was truncated", GOOD[:-1]),
    Case("bytes behind the JSON", "trailing characters", GOOD + b" x"),
    Case("two bodies", "trailing characters", GOOD + GOOD),
    Case("a byte order mark", "invalid character (byte 0)", b"\xef\xbb\xbf" + GOOD),
    Case("UTF-16", "The body is not UTF-8: byte 0", GOOD.decode().encode("utf-16")),
    Case(
        "a broken UTF-8 character",
        "The body is not UTF-8: byte 64",
        b'{"model":"sim-echo","messages":[{"role":"user","content":"Hello \xc3"}]}',
    ),
    Case("half a surrogate pair", "not valid JSON", message('{"content":"\\ud800"}')),
    Case("a control character", "invalid character", message('{"content":"a\x00b"}')),
    Case("NaN", "invalid character", GOOD[:-1] + b',"seed":NaN}'),
    Case("nested too deeply", "nested too deeply", message("[" * 90_000 + "]" * 90_000)),
    Case("a list", "The body must be a JSON object.", b"[]"),
    Case("null", "The body must be a JSON object.", b"null"),
    Case("an empty object", "`model` is required.", b"{}"),
    Case("no messages", "`messages` is required.", b'{"model":"sim-echo"}'),
    Case("empty messages", "`messages` must hold at least one", message("")),
    Case("messages that are text", "`messages`: expected `array`", b'{"model":"m","messages":"x"}'),
    Case("a number for the model", "`model`: expected `str`", b'{"model":1,"messages":[{}]}'),
    Case("an empty model", "`model` must not be empty", b'{"model":" ","messages":[{}]}'),
    Case("stream is text", "`stream`: expected `bool | null`", GOOD[:-1] + b',"stream":"yes"}'),
    Case("a tombstone", "the record has no value", None),
    Case("an unknown type", "unknown ce_type 'order.made'", headers=(("ce_type", b"order.made"),)),
    Case("an empty type", "unknown ce_type ''", headers=(("ce_type", b""),)),
    Case("a binary type", "a header is not UTF-8", headers=(("ce_type", b"\xff\xfe"),)),
    Case("a binary id", "a header is not UTF-8", headers=(("ce_id", b"\xff\xfe"),)),
    Case("a long id", "256 characters each", headers=(("ce_id", b"x" * 257),)),
    Case("a huge id", "256 characters each", headers=(("ce_id", b"x" * HUGE),)),
    Case(
        "a long source",
        "256 characters each",
        headers=(("ce_id", b"1"), ("ce_source", b"/" + b"x" * 256)),
    ),
    Case("a binary source", "a header is not UTF-8", headers=(("ce_source", b"\xc3"),)),
    Case("a binary user path", "a header is not UTF-8", headers=(("sluice-user-path", b"\xc3"),)),
    Case("a time that is none", "Invalid isoformat", headers=(("ce_time", b"yesterday"),)),
    Case("a time without offset", "no UTC offset", headers=(("ce_time", b"2026-01-01T00:00:00"),)),
    Case(
        "a time before all times",
        "is not between 1970 and 9999",
        headers=(("ce_time", b"0001-01-01T00:00:00+14:00"),),
    ),
    Case(
        "a time after all times",
        "is not between 1970 and 9999",
        headers=(("ce_time", b"9999-12-31T23:59:59-14:00"),),
    ),
    Case("a deadline that is none", "Invalid isoformat", headers=(("ce_expirytime", b"5s"),)),
    Case(
        "a newer schema",
        "schema version 2 is newer than this worker's 1",
        headers=(("sluice-schema", b"2"),),
    ),
    Case("schema 0", "there is no schema version 0", headers=(("sluice-schema", b"0"),)),
    Case("a schema that is text", "decimal text: b'one'", headers=(("sluice-schema", b"one"),)),
    Case("a huge schema", "decimal text: b'9999", headers=(("sluice-schema", b"9" * HUGE),)),
    Case(
        "an unknown dialect",
        "unknown sluice-dialect 'morse'",
        headers=(("sluice-dialect", b"morse"),),
    ),
    Case(
        "a reply partition that is text",
        "decimal text: b'abc'",
        headers=(("kafka_replyPartition", b"abc"),),
        answered=False,
    ),
    Case(
        "a huge reply partition",
        "decimal text: b'9999",
        headers=(("kafka_replyPartition", b"9" * HUGE),),
        answered=False,
    ),
    Case(
        "a binary reply topic",
        "kafka_replyTopic is no topic's name",
        headers=(("kafka_replyTopic", b"\xff\xfe"),),
        answered=False,
    ),
    Case(
        "a reply topic with a blank",
        "kafka_replyTopic is no topic's name",
        headers=(("kafka_replyTopic", b"a b"),),
        answered=False,
    ),
    Case(
        "a reply topic that no client can ask for",
        "kafka_replyTopic is no topic's name",
        headers=(("kafka_replyTopic", b"x" * 40_000),),
        answered=False,
    ),
    Case(
        "no JSON, and a reply topic that is not allowed",
        "not valid JSON",
        b"junk",
        (("kafka_replyTopic", b"elsewhere"),),
        answered=False,
    ),
    Case(
        "no JSON, and a reply partition that does not exist",
        "not valid JSON",
        b"junk",
        (("kafka_replyPartition", b"99"),),
        answered=False,
    ),
)
# Requests all right, which a provider or the log refuses, or nobody minds: status and outcome.
ODD = (
    (GOOD[:-1] + b',"n":"two"}', (), 400, "rejected"),
    (GOOD[:-1] + b',"stream":true,"stream_options":"yes"}', (), 400, "rejected"),
    (message("1,null"), (), 400, "failed"),
    (chat("gpt-of-nobody"), (), 404, "rejected"),
    (chat("x" * HUGE), (), 404, "rejected"),
    (chat("sim-no-such-script"), (), 404, "failed"),
    (message('{"role":"user","content":"a\\u0000b"}'), (), 200, "completed"),
    (GOOD[:-1] + b',"seed":' + b"9" * 5000 + b"}", (), 200, "completed"),
    (GOOD[:-1] + b',"deep":' + b"[" * 900 + b"]" * 900 + b"}", (), 200, "completed"),
    (b" \r\n\t" + GOOD + b"\n", (), 200, "completed"),
    (GOOD, (("traceparent", b"x" * HUGE),), 200, "completed"),
    (GOOD, tuple((f"header-{n}", b"x") for n in range(3000)), 200, "completed"),
    (GOOD, (("", b""), ("\u00e4", b"\xff")), 200, "completed"),
    (GOOD, (("ce_id", b""), ("ce_source", b""), ("ce_time", b"")), 200, "completed"),
    (GOOD, (("ce_source", b"/a\r\nb: c"), ("traceparent", b"\r\n")), 200, "completed"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(gateway: Gateway) -> AsyncIterator[World]:
    """The shared gateway; these records go to its worker past the ingress."""
    stack = gateway.stack
    await make_topic(stack, TEXT)
    read = (stack.topics.exchanges, stack.topics.dead_letters, stack.topics.prefix + TEXT)
    async with tail(stack.bootstrap, *read) as reading, producing(stack.bootstrap) as producer:
        yield World(stack, reading, producer)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fragile(world: World) -> AsyncIterator[World]:
    """Topics and a worker of their own on the same broker, for what may break a worker."""
    folder = world.stack.folder / "fragile"
    folder.mkdir()
    stack = Stack(
        folder,
        world.stack.bootstrap,
        f"{world.stack.topics.prefix}fragile.",
        SLUICE_SIM_URL=world.stack.env["SLUICE_SIM_URL"],
    )
    try:
        await stack.start("streams")
        read = (stack.topics.exchanges, stack.topics.dead_letters)
        async with tail(stack.bootstrap, *read) as reading:
            yield World(stack, reading, world.producer)
    finally:
        stack.erase()


async def make_topic(stack: Stack, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    try:
        settings = {"max.message.bytes": str(16 << 20)}
        await admin.create_topics(
            [NewTopic(stack.topics.prefix + name, 1, 1, topic_configs=settings)]
        )
    finally:
        await admin.close()


async def neighbour(world: World, partition: int) -> str:
    """A request beside the one under test; its correlation id."""
    name = f"neighbour-{next(_numbers)}"
    headers = [
        ("ce_id", name.encode()),
        ("kafka_replyTopic", world.replies.encode()),
        ("kafka_correlationId", name.encode()),
    ]
    await world.producer.send_and_wait(
        world.stack.topics.requests, chat("sim-echo", name), headers=headers, partition=partition
    )
    return name


async def undisturbed(world: World, *names: str) -> None:
    """Each neighbour got the answer to its own question, and its document."""
    for name in names:
        body, headers = await answer_of(world.reading, world.replies, correlated(name.encode()))
        assert headers[0]["sluice-status"] == b"200"
        assert msgspec.json.decode(body)["choices"][0]["message"]["content"] == name
    await documented(world, *(f"/kafka/{name}" for name in names))


async def documented(world: World, *request_ids: str) -> None:
    await until(
        lambda: set(request_ids) <= set(world.stack.documents()), 30.0, f"no document {request_ids}"
    )


def addressed(world: World, headers: Headers, correlation_id: str) -> Headers:
    """With the tests' reply address, unless the headers have one."""
    found = dict(headers)
    to = [] if "kafka_replyTopic" in found else [("kafka_replyTopic", world.replies.encode())]
    return [*headers, *to, ("kafka_correlationId", correlation_id.encode())]


@pytest.mark.parametrize("case", NO_REQUESTS, ids=lambda case: case.name)
async def test_no_request(world: World, case: Case) -> None:
    """The record is kept whole with its reason; the asker is told it; neighbours are answered."""
    number = next(_numbers)
    name, partition = f"case-{number}", number % world.stack.partitions
    headers = addressed(world, list(case.headers), name)
    before = await neighbour(world, partition)
    sent = await world.producer.send_and_wait(
        world.stack.topics.requests,
        case.value,
        key=name.encode(),
        headers=headers,
        partition=partition,
    )
    after = await neighbour(world, partition)

    (letter,) = await world.reading.take(world.stack.topics.dead_letters, keyed(name))

    assert letter.value == case.value
    assert list(letter.headers[: len(headers)]) == headers
    ours = dict(letter.headers[len(headers) :])
    assert case.reason in ours["kafka_dlt-exception-message"].decode()
    assert ours["kafka_dlt-original-topic"] == world.stack.topics.requests.encode()
    assert int.from_bytes(ours["kafka_dlt-original-partition"], "big") == partition
    assert int.from_bytes(ours["kafka_dlt-original-offset"], "big") == sent.offset
    assert int.from_bytes(ours["kafka_dlt-original-timestamp"], "big") == sent.timestamp
    await undisturbed(world, before, after)
    if case.answered:
        body, told = await answer_of(world.reading, world.replies, correlated(name.encode()))
        error = msgspec.json.decode(body)["error"]
        assert case.reason in error["message"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_request")
        (only,) = told
        assert (only["ce_type"], only["sluice-status"]) == (b"llm.reply.failed", b"400")
    await world.reading.upto_now()
    replies = [r for r in world.reading.records[world.replies] if correlated(name.encode())(r)]
    assert len(replies) == (1 if case.answered else 0)
    assert not any(
        (exchange.kafka.partition, exchange.kafka.offset) == (partition, sent.offset)
        for exchange in outcomes(world)
    )


def outcomes(world: World) -> list[Exchange]:
    records = world.reading.records[world.stack.topics.exchanges]
    return [msgspec.json.decode(r.value, type=Exchange) for r in records if is_outcome(r)]


@pytest.mark.parametrize("number", range(len(ODD)))
async def test_an_odd_request(world: World, number: int) -> None:
    """It is a request, so that it has an outcome, an answer and a document, and no dead letter."""
    value, headers, status, outcome = ODD[number]
    name, partition = f"odd-{next(_numbers)}", number % world.stack.partitions
    sent = await world.producer.send_and_wait(
        world.stack.topics.requests,
        value,
        key=name.encode(),
        headers=addressed(world, list(headers), name),
        partition=partition,
    )
    after = await neighbour(world, partition)

    body, told = await answer_of(world.reading, world.replies, correlated(name.encode()))

    assert told[0]["sluice-status"] == b"%d" % status
    request_id = f"{sent.topic}-{sent.partition}-{sent.offset}"
    found = await outcome_of(world.reading, world.stack.topics, request_id)
    assert (found.outcome, found.status) == (outcome, status)
    assert found.request.content() == value.strip()
    assert found.response is not None
    assert found.response.content() == body
    await undisturbed(world, after)
    await documented(world, request_id)
    assert not any(
        record.key == name.encode()
        for record in world.reading.records[world.stack.topics.dead_letters]
    )


async def test_a_tombstone_without_a_key(world: World) -> None:
    """A record of nothing at all is a dead letter, too."""
    rd = Producer({"bootstrap.servers": world.stack.bootstrap})
    rd.produce(world.stack.topics.requests, None, headers=[("odd-one", b"nothing")], partition=1)
    assert rd.flush(30) == 0
    after = await neighbour(world, 1)

    (letter,) = await world.reading.take(
        world.stack.topics.dead_letters, lambda r: ("odd-one", b"nothing") in r.headers
    )

    assert letter.value is None
    assert b"no value" in dict(letter.headers)["kafka_dlt-exception-message"]
    await undisturbed(world, after)


async def test_headers_without_a_value_count_as_absent(world: World) -> None:
    """A header whose value is null is no header; of equal names the first that has a value counts."""
    rd = Producer({"bootstrap.servers": world.stack.bootstrap})
    headers = [
        ("ce_id", None),
        ("ce_id", b"second"),
        ("ce_id", b"third"),
        ("ce_type", None),
        ("ce_expirytime", None),
    ]
    rd.produce(world.stack.topics.requests, GOOD, headers=headers, partition=1)
    assert rd.flush(30) == 0

    found = await outcome_of(world.reading, world.stack.topics, "/kafka/second")

    assert found.outcome == "completed"


async def test_an_address_that_does_not_exist(world: World) -> None:
    """The answer cannot be delivered; the outcome is recorded, and neighbours do not wait for that."""
    requests = world.stack.topics.requests
    addresses = [
        [("kafka_replyTopic", f"{world.stack.topics.replies}.of-nobody".encode())],
        [("kafka_replyTopic", world.replies.encode()), ("kafka_replyPartition", b"99")],
        [("kafka_replyTopic", world.replies.encode()), ("kafka_replyPartition", b"\xff" * 4)],
    ]
    for number, address in enumerate(addresses):
        headers = [("ce_id", b"astray-%d" % number), *address]
        await world.producer.send_and_wait(requests, GOOD, headers=headers, partition=2)
    after = await neighbour(world, 2)

    for number in range(len(addresses)):
        found = await outcome_of(world.reading, world.stack.topics, f"/kafka/astray-{number}")
        assert found.outcome == "completed"
    await undisturbed(world, after)


async def test_many_duplicates_at_once(world: World) -> None:
    """Fifty records of one id are one outcome, and neighbours between them are answered."""
    headers = [("ce_id", b"fifty")]
    requests = world.stack.topics.requests
    for _ in range(50):
        await world.producer.send(requests, chat("sim-200"), headers=headers, partition=3)
    after = await neighbour(world, 3)

    await outcome_of(world.reading, world.stack.topics, "/kafka/fifty")
    await undisturbed(world, after)

    await world.reading.upto_now()
    assert [exchange.request_id for exchange in outcomes(world)].count("/kafka/fifty") == 1


async def test_a_record_of_any_time(fragile: World) -> None:
    """A record's own timestamp may be before 1970: request or not, it ends no worker."""
    requests = fragile.stack.topics.requests
    for number, timestamp in enumerate((-1, -5, 0, 1)):
        for name, value in (("good", GOOD), ("bad", b"junk")):
            await fragile.producer.send_and_wait(
                requests,
                value,
                key=name.encode(),
                headers=[("ce_id", f"{name}{number}".encode())],
                timestamp_ms=timestamp,
                partition=0,
            )

    await fragile.reading.take(fragile.stack.topics.dead_letters, keyed("bad"), 4)
    for number in range(4):
        found = await outcome_of(fragile.reading, fragile.stack.topics, f"/kafka/good{number}")
        assert found.outcome == "completed"


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_records(fragile: World, codec: str) -> None:
    """Services compress as their clients do: a worker reads every codec of Kafka."""
    rd = Producer({"bootstrap.servers": fragile.stack.bootstrap, "compression.type": codec})
    rd.produce(
        fragile.stack.topics.requests,
        chat("sim-echo", "x" * 5000),
        headers=[("ce_id", codec.encode())],
        partition=0,
    )
    assert rd.flush(30) == 0

    found = await outcome_of(fragile.reading, fragile.stack.topics, f"/kafka/{codec}")

    assert found.outcome == "completed"


@pytest.mark.parametrize("codec", [0, 1], ids=["bare", "gzip"])
async def test_a_batch_that_is_junk(fragile: World, codec: int) -> None:
    """The broker refuses what no consumer could ever pass; the next request is answered."""
    requests = fragile.stack.topics.requests
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    builder.append(0, 1_790_000_000_000, None, chat("sim-echo", "x" * 5000), [])
    batch = builder.build()
    batch[RECORDS:] = bytes(len(batch) - RECORDS)  # where records, or a gzip stream, should be
    batch[ATTRIBUTES - 4 : ATTRIBUTES] = calc_crc32c(batch[ATTRIBUTES:]).to_bytes(4, "big")
    client = fragile.producer.client
    await client._wait_on_metadata(requests)

    node = client.cluster.leader_for_partition(TopicPartition(requests, 0))
    told = await client.send(
        node, ProduceRequest(None, -1, 10_000, [(requests, [(0, bytes(batch))])])
    )

    headers = [("ce_id", b"after-junk-%d" % codec)]
    await fragile.producer.send_and_wait(requests, GOOD, headers=headers, partition=0)
    found = await outcome_of(fragile.reading, fragile.stack.topics, f"/kafka/after-junk-{codec}")
    assert found.outcome == "completed"
    ((_, ((_, code, *_),)),) = told.topics
    assert code != 0
