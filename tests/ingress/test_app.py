"""Start, stop, and the broker going away under a running ingress."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from ingress.config import IngressConfig
from ingress.producer import PartitionMismatch
from schemas.kafka import KafkaConfig, MissingPartition
from schemas.topics import Topics
from tests.ingress.conftest import (
    Ingress,
    Start,
    body,
    create_topics,
    ingress_over,
    settings_of,
    start_without_waiting,
    until,
)
from tests.ingress.worker import ANSWER, DONE, Answering, Worker, event
from tests.services import OwnService


async def test_what_is_in_flight_ends_before_the_process(start: Start, worker: Worker) -> None:
    """A stop lets a running request finish, while new ones get 503 and the connection is closed."""
    opened = asyncio.Event()

    async def script(answering: Answering) -> None:
        await opened.wait()
        await answering.plain()

    worker.script = script
    ingress = await start(shutdown_timeout=10.0)
    running = asyncio.create_task(ingress.chat())
    await until(lambda: worker.requests)

    ingress.stop.set()
    await until(lambda: ingress.gateway.draining)
    refused = await ingress.chat()
    ready = await ingress.client.get("/health/ready")
    opened.set()

    assert (await running).content == ANSWER
    assert refused.status_code == 503
    assert refused.headers["connection"] == "close"
    assert "retry-after" in refused.headers
    assert ready.status_code == 503
    await until(lambda: not ingress.listening())
    assert worker.cancellations == []


async def test_what_does_not_end_in_time_is_ended_in_band(start: Start, worker: Worker) -> None:
    """A stream that outlasts the drain gets an error event and a proper end, and is cancelled."""

    async def script(answering: Answering) -> None:
        await answering.begin(event(0))

    worker.script = script
    ingress = await start(shutdown_timeout=0.3)

    async with ingress.client.stream("POST", "/v1/chat/completions", json=body()) as found:
        pieces = found.aiter_bytes()
        await anext(pieces)
        ingress.stop.set()
        rest = b"".join([piece async for piece in pieces])

    assert b"stream_interrupted" in rest
    assert DONE not in rest
    await until(lambda: worker.cancelled(worker.requests[0].request_id) == "disconnected")


async def test_the_last_heartbeat_says_that_it_stops(start: Start, worker: Worker) -> None:
    """And each second one says that it lives."""
    ingress = await start()

    await until(lambda: worker.heartbeats)
    ingress.stop.set()
    await until(lambda: worker.heartbeats[-1].stopping)

    assert worker.heartbeats[0].role == "ingress"
    assert worker.heartbeats[0].slot == 0
    assert not worker.heartbeats[0].stopping


@pytest.mark.parametrize(
    ("settings", "error"),
    [({"partitions": 3}, PartitionMismatch), ({"slot": 7}, MissingPartition)],
    ids=["partitions", "slot"],
)
async def test_topics_unlike_the_settings_stop_the_start(
    kafka: KafkaConfig,
    free_port: Callable[[], int],
    settings: dict[str, int],
    error: type[Exception],
) -> None:
    """With what is there and what is needed; waiting would not help."""
    with pytest.raises(error, match=r"has 2 partitions"):
        async with ingress_over(kafka, free_port(), **settings):
            pass


async def test_a_port_in_use_stops_the_start(
    kafka: KafkaConfig, start: Start, free_port: Callable[[], int]
) -> None:
    """As an OSError."""
    ingress = await start()

    with pytest.raises(OSError, match="address already in use"):
        async with ingress_over(kafka, ingress.port):
            pass


async def test_it_listens_before_the_broker_is_there(free_port: Callable[[], int]) -> None:
    """Health answers, requests are refused with Retry-After, and a stop ends it."""
    kafka = KafkaConfig(bootstrap_servers=f"127.0.0.1:{free_port()}")
    config = settings_of(free_port())
    running, stop = start_without_waiting(config, kafka)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{config.port}", timeout=5) as client:

        async def status(path: str) -> int:
            try:
                return (await client.get(path)).status_code
            except httpx.ConnectError:
                return 0

        async with asyncio.timeout(10):
            while await status("/health") != 200:  # noqa: ASYNC110  # it is another task
                await asyncio.sleep(0.02)
        refused = await client.post(
            "/v1/chat/completions", json=body(), headers={"x-api-key": config.master_key or ""}
        )
        ready = await client.get("/health/ready")
    stop.set()
    await running

    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "log_unavailable"
    assert "retry-after" in refused.headers
    assert ready.status_code == 503


async def outage(ingress: Ingress, worker: Worker, service: OwnService) -> None:
    """The broker dies with one stream open and comes back; what is promised holds all through."""
    await asyncio.to_thread(service.kill)

    first = await ingress.chat()
    fast = await ingress.chat()
    ready = await ingress.client.get("/health/ready")

    assert (first.status_code, fast.status_code, ready.status_code) == (503, 503, 503)
    assert first.json()["error"]["code"] == "log_unavailable"
    assert int(first.headers["retry-after"]) <= 2
    assert int(fast.headers["retry-after"]) <= 2
    await asyncio.to_thread(service.start)
    await until(lambda: ingress.gateway.log.healthy, 30)


async def test_the_broker_dies_and_comes_back(
    own_service: Callable[[str], OwnService], free_port: Callable[[], int]
) -> None:
    """503 with Retry-After while it is away; then requests, an open stream and the heartbeats go on."""
    service = own_service("kafka")
    kafka = KafkaConfig(
        bootstrap_servers=service.endpoints["KAFKA_BOOTSTRAP_SERVERS"], topics=Topics("outage.")
    )
    await create_topics(kafka)
    recovered = asyncio.Event()

    async def script(answering: Answering) -> None:
        if answering.options.get("stream"):
            await answering.begin(event(0))
            await recovered.wait()
            await answering.finish(DONE)
        else:
            await answering.plain()

    async with Worker(kafka).running() as worker, ingress_over(kafka, free_port()) as ingress:
        worker.script = script
        # A broker that has just started may take its time over the first record.
        while (await ingress.chat()).status_code == 503:
            pass
        async with ingress.client.stream(
            "POST", "/v1/chat/completions", json=body(stream=True)
        ) as found:
            pieces = found.aiter_bytes()
            assert await anext(pieces) == event(0)

            await outage(ingress, worker, service)

            after = await ingress.chat()
            recovered.set()
            rest = b"".join([piece async for piece in pieces])
        beats = len(worker.heartbeats)
        await until(lambda: len(worker.heartbeats) > beats)
        # The first refused one had been handed to the producer; it may still run, so it is cancelled.
        await until(lambda: any(c.reason == "unacknowledged" for c in worker.cancellations))

    assert after.content == ANSWER
    assert rest == DONE


def test_defaults_are_those_of_the_design() -> None:
    """Publishing fails soon enough for the promise of an answer within two seconds."""
    assert IngressConfig().publish_timeout < 2.0
