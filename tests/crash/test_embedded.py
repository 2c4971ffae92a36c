"""The same on the embedded broker, and kill -9 of the broker itself."""

import asyncio

import pytest

from tests.crash.load import (
    accounted_for_once,
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
