"""How much work is taken in."""

import asyncio

import pytest

from schemas.errors import Overloaded
from tests.ingress.conftest import Start, until
from tests.ingress.worker import Answering, Worker


@pytest.fixture
def gate(worker: Worker) -> asyncio.Event:
    """The worker answers when this is set."""
    opened = asyncio.Event()

    async def script(answering: Answering) -> None:
        await opened.wait()
        await answering.plain()

    worker.script = script
    return opened


async def test_too_many_are_refused_before_the_log(
    start: Start, worker: Worker, gate: asyncio.Event
) -> None:
    """503 with Retry-After above the count; room again when one has ended."""
    ingress = await start(max_in_flight=2)
    held = [asyncio.create_task(ingress.chat()) for _ in range(2)]
    await until(lambda: len(worker.requests) == 2)

    refused = await ingress.chat()
    gate.set()
    answered = [found.status_code for found in await asyncio.gather(*held)]
    after = await ingress.chat()

    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "overloaded"
    assert int(refused.headers["retry-after"]) >= 1
    assert answered == [200, 200]
    assert after.status_code == 200
    assert len(worker.requests) == 3
    assert ingress.gateway.metrics.counter("sluice_rejected_requests", "count").value == 1


async def test_bodies_have_room_by_bytes(start: Start, worker: Worker, gate: asyncio.Event) -> None:
    """While one large body is held another that does not fit is refused, chunked ones too; a small one fits."""
    ingress = await start(max_in_flight_bytes=150_000)
    held = asyncio.create_task(ingress.chat(padding="x" * 100_000))
    await until(lambda: len(worker.requests) == 1)

    async def pieces():  # type: ignore[no-untyped-def]
        for _ in range(10):
            yield b"x" * 10_000

    large = await ingress.chat(padding="x" * 100_000)
    chunked = await ingress.client.post("/v1/chat/completions", content=pieces())
    small = asyncio.create_task(ingress.chat())
    await until(lambda: len(worker.requests) == 2)
    gate.set()

    assert large.status_code == chunked.status_code == 503
    assert (await held).status_code == (await small).status_code == 200
    assert ingress.gateway.admission.bytes == ingress.gateway.admission.count == 0


async def test_a_long_queue_is_refused(start: Start, worker: Worker) -> None:
    """When the queue would take longer than requests may wait, and until it is shorter."""
    ingress = await start(max_lag_seconds=10.0)

    await worker.beat(lag=1000, running=10, service_time=1.0)
    await until(lambda: ingress.gateway.workers.expected_wait == 100.0)
    refused = await ingress.chat()
    await worker.beat(lag=50, running=10, service_time=1.0)
    await until(lambda: ingress.gateway.workers.expected_wait == 5.0)
    accepted = await ingress.chat()

    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) == 95
    assert accepted.status_code == 200


async def test_the_lag_of_a_silent_worker_is_forgotten(
    start: Start, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that died with a long queue must not close the gateway for ever."""
    monkeypatch.setattr("ingress.control.ALIVE", 0.5)
    ingress = await start(max_lag_seconds=10.0)

    await worker.beat(lag=1000, running=10, service_time=1.0)
    await until(lambda: ingress.gateway.workers.expected_wait > 10.0)
    await until(lambda: ingress.gateway.workers.expected_wait == 0.0)

    assert (await ingress.chat()).status_code == 200


async def test_one_body_larger_than_all_the_room_is_taken_alone(start: Start) -> None:
    """Otherwise it could never be sent."""
    ingress = await start(max_in_flight_bytes=1000)
    admission = ingress.gateway.admission

    ticket = admission.enter(5000)
    with pytest.raises(Overloaded):
        admission.enter(1)
    ticket.leave(0.1)

    assert admission.bytes == admission.count == 0
