"""kill -9 of the ingress and the sink; workers that come and go; a stop of everything; a pinned commit."""

import asyncio
import sqlite3

import pytest

from tests.crash.load import (
    accounted_for_once,
    ask_many,
    asking_many,
    body,
    called,
    cancel,
    forget_calls,
    no_half_answer,
    produce_many,
    settled,
    upstream_calls,
)
from tests.stack import Stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


def names(test: str, count: int) -> list[str]:
    return [f"{test}-{index}" for index in range(count)]


@pytest.mark.parametrize(
    "point", ["ingress.accepted:20", "ingress.first_reply:20", "ingress.mid_stream:40"]
)
async def test_ingress_killed(stack: Stack, point: str) -> None:
    """Its clients see a broken connection, never a whole-looking half; what the log has is answered
    and recorded once, and nothing is called twice."""
    await forget_calls(stack)
    worker = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    other = Stack(stack.folder, stack.bootstrap, stack.topics.prefix)
    other.env |= {"SLUICE_SIM_URL": stack.env["SLUICE_SIM_URL"], "SLUICE_SLOT": "1"}
    dying = await other.start("ingress", SLUICE_FAULT_POINT=point)
    try:
        seen = await ask_many(other, names(point, 60))
        assert await dying.ended() == -9
    finally:
        other.erase()
    count = await settled(stack)

    no_half_answer(seen)
    assert any(each.ended == "broken" for each in seen)
    accounted_for_once(count)
    assert count.repeated == set()
    await worker.stop()


@pytest.mark.parametrize("point", ["sinks.read:2", "sinks.written:2", "sinks.committed:2"])
async def test_sink_killed(stack: Stack, point: str) -> None:
    """Every outcome becomes one document, whenever the sink dies."""
    worker = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    await stack.base["sinks"].stop()
    dying = await stack.start("sinks", SLUICE_FAULT_POINT=point)
    seen = []
    try:
        # All that comes at once may be one batch: it is given more until it dies.
        for wave in range(20):
            if dying.returncode is None:
                seen += await ask_many(stack, names(f"{point}-{wave}", 20))
        assert await dying.ended() == -9
    finally:
        stack.base["sinks"] = await stack.start("sinks")
    no_half_answer(seen)
    accounted_for_once(await settled(stack))
    await worker.stop()


async def test_store_away(stack: Stack) -> None:
    """While the store takes nothing the gateway answers as ever; afterwards nothing is missing."""
    worker = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    connection = sqlite3.connect(stack.database, isolation_level=None)
    connection.execute("begin exclusive")
    before = len(stack.documents())
    try:
        seen = await ask_many(stack, names("away", 60))
        assert {each.ended for each in seen} == {"whole"}
        assert len(stack.documents()) == before
    finally:
        connection.execute("rollback")
        connection.close()
    accounted_for_once(await settled(stack))
    await worker.stop()


async def test_workers_come_and_go(stack: Stack) -> None:
    """A second worker joins and leaves under load: one outcome each, and no half answer."""
    await forget_calls(stack)
    first = await stack.start("streams")
    asking = asking_many(stack, names("join", 150), "sim-50")
    second = await stack.start("streams")
    await produce_many(stack, names("join-direct", 60))
    more = asking_many(stack, names("leave", 100), "sim-50")
    await called(stack, 150)
    await first.stop()
    seen = [*await asking, *await more]
    count = await settled(stack)

    no_half_answer(seen)
    accounted_for_once(count)
    assert [each for each in seen if each.ended != "whole" and not each.streamed] == []
    await second.stop()


async def test_everything_is_stopped_in_order(stack: Stack) -> None:
    """SIGTERM to a worker under load: what runs is finished, nothing is called twice, exit code 0."""
    await forget_calls(stack)
    first = await stack.start("streams")
    asking = asking_many(stack, names("term", 80), "sim-50")
    await called(stack, 40)
    await first.stop()
    second = await stack.start("streams")
    seen = await asking
    count = await settled(stack)

    assert {each.ended for each in seen} == {"whole"}
    no_half_answer(seen)
    accounted_for_once(count)
    assert count.repeated == set()
    await second.stop()


async def test_a_request_that_pins_ten_thousand(stack: Stack) -> None:
    """A long request is moved forward: a crash repeats it and none of the ten thousand behind it."""
    import json

    from aiokafka import AIOKafkaProducer

    await forget_calls(stack)
    worker = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap, linger_ms=5)
    await producer.start()

    async def produce(name: str, model: str) -> None:
        value = json.dumps(body(name, model, False)).encode()
        await producer.send(
            stack.topics.requests, value, partition=0, headers=[("ce_id", name.encode())]
        )

    try:
        await produce("pin", "sim-3600000")
        for name in names("behind", 10_000):
            await produce(name, "sim-echo")
        await producer.flush()
    finally:
        await producer.stop()
    behind = {f"/kafka/behind-{index}" for index in range(10_000)}
    await until(lambda: behind <= set(stack.documents()), 200, "ten thousand documents")
    await until(lambda: moved(stack), what="the long request was moved forward")
    await asyncio.sleep(1.0)  # longer than the commit interval: what is finished is committed
    worker.kill()
    again = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    await until(lambda: called_twice(stack, "/kafka/pin"), what="the long request runs again")
    calls = await upstream_calls(stack)

    assert {name for name, count in calls.items() if count > 1} == {"/kafka/pin"}
    await cancel(stack, "/kafka/pin")
    accounted_for_once(await settled(stack))
    await again.stop()


async def moved(stack: Stack) -> bool:
    return any(
        "sluice-request-id" in headers
        for _, _, headers, _, _ in await stack.read(stack.topics.requests)
    )


async def called_twice(stack: Stack, name: str) -> bool:
    return (await upstream_calls(stack))[name] >= 2
