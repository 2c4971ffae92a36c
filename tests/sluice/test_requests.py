"""`sluice requests`: where a request stands, and its end, on both brokers."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from schemas import headers as h
from schemas.batch_lines import BatchLine, to_headers
from schemas.batches import batch_id
from schemas.exchange import Exchange
from schemas.headers import Headers
from schemas.ids import new_id
from schemas.requests import Position
from sluice.operations.requests import Answering, Sought, Standing, Worker, status
from tests.e2e.log import Tail, chat, outcome_of, producing, tail
from tests.gateway import KEY, Gateway
from tests.sluice.commands import Done, typed
from tests.sluice.test_operations import exchange

SOURCE = "/requests-tests"
SLOW = "sim-200-lorem-2000"  # streams until it is cancelled


@pytest.fixture
async def reading(gateway: Gateway) -> AsyncIterator[Tail]:
    async with tail(gateway.stack.bootstrap, gateway.stack.topics.exchanges) as found:
        yield found


def new_name() -> str:
    return f"requests-{uuid.uuid4()}"


async def produced(gateway: Gateway, model: str, name: str, *headers: tuple[str, bytes]) -> str:
    """A service's request; its id."""
    own: Headers = [(h.CE_SOURCE, SOURCE.encode()), (h.CE_ID, name.encode()), *headers]
    async with producing(gateway.stack.bootstrap) as producer:
        await producer.send_and_wait(
            gateway.stack.topics.requests, chat(model, name), key=name.encode(), headers=own
        )
    return f"{SOURCE}/{name}"


async def shown(gateway: Gateway, name: str) -> dict[str, Any]:
    (found,) = (await typed(gateway.stack, "requests", "show", name, "--json")).json
    assert isinstance(found, dict)
    return found


async def until_running(gateway: Gateway, request_id: str) -> dict[str, Any]:
    async with asyncio.timeout(100):
        while (found := await shown(gateway, request_id))["status"] != "running":
            assert found["status"] == "waiting"
    return found


async def test_one_that_has_ended(gateway: Gateway) -> None:
    """By the client's X-Request-ID: who asked, where it stands, and all of its exchange."""
    name = new_name()
    headers = {"authorization": f"Bearer {KEY}", "x-request-id": name}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as client:
        answer = await client.post("/v1/chat/completions", content=chat("sim-lorem-3", name))
    assert answer.status_code == 200

    found = await shown(gateway, name)
    assert (found["status"], found["client_request_id"]) == ("completed", name)
    assert found["places"][0]["topic"] == gateway.stack.topics.requests
    assert found["exchange"]["usage"]["output_tokens"] == 3
    assert "request" not in found["exchange"]
    # By its own id, which says when it was made: the same.
    assert await shown(gateway, found["request_id"]) == found

    told = await typed(gateway.stack, "requests", "show", name, "--bodies")
    assert told.lines[0].split() == ["Request", found["request_id"]]
    assert "Status     completed" in told.lines
    assert any(line.startswith("Attempt    sim/sim-lorem-3: HTTP 200") for line in told.lines)
    assert chat("sim-lorem-3", name).decode() in told.lines


async def test_one_that_runs_and_its_end(gateway: Gateway, reading: Tail) -> None:
    """While it runs its replies and its worker are told; cancelled, its outcome is."""
    topics = gateway.stack.topics
    name = new_name()
    address = ((h.REPLY_TOPIC, topics.replies.encode()), (h.REPLY_PARTITION, b"3"))
    request_id = await produced(gateway, "sim-hang", name, *address)
    found = await until_running(gateway, request_id)
    assert found["exchange"] is None
    assert found["reply_topic"] == topics.replies
    assert found["ahead"] is not None

    done = await typed(gateway.stack, "requests", "cancel", request_id, "--wait", "60")
    assert done.lines == [f"{request_id}  cancelled"]
    assert (await outcome_of(reading, topics, request_id)).outcome == "cancelled"
    after = await shown(gateway, request_id)
    assert (after["status"], after["cancelled"]) == ("cancelled", "requested")

    again = await typed(gateway.stack, "requests", "cancel", request_id, "--json")
    assert again.json == [{"request_id": request_id, "outcome": "had ended before: cancelled"}]


async def test_one_of_the_batch_lane(gateway: Gateway, reading: Tail) -> None:
    """It is found there, with what its lane's worker does; of a line its batch is named."""
    topics, name = gateway.stack.topics, new_name()
    line = BatchLine(batch_id(new_id(0)), 7, "mine")
    own: Headers = [(h.CE_SOURCE, SOURCE.encode()), (h.CE_ID, name.encode())]
    async with producing(gateway.stack.bootstrap) as producer:
        await producer.send_and_wait(
            topics.batch, chat("sim-echo", name), key=name.encode(), headers=own + to_headers(line)
        )
    request_id = f"{SOURCE}/{name}"
    await outcome_of(reading, topics, request_id)
    found = await shown(gateway, request_id)

    assert found["places"][0]["topic"] == topics.batch
    assert (found["batch_id"], found["custom_id"]) == (line.batch, "mine")
    # Nobody has begun such a batch: nothing of it is to be called.
    assert found["status"] == found["exchange"]["outcome"] == "cancelled"
    told = await typed(gateway.stack, "requests", "show", request_id)
    assert f"Line       mine of {line.batch}" in told.lines


async def test_a_stream_that_runs(gateway: Gateway, reading: Tail) -> None:
    """What has been told of an answer is counted from its replies."""
    topics = gateway.stack.topics
    name = new_name()
    own: Headers = [
        (h.CE_SOURCE, SOURCE.encode()),
        (h.CE_ID, name.encode()),
        (h.REPLY_TOPIC, topics.replies.encode()),
        (h.REPLY_PARTITION, b"3"),
    ]
    async with producing(gateway.stack.bootstrap) as producer:
        await producer.send_and_wait(
            topics.requests, chat(SLOW, name, stream=True), key=name.encode(), headers=own
        )
    request_id = f"{SOURCE}/{name}"
    async with asyncio.timeout(100):
        while (answering := (await shown(gateway, request_id))["answering"]) is None:
            pass
    assert answering["records"] > 0
    assert answering["bytes"] > 0
    assert (answering["attempt"], answering["whole"]) == (1, False)
    await typed(gateway.stack, "requests", "cancel", request_id)
    assert (await outcome_of(reading, topics, request_id)).outcome == "cancelled"


async def test_one_that_was_refused(gateway: Gateway) -> None:
    """A record that is no request points to its dead letter."""
    name = new_name()
    own: Headers = [(h.CE_SOURCE, SOURCE.encode()), (h.CE_ID, name.encode())]
    async with producing(gateway.stack.bootstrap) as producer:
        await producer.send_and_wait(
            gateway.stack.topics.requests, b"no", key=name.encode(), headers=own
        )
    async with asyncio.timeout(100):
        while (found := await shown(gateway, f"{SOURCE}/{name}"))["status"] != "refused":
            pass
    letter = await typed(gateway.stack, "dlq", "show", str(found["letter"]), "--json")
    assert letter.json["letter"]["request_id"] == f"{SOURCE}/{name}"


async def test_one_that_there_is_not(gateway: Gateway) -> None:
    """A name of which the log knows nothing is said to be that."""
    for command in ("show", "cancel"):
        done: Done = await typed(gateway.stack, "requests", command, new_name())
        assert done.code == 1
        assert "is in the log" in done.err


# -- as data


def standing(**more: Any) -> Standing:
    return Standing(request_id="1", places=[Position("llm.requests", 0, 5)], **more)


ENDED: Exchange = exchange()
ANSWERING = Answering("llm.replies", 1, 10, 1, whole=False)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (standing(ahead=3), "waiting"),
        (standing(ahead=0, worker=Worker("host", 1, running=2, waiting=1)), "waiting"),
        (standing(ahead=0, worker=Worker("host", 1, running=2, waiting=0)), "running"),
        (standing(ahead=0, answering=ANSWERING), "running"),
        (standing(ahead=None), "unknown"),
        (standing(letter=1), "refused"),
        (standing(letter=1, exchange=ENDED), "failed"),
    ],
)
def test_status(found: Standing, expected: str) -> None:
    """The outcome, if there is one; it runs if it answers, or if its worker lets nobody wait."""
    assert status(found) == expected


def test_where_a_search_begins() -> None:
    """An id of ours says when it was made; what somebody asks for counts more."""
    ours = "0196f3a8-2c40-7001-8000-000000000000"
    made = int("0196f3a82c40", 16) / 1000
    assert Sought(ours).begin == made - 60
    assert Sought(ours, 5.0).begin == 5.0
    assert Sought("order-42").begin is None
