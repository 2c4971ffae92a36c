"""The same on the embedded broker, and kill -9 of the broker itself."""

import asyncio

import httpx
import pytest

from tests.crash.load import (
    accounted_for_once,
    ask,
    ask_many,
    asking_many,
    called,
    cancel,
    come_and_go,
    forget_calls,
    kill_at,
    no_half_answer,
    overtake,
    produce_many,
    serving,
    settled,
    upstream_calls,
)
from tests.stack import Stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


BROKER = "embedded"


@pytest.mark.parametrize(
    "point",
    ["streams.delivered:20", "streams.mid_stream:30", "streams.recorded:10", "streams.committed:2"],
)
async def test_worker_killed(stack: Stack, point: str) -> None:
    """As on Kafka: nothing is lost, nothing half looks whole, one document each."""
    await kill_at(stack, point, 60)


async def test_broker_killed(stack: Stack) -> None:
    """kill -9 of the broker under load: no acknowledged record is lost, nobody needs a restart, and
    what was running is called once."""
    await forget_calls(stack)
    worker = await stack.start("streams")
    names = [f"broker-{index}" for index in range(150)]
    asking = asking_many(stack, names, "sim-50")
    await called(stack, 40)
    stack.base["broker"].kill()
    await asyncio.sleep(1.0)  # the outage
    stack.base["broker"] = await stack.start("broker")
    seen = await asking
    count = await settled(stack)

    no_half_answer(seen)
    accounted_for_once(count)
    assert count.repeated == set()
    await serving(stack)
    assert {each.ended for each in await ask_many(stack, ["after-0", "after-1"])} == {"whole"}
    await worker.stop()


async def test_a_crash_before_what_came_again_has_begun(stack: Stack) -> None:
    """At `streams.counted`: the request was counted and not called; the next worker calls it."""
    await forget_calls(stack)
    first = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    await produce_many(stack, ["counted"], "sim-1000")
    await called(stack, 1)
    first.kill()
    dying = await stack.start(
        "streams", SLUICE_FAULT_POINT="streams.counted", KAFKA_GROUP_INSTANCE_ID="w1"
    )
    assert await dying.ended() == -9
    third = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    count = await settled(stack)

    accounted_for_once(count)
    assert count.calls == {"/kafka/counted": 2}
    assert count.outcomes["/kafka/counted"] == "completed"
    await third.stop()


async def test_a_crash_as_a_request_is_moved_forward(stack: Stack) -> None:
    """At `streams.moved`: the copy is in the log, the old record is not finished. Both are one request,
    and only that one is called again."""
    await forget_calls(stack)
    dying = await stack.start(
        "streams",
        SLUICE_FAULT_POINT="streams.moved",
        STREAMS_PIN_LIMIT="100",
        KAFKA_GROUP_INSTANCE_ID="w1",
    )
    await produce_many(stack, ["moved"], "sim-3600000")
    await called(stack, 1)
    await produce_many(stack, [f"behind-{index}" for index in range(600)], "sim-echo")
    assert await dying.ended() == -9
    second = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    await until(lambda: called_again(stack, "/kafka/moved"), what="it runs again")
    await cancel(stack, "/kafka/moved")
    count = await settled(stack)

    accounted_for_once(count)
    assert count.calls["/kafka/moved"] == 2
    assert count.outcomes["/kafka/moved"] == "cancelled"
    await second.stop()


async def called_again(stack: Stack, name: str) -> bool:
    return (await upstream_calls(stack))[name] == 2


async def test_a_crash_when_an_idempotency_key_is_remembered(stack: Stack) -> None:
    """At `streams.remembered`: the answer is recorded and not told. Its client gets it all the same, and
    so does who comes again."""
    await forget_calls(stack)
    dying = await stack.start(
        "streams", SLUICE_FAULT_POINT="streams.remembered", KAFKA_GROUP_INSTANCE_ID="w1"
    )
    headers = {"idempotency-key": "crash"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=60) as client:
        asking = asyncio.create_task(ask(client, "remembered", "sim-10", streamed=False))
        assert await dying.ended() == -9
        second = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
        seen = [await asking, await ask(client, "remembered", "sim-10", streamed=True)]
    count = await settled(stack)

    assert [each.ended for each in seen] == ["whole", "whole"]
    no_half_answer(seen)
    accounted_for_once(count)
    assert sum(count.calls.values()) == 1
    await second.stop()


async def test_two_crashes_in_a_row(stack: Stack) -> None:
    """What the first worker finished is not called again after the second one died over it too."""
    await forget_calls(stack)
    first = await stack.start("streams", STREAMS_COMMIT_INTERVAL="1m", KAFKA_GROUP_INSTANCE_ID="w1")
    await produce_many(stack, ["twice-slow"], "sim-3600000")
    fast = [f"twice-{index}" for index in range(20)]
    await produce_many(stack, fast, "sim-echo")
    done = {f"/kafka/{name}" for name in fast}
    await until(lambda: done <= set(stack.documents()), what="the fast ones are done")
    first.kill()
    second = await stack.start("streams", STREAMS_CONCURRENCY="1", KAFKA_GROUP_INSTANCE_ID="w1")
    await asyncio.sleep(1.0)  # several commits, while all but one are held
    second.kill()
    third = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    await cancel(stack, "/kafka/twice-slow")
    count = await settled(stack)

    accounted_for_once(count)
    assert count.repeated <= {"/kafka/twice-slow"}
    exchanges = [each.request_id for each in await stack.exchanges()]
    assert {name for name in done if exchanges.count(name) != 1} == set()
    await third.stop()


async def test_stopped_while_the_log_is_away(stack: Stack) -> None:
    """A worker that can commit nothing more ends all the same; its requests are done by the next one."""
    worker = await stack.start("streams", SHUTDOWN_TIMEOUT="2s")
    await produce_many(stack, [f"away-{index}" for index in range(20)], "sim-50")
    await called(stack, 1)
    stack.base["broker"].kill()
    worker.terminate()
    await worker.ended()
    stack.base["broker"] = await stack.start("broker")
    again = await stack.start("streams")
    accounted_for_once(await settled(stack))
    await again.stop()


async def test_batch_records_do_not_delay_interactive_requests(stack: Stack) -> None:
    """Two thousand of them, unread, and a worker that joins."""
    await overtake(stack, 2000)


async def test_workers_that_join_and_leave_repeat_no_call(stack: Stack) -> None:
    """Three of them under load, as on Kafka."""
    await come_and_go(stack, 60)
