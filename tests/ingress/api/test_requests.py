"""/v1/requests/<id>: fetched, resumed and cancelled at another ingress than the one that took it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.clock import SystemClock
from schemas.kafka import KafkaConfig
from schemas.kept import Kept
from sinks.config import SinkConfig
from sinks.sqlite import SQLiteSink
from sinks.sqlite_answers import SQLiteAnswers
from tests.ingress.conftest import Ingress, Start, body, until
from tests.ingress.worker import ANSWER, DONE, SSE, Answering, Worker, event

ASYNC = {"prefer": "respond-async"}
IDS = {"sluice-event-ids": "1"}
CHAT = "/v1/chat/completions"

Forget = Callable[..., Awaitable[None]]


@pytest.fixture
async def forget(kafka: KafkaConfig) -> Forget:
    """`await forget(topic)` deletes all records of a topic."""

    async def deleted(topic: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        try:
            for partition in range(2):
                place = TopicPartition(topic, partition)
                await admin.delete_records({place: RecordsToDelete(before_offset=-1)})
        finally:
            await admin.close()

    return deleted


@pytest.fixture
async def both(start: Start) -> tuple[Ingress, Ingress]:
    """The first takes requests, the second is asked for them."""
    return await start(slot=0), await start(slot=1)


async def leave(ingress: Ingress, headers: dict[str, str] = ASYNC, **fields: Any) -> str:
    """Ask and do not wait; the place of the answer."""
    taken = await ingress.chat(headers=headers, **fields)
    assert taken.status_code == 202
    place: str = taken.headers["location"]
    return place


async def fetched(ingress: Ingress, place: str, **rest: Any) -> httpx.Response:
    """The answer, as soon as it is there."""
    while True:
        found = await ingress.client.get(place, **rest)
        if b'"object":"request"' not in found.content:
            return found
        await asyncio.sleep(0.05)


def counted(stream: bytes, first: int = 1) -> bytes:
    """A stream with the numbers of its events."""
    events = [each + b"\n\n" for each in stream.split(b"\n\n")[:-1]]
    return b"".join(b"id: %d\n" % number + each for number, each in enumerate(events, first))


async def test_the_record_says_that_it_is_kept(
    both: tuple[Ingress, Ingress], worker: Worker
) -> None:
    """Only of those that asked for it."""
    await both[0].chat()
    await both[0].chat(headers={"sluice-on-disconnect": "finish"})
    await both[0].chat(headers=IDS)
    await leave(both[0])
    await until(lambda: len(worker.requests) == 4)

    assert [request.keep for request in worker.requests] == [False, False, True, True]


async def test_from_queued_to_the_answer(both: tuple[Ingress, Ingress], worker: Worker) -> None:
    """Nobody has it; a worker has it; it is answered. HEAD sees the same without the body."""
    steps = [asyncio.Event() for _ in range(2)]

    async def script(answering: Answering) -> None:
        await steps[0].wait()
        await answering.put("begun", seq=-1)
        await steps[1].wait()
        await answering.plain(**{"openai-processing-ms": "12"})

    worker.script = script
    place = await leave(both[0])

    async def status() -> str:
        found = await both[1].client.get(place)
        assert (found.status_code, found.json()["id"]) == (200, place.rpartition("/")[2])
        return str(found.json()["status"])

    seen = [await status()]
    for step, expected in zip(steps, ("in_progress", ""), strict=True):
        step.set()
        while expected and (now := await status()) != expected:
            assert now == seen[-1]
        seen.append(expected)
    found = await fetched(both[1], place)
    head = await both[1].client.head(place)

    assert seen[:2] == ["queued", "in_progress"]
    assert (found.status_code, found.content) == (200, ANSWER)
    assert found.headers["openai-processing-ms"] == "12"
    assert found.headers["sluice-provider"] == "sim"
    assert found.headers["sluice-request-id"] == place.rpartition("/")[2]
    assert (head.content, head.headers["content-length"]) == (b"", str(len(ANSWER)))


async def test_the_connection_is_not_its_life(
    both: tuple[Ingress, Ingress], worker: Worker
) -> None:
    """Left at once, left while it waits, or broken off where a policy says so: nothing is cancelled."""
    go = asyncio.Event()

    async def script(answering: Answering) -> None:
        await go.wait()
        await answering.plain()

    worker.script = script
    place = await leave(both[0])
    for headers in (
        {"prefer": "respond-async, wait=100"},
        {"sluice-on-disconnect": "finish"},
        {"sluice-on-disconnect": "background"},
    ):
        asked = len(worker.requests)
        task = asyncio.create_task(both[0].chat(headers=headers))
        await until(lambda: len(worker.requests) > asked)  # noqa: B023
        task.cancel()
        await asyncio.wait((task,))
    plain = asyncio.create_task(both[0].chat())
    await until(lambda: len(worker.requests) == 5)
    plain.cancel()
    await until(lambda: worker.cancelled(worker.requests[4].request_id))
    go.set()

    assert (await fetched(both[1], place)).content == ANSWER
    assert len(worker.cancellations) == 1


async def test_wait(both: tuple[Ingress, Ingress], worker: Worker) -> None:
    """What is whole in time is the answer; what has only begun is not."""

    async def script(answering: Answering) -> None:
        if answering.options.get("stream"):
            await answering.begin(event(0))
            return
        await answering.plain()

    worker.script = script
    soon = await both[0].chat(headers={"prefer": "respond-async, wait=50"})
    late = await both[0].chat(headers={"prefer": "respond-async, wait=1"}, stream=True)

    assert (soon.status_code, soon.content) == (200, ANSWER)
    assert (late.status_code, late.headers["preference-applied"]) == (202, "respond-async, wait=1")


async def test_cancelled(both: tuple[Ingress, Ingress], worker: Worker) -> None:
    """The workers are told whose word it is; one that has ended is left as it is."""

    async def script(answering: Answering) -> None:
        await until(lambda: worker.cancelled(answering.request.request_id))
        await answering.plain(b'{"error":{"code":"cancelled"}}', 499)

    worker.script = script
    place = await leave(both[0])
    stopped = await both[1].client.delete(place)
    found = await fetched(both[1], place)
    again = await both[1].client.delete(place)

    assert stopped.json()["status"] == "cancelling"
    assert worker.cancelled(place.rpartition("/")[2]) == "requested"
    assert found.status_code == 499
    assert again.json()["status"] == "cancelled"
    assert len(worker.cancellations) == 1


class TestEvents:
    """A stream of which some was seen."""

    async def test_live(self, both: tuple[Ingress, Ingress], worker: Worker) -> None:
        """What is in the log comes at once, the rest as it is made; two readers do not disturb."""
        go = asyncio.Event()

        async def script(answering: Answering) -> None:
            await answering.begin(event(0) + event(1))
            await answering.chunk(event(2))
            await go.wait()
            await answering.chunk(event(3))
            await answering.finish(DONE)

        worker.script = script
        place = await leave(both[0], stream=True)
        whole = counted(b"".join(event(number) for number in range(4)) + DONE)

        async def read(ingress: Ingress, seen: int) -> tuple[bytes, bytes]:
            url = f"{place}/events?starting_after={seen}"
            async with ingress.client.stream("GET", url) as found:
                assert found.headers["content-type"] == SSE
                pieces = found.aiter_bytes()
                first = await anext(pieces)
                go.set()
                return first, first + b"".join([piece async for piece in pieces])

        (first, one), (_, two) = await asyncio.gather(read(both[1], 1), read(both[0], 2))

        assert one == whole.partition(b"id: 2\n")[1] + whole.partition(b"id: 2\n")[2]
        assert two == b"id: 3\n" + whole.partition(b"id: 3\n")[2]
        assert one.startswith(first)

    async def test_a_reader_cancels_nothing(
        self, both: tuple[Ingress, Ingress], worker: Worker
    ) -> None:
        """It leaves in the middle and comes again."""
        go = asyncio.Event()

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))
            await go.wait()
            await answering.finish(DONE)

        worker.script = script
        place = await leave(both[0], stream=True)
        async with both[1].client.stream("GET", f"{place}/events") as found:
            assert await anext(found.aiter_bytes()) == counted(event(0))
        await until(lambda: len(both[1].gateway.follower) == 0)
        go.set()
        found = await both[1].client.get(f"{place}/events", headers={"last-event-id": "1"})

        assert found.content == counted(DONE, 2)
        assert worker.cancellations == []

    async def test_another_run_after_bytes(
        self, both: tuple[Ingress, Ingress], worker: Worker
    ) -> None:
        """Who has seen events of the first gets an error; who has seen none, or asks for all, the second."""

        async def script(answering: Answering) -> None:
            await answering.begin(event(7) + event(8))
            answering.attempt, answering.seq = 2, 0
            await answering.put("begun", seq=-1)
            await answering.begin(b"".join(event(number) for number in range(4)))
            await answering.finish(DONE)

        worker.script = script
        place = await leave(both[0], stream=True)
        whole = await fetched(both[1], place)

        async def after(seen: int) -> bytes:
            found = await both[1].client.get(f"{place}/events?starting_after={seen}")
            return found.content

        assert whole.content == b"".join(event(number) for number in range(4)) + DONE
        assert await after(0) == counted(whole.content)
        for seen in (1, 2):
            assert b"stream_interrupted" in await after(seen)
            assert DONE not in await after(seen)
        # The first had two, so that who has seen three has them of the second.
        assert await after(3) == counted(event(3) + DONE, 4)

    async def test_a_stream_that_never_began(
        self, both: tuple[Ingress, Ingress], worker: Worker
    ) -> None:
        """Its error, as it is."""

        async def script(answering: Answering) -> None:
            await answering.plain(b'{"error":{"code":"x"}}', 429)

        worker.script = script
        place = await leave(both[0], stream=True)
        found = await both[1].client.get(f"{place}/events")

        assert (found.status_code, found.json()) == (429, {"error": {"code": "x"}})

    async def test_an_error_after_events(
        self, both: tuple[Ingress, Ingress], worker: Worker
    ) -> None:
        """It is an event like the others; fetched whole it is the end of the stream, too."""
        error = b'data: {"error":{"code":"cut"}}\n\n'

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))
            await answering.fail(error)

        worker.script = script
        place = await leave(both[0], stream=True)
        whole = await fetched(both[1], place)
        found = await both[1].client.get(f"{place}/events?starting_after=1")

        assert (whole.status_code, whole.content) == (200, event(0) + error)
        assert found.content == counted(error, 2)

    @pytest.mark.parametrize("stop", [False, True], ids=["client", "gateway"])
    async def test_who_breaks_it_off(
        self, both: tuple[Ingress, Ingress], worker: Worker, stop: bool
    ) -> None:
        """A client that goes cancels, as ever; a gateway that stops does not, and the rest is there."""
        go = asyncio.Event()

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))
            await go.wait()
            await answering.finish(DONE)

        worker.script = script
        async with both[0].client.stream(
            "POST", CHAT, json=body(stream=True), headers=IDS
        ) as found:
            name = found.headers["sluice-request-id"]
            pieces = found.aiter_bytes()
            assert await anext(pieces) == counted(event(0))
            if stop:
                both[0].stop.set()
                rest = b"".join([piece async for piece in pieces])
                assert b"stream_interrupted" in rest
        if not stop:
            await until(lambda: worker.cancelled(name))
        go.set()
        found = await both[1].client.get(f"/v1/requests/{name}/events?starting_after=1")

        assert found.content == counted(DONE, 2)
        assert worker.cancelled(name) == (None if stop else "disconnected")


class TestGone:
    """When the log has no more of it."""

    async def test_the_store_has_it(
        self,
        start: Start,
        worker: Worker,
        forget: Forget,
        kafka: KafkaConfig,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Whole or from some event on, for its owner alone; what it has not is 410."""
        monkeypatch.setattr("ingress.past.GRACE", 0.0)
        sink = SQLiteSink(SinkConfig(sqlite_path=str(tmp_path / "sluice.db")), SystemClock())
        await sink.open()
        answers = SQLiteAnswers(str(tmp_path / "sluice.db"))
        ingress = await start(answers=answers, request_timeout=0.1)
        places = [await leave(ingress, stream=True) for _ in range(2)]
        stream = event(0) + event(1) + DONE
        kept = Kept(
            request_id=places[0].rpartition("/")[2],
            client="master",
            user_path="/",
            created_at="2026-01-01T00:00:00.000000Z",
            provider="sim",
            model="m",
            content_type=SSE,
            http_headers={"x-their": "1"},
            answer=stream,
        )
        await sink.keep([kept])

        async def seen() -> list[Any]:
            whole = await ingress.client.get(places[0])
            rest = await ingress.client.get(f"{places[0]}/events?starting_after=1")
            gone = await ingress.client.get(places[1])
            other = await ingress.client.get(places[0], headers={"x-sluice-user-path": "/other"})
            assert gone.json()["error"]["code"] == "gone"
            assert whole.headers["x-their"] == "1"
            assert (whole.headers["sluice-provider"], whole.headers["sluice-model"]) == ("sim", "m")
            return [whole.content, rest.content, gone.status_code, other.status_code]

        expected = [stream, counted(event(1) + DONE, 2), 410, 404]
        await asyncio.sleep(0.2)  # their deadline is over
        await forget(kafka.topics.replies)
        assert await seen() == expected
        await forget(kafka.topics.requests)
        assert await seen() == expected
        state = await ingress.client.delete(places[0])
        assert state.json()["status"] == "completed"
        await answers.close()
        await sink.close()

    async def test_its_beginning_is_deleted(
        self, both: tuple[Ingress, Ingress], worker: Worker, forget: Forget, kafka: KafkaConfig
    ) -> None:
        """Half an answer is none."""
        go = asyncio.Event()

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))
            await go.wait()
            await answering.finish(DONE)

        worker.script = script
        place = await leave(both[0], stream=True)
        while (await both[1].client.get(place)).json()["status"] != "in_progress":
            pass
        await forget(kafka.topics.replies)
        go.set()
        await asyncio.sleep(0.5)
        found = await both[1].client.get(place)

        assert (found.status_code, found.json()["error"]["code"]) == (410, "gone")


@pytest.mark.parametrize(
    ("headers", "param"),
    [({"sluice-event-ids": "2"}, None), ({"sluice-on-disconnect": "maybe"}, None)],
)
async def test_headers_that_mean_nothing(
    both: tuple[Ingress, Ingress], worker: Worker, headers: dict[str, str], param: str | None
) -> None:
    """400, and nothing is asked."""
    found = await both[0].chat(headers=headers)

    assert (found.status_code, found.json()["error"]["param"]) == (400, param)
    assert worker.requests == []


async def test_the_setting_is_the_default(start: Start, worker: Worker) -> None:
    """`finish` for all that do not say other."""

    async def script(answering: Answering) -> None:
        await asyncio.Event().wait()

    worker.script = script
    ingress = await start(on_disconnect="finish")
    for headers in ({}, {"sluice-on-disconnect": "cancel"}):
        asked = len(worker.requests)
        task = asyncio.create_task(ingress.chat(headers=headers))
        await until(lambda: len(worker.requests) > asked)  # noqa: B023
        task.cancel()
        await asyncio.wait((task,))
    await until(lambda: worker.cancellations)

    assert [each.request_id for each in worker.cancellations] == [worker.requests[1].request_id]


async def test_a_log_that_does_not_take_it(start: Start, worker: Worker) -> None:
    """503 and not 202: and what may have reached the log all the same is cancelled."""
    ingress = await start()
    ingress.gateway.log.failing = True

    found = await ingress.chat(headers=ASYNC)

    assert found.status_code == 503
    assert found.headers["retry-after"]
    assert "location" not in found.headers


async def test_a_status_is_json(both: tuple[Ingress, Ingress], worker: Worker) -> None:
    """And is not to be held by a cache on the way."""

    async def script(answering: Answering) -> None:
        await asyncio.Event().wait()

    worker.script = script
    place = await leave(both[0])
    found = await both[1].client.get(place)

    assert found.headers["content-type"] == "application/json"
    assert found.headers["cache-control"] == "no-store"
    assert json.loads(found.content).keys() == {"id", "object", "status", "created_at"}
