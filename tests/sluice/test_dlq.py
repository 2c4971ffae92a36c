"""`sluice dlq`: dead letters listed, shown and redriven, on both brokers."""

import json
import uuid
from collections.abc import AsyncIterator

import pytest

from schemas import headers as h
from schemas.clock import rfc3339
from schemas.exchange import Exchange
from schemas.headers import Headers
from tests.e2e.log import Tail, chat, keyed, outcome_of, producing, tail
from tests.gateway import Gateway
from tests.sluice.commands import typed
from tests.stack import until

SOURCE = b"/dlq-tests"


@pytest.fixture
async def reading(gateway: Gateway) -> AsyncIterator[Tail]:
    topics = gateway.stack.topics
    async with tail(
        gateway.stack.bootstrap, topics.dead_letters, topics.exchanges, topics.requests
    ) as found:
        yield found


async def produced(
    gateway: Gateway, topic: str, value: bytes | None, name: str, headers: Headers, **more: int
) -> None:
    async with producing(gateway.stack.bootstrap) as producer:
        await producer.send_and_wait(topic, value, key=name.encode(), headers=headers, **more)


async def buried(
    gateway: Gateway,
    reading: Tail,
    name: str,
    value: bytes,
    exception: str = "Malformed",
    **more: bytes,
) -> str:
    """A letter as a worker writes one of a request that it was given; its number."""
    topics = gateway.stack.topics
    headers: Headers = [
        (h.CE_SOURCE, SOURCE),
        (h.CE_ID, name.encode()),
        *((key.replace("_", "-"), each) for key, each in more.items()),
        (h.DLT_EXCEPTION_FQCN, exception.encode()),
        (h.DLT_EXCEPTION_MESSAGE, f"made for {name}".encode()),
        (h.DLT_ORIGINAL_TOPIC, topics.requests.encode()),
        (h.DLT_ORIGINAL_PARTITION, (1).to_bytes(4, "big")),
        (h.DLT_ORIGINAL_OFFSET, (0).to_bytes(8, "big")),
    ]
    await produced(gateway, topics.dead_letters, value, name, headers)
    (record,) = await reading.take(topics.dead_letters, keyed(name))
    return str(record.offset)


async def asked(gateway: Gateway, reading: Tail, name: str, model: str) -> Exchange:
    """The outcome of a request that a service has asked."""
    headers: Headers = [(h.CE_SOURCE, SOURCE), (h.CE_ID, name.encode())]
    topic = gateway.stack.topics.requests
    await produced(gateway, topic, chat(model, name), name, headers, partition=1)
    return await outcome_of(reading, gateway.stack.topics, f"{SOURCE.decode()}/{name}")


def new_name() -> str:
    return f"dlq-{uuid.uuid4()}"


async def test_listed_and_shown(gateway: Gateway, reading: Tail) -> None:
    """Bytes that are no request are listed by reason, time and request, and shown as they came."""
    name, value = new_name(), b'{"model": "sim-echo", "unasked": "\xc3\xa9"}'
    headers: Headers = [(h.CE_SOURCE, SOURCE), (h.CE_ID, name.encode()), ("mine", b"\xff\x00")]
    await produced(gateway, gateway.stack.topics.requests, value, name, headers)
    (record,) = await reading.take(gateway.stack.topics.dead_letters, keyed(name))

    request_id = f"{SOURCE.decode()}/{name}"
    listed = await typed(gateway.stack, "dlq", "list", "--request", request_id, "--json")
    (line,) = listed.json
    assert line["number"] == record.offset
    assert (line["exception"], line["request_id"]) == ("Malformed", request_id)
    assert "messages" in line["reason"]
    assert (line["topic"], line["kind"]) == (gateway.stack.topics.requests, "request")

    shown = await typed(gateway.stack, "dlq", "show", request_id)
    assert {"  mine: base64:/wA=", f"  ce_id: {name}"} <= {*shown.lines}
    assert "kafka_dlt" not in shown.out
    assert '"unasked": "é"' in shown.out
    found = (await typed(gateway.stack, "dlq", "show", str(record.offset), "--json")).json
    assert found["body"] == json.loads(value)
    assert ["mine", "base64:/wA="] in found["headers"]


async def test_chosen_by_reason_and_time(gateway: Gateway, reading: Tail) -> None:
    """A list has those whose reason contains the text and that were written in that time."""
    first, second = new_name(), new_name()
    for name in (first, second):
        await buried(gateway, reading, name, chat("sim-echo"))
    by_reason = ["dlq", "list", "--reason", f"MADE FOR {first}"]
    table = await typed(gateway.stack, *by_reason)
    assert [first in line for line in table.lines] == [False, True]
    assert table.lines[0].split() == ["NUMBER", "TIME", "ERROR", "REASON", "STOOD", "AT", "REQUEST"]

    recent = await typed(gateway.stack, *by_reason, "--since", "1h", "--json")
    assert len(recent.json) == 1
    older = await typed(gateway.stack, *by_reason, "--until", "2020-01-01", "--json")
    assert older.json == []
    last = await typed(gateway.stack, "dlq", "list", "--reason", "made for", "-n", "1", "--json")
    assert len(last.json) == 1


async def test_a_request_that_was_never_called(gateway: Gateway, reading: Tail) -> None:
    """It is produced again as it was, under its own name, and once however often it is redriven."""
    name = new_name()
    number = await buried(gateway, reading, name, chat("sim-echo", name), traceparent=b"00-a-b-01")
    request_id = f"{SOURCE.decode()}/{name}"

    dry = await typed(gateway.stack, "dlq", "redrive", number, "--dry-run", "--json")
    assert dry.json["letters"][0]["redriven"] is True
    done = await typed(gateway.stack, "dlq", "redrive", number)
    assert done.lines[-1] == "1 of 1 redriven."
    exchange = await outcome_of(reading, gateway.stack.topics, request_id)
    assert exchange.outcome == "completed"
    (record,) = await reading.take(gateway.stack.topics.requests, keyed(name))
    assert record.partition == 1
    headers = dict(record.headers)
    assert headers == {h.CE_SOURCE: SOURCE, h.CE_ID: name.encode(), h.TRACEPARENT: b"00-a-b-01"}

    again = await typed(gateway.stack, "dlq", "redrive", number, "--force", "--json")
    (letter,) = again.json["letters"]
    assert (letter["redriven"], letter["why"]) == (False, "its outcome stands: completed")
    await reading.upto_now()
    assert len(await reading.take(gateway.stack.topics.requests, keyed(name))) == 1


@pytest.mark.parametrize("exception", ["GivenUp", "ZeroDivisionError"])
async def test_what_may_have_been_paid_for(gateway: Gateway, reading: Tail, exception: str) -> None:
    """A request of which a worker died or that our own fault ended is called again only by --force."""
    name = new_name()
    number = await buried(gateway, reading, name, chat("sim-echo", name), exception)
    kept = await typed(gateway.stack, "dlq", "redrive", number, "--json")
    (letter,) = kept.json["letters"]
    assert letter["redriven"] is False
    assert "--force" in letter["why"]

    await typed(gateway.stack, "dlq", "redrive", number, "--force")
    exchange = await outcome_of(reading, gateway.stack.topics, f"{SOURCE.decode()}/{name}")
    assert exchange.outcome == "completed"
    assert len(await reading.take(gateway.stack.topics.requests, keyed(name))) == 1


async def test_a_failed_one_gets_a_new_name(gateway: Gateway, reading: Tail) -> None:
    """One that has failed at a provider would be told that again: forced, it gets the next free name."""
    name = new_name()
    assert (await asked(gateway, reading, name, "sim-flaky-1-status-400")).attempts
    value = chat("sim-flaky-1-status-400", name)
    number = await buried(gateway, reading, name, value)
    kept = await typed(gateway.stack, "dlq", "redrive", number, "--json")
    assert "--force" in kept.json["letters"][0]["why"]

    done = await typed(gateway.stack, "dlq", "redrive", number, "--force", "--json")
    request_id = f"{SOURCE.decode()}/{name}~1"
    assert done.json["letters"][0]["request_id"] == request_id
    exchange = await outcome_of(reading, gateway.stack.topics, request_id)
    assert exchange.outcome == "completed"
    again = await typed(gateway.stack, "dlq", "redrive", number, "--force", "--json")
    assert again.json["letters"][0]["why"] == "its outcome stands: completed"


async def test_a_deadline_that_has_passed(gateway: Gateway, reading: Tail) -> None:
    """A redriven request is not ended by the deadline that its asker had once."""
    name = new_name()
    number = await buried(
        gateway, reading, name, chat("sim-echo", name), ce_expirytime=rfc3339(1.0).encode()
    )
    await typed(gateway.stack, "dlq", "redrive", number)
    exchange = await outcome_of(reading, gateway.stack.topics, f"{SOURCE.decode()}/{name}")
    assert exchange.outcome == "completed"


async def test_without_a_name(gateway: Gateway, reading: Tail) -> None:
    """A record that had no name is named after where it stood, so that it is run once, too."""
    name = new_name()
    topics = gateway.stack.topics
    place = 10_000 + uuid.uuid4().int % 10**9
    headers: Headers = [
        (h.DLT_EXCEPTION_FQCN, b"Malformed"),
        (h.DLT_EXCEPTION_MESSAGE, b"made"),
        (h.DLT_ORIGINAL_TOPIC, topics.requests.encode()),
        (h.DLT_ORIGINAL_PARTITION, (0).to_bytes(4, "big")),
        (h.DLT_ORIGINAL_OFFSET, place.to_bytes(8, "big")),
    ]
    await produced(gateway, topics.dead_letters, chat("sim-echo", name), name, headers)
    request_id = f"{topics.requests}-0-{place}"
    for _ in range(2):
        await typed(gateway.stack, "dlq", "redrive", request_id)
        exchange = await outcome_of(reading, topics, f"/kafka/{request_id}~1")
        assert exchange.outcome == "completed"
    await reading.upto_now()
    assert len(await reading.take(topics.requests, keyed(name))) == 1


async def test_a_document_that_no_store_took(gateway: Gateway, reading: Tail) -> None:
    """It goes to the topic of the stores again, beside its request, and is stored now."""
    name = new_name()
    exchange = await asked(gateway, reading, name, "sim-echo")
    topics = gateway.stack.topics
    (record,) = await reading.take(topics.exchanges, keyed(exchange.request_id))
    lost = f"{exchange.request_id}-lost"
    value = record.value.replace(exchange.request_id.encode(), lost.encode())
    headers: Headers = [
        *record.headers,
        (h.DLT_EXCEPTION_FQCN, b"sinks.base.Refused"),
        (h.DLT_EXCEPTION_MESSAGE, b"made"),
        (h.DLT_ORIGINAL_TOPIC, topics.exchanges.encode()),
        (h.DLT_ORIGINAL_PARTITION, record.partition.to_bytes(4, "big")),
        (h.DLT_ORIGINAL_OFFSET, record.offset.to_bytes(8, "big")),
    ]
    await produced(gateway, topics.dead_letters, value, lost, headers)
    done = await typed(gateway.stack, "dlq", "redrive", lost)
    assert done.lines[-1] == "1 of 1 redriven."
    (again,) = await reading.take(topics.exchanges, keyed(lost))
    assert (again.partition, again.value) == (record.partition, value)
    assert again.headers == record.headers
    await until(lambda: lost in gateway.stack.documents())


async def test_nothing_is_redriven_by_mistake(gateway: Gateway) -> None:
    """Without a word which ones are meant, or if there are none, the command says so."""
    unsaid = await typed(gateway.stack, "dlq", "redrive")
    assert unsaid.code == 2
    assert "--all" in unsaid.err
    none = await typed(gateway.stack, "dlq", "redrive", "no-such-request")
    assert none.code == 1
    assert "no such dead letters" in none.err
    missing = await typed(gateway.stack, "dlq", "show", "no-such-request")
    assert missing.code == 1
    no_time = await typed(gateway.stack, "dlq", "list", "--since", "yesterday")
    assert no_time.code == 2
    assert "2026-01-31" in no_time.err
