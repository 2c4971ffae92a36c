"""What watchers are told, through the gateway: /admin/api/v1/live and the exchanges it points at."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from ingress.live import WAITING, Watcher
from tests.gateway import KEY, Gateway

LIVE = "/admin/api/v1/live"
Event = tuple[str, Any]


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=gateway.second, headers=headers, timeout=60) as found:
        yield found


async def events(answer: httpx.Response) -> AsyncIterator[Event]:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def first(watched: AsyncIterator[Event], wanted: Callable[[str, Any], Any]) -> Any:
    """What `wanted` makes of the first event for which that is not None."""
    async with asyncio.timeout(60):
        async for name, data in watched:
            if (found := wanted(name, data)) is not None:
                return found
    raise AssertionError("the stream ended")


def flow(name: str, data: Any) -> Any:
    """A picture in which a worker has been heard."""
    heard = name == "flow" and {each["heartbeat"]["role"] for each in data["processes"]}
    return data if heard and heard >= {"ingress", "streams", "sinks"} else None


def row(kind: str, request_id: str) -> Callable[[str, Any], Any]:
    """What is told of a request that has started or finished."""

    def wanted(name: str, data: Any) -> Any:
        rows = data[kind] if name == "rows" else ()
        return next((each for each in rows if each["request_id"] == request_id), None)

    return wanted


async def test_a_watcher_sees_what_another_ingress_takes_in(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    """A request that runs is told of before it ends, and when it ends; of one that is quick the end is enough.
    Its exchange can be opened from there."""
    chat, messages = "/v1/chat/completions", [{"role": "user", "content": "Who is watching?"}]
    body = {"model": "sim-echo", "messages": messages}
    long = {"model": "sim-20-lorem-2000", "messages": messages, "stream": True}
    headers = {"x-gomodel-user-path": "/w"}
    async with client.stream("GET", LIVE) as answer, aclosing(events(answer)) as watched:
        assert answer.headers["content-type"].startswith("text/event-stream")
        await first(watched, flow)
        url = f"{gateway.url}{chat}"
        async with client.stream("POST", url, json=long, headers=headers) as running:
            name = running.headers["sluice-request-id"]
            begun = await first(watched, row("started", name))
        left = await first(watched, row("finished", name))
        asked = await client.post(url, json=body, headers=headers)
        request_id = asked.headers["sluice-request-id"]
        ended = await first(watched, row("finished", request_id))

    assert (begun["model"], begun["stream"], begun["user_path"]) == (long["model"], True, "/w")
    assert left["outcome"] == "cancelled"
    assert (ended["outcome"], ended["status"], ended["attempts"]) == ("completed", 200, 1)
    place = ended["kafka"]
    path = f"/admin/api/v1/exchanges/{place['partition']}/{place['offset']}"
    exchange = (await client.get(path)).json()
    assert exchange["request_id"] == request_id
    assert exchange["request"]["body"] == body
    assert exchange["response"]["body"] == asked.json()


async def test_the_picture_has_every_topic_and_process(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    """Topics with their partitions and growth, both ingress processes, workers and sinks by their beats."""
    async with client.stream("GET", LIVE) as answer, aclosing(events(answer)) as watched:
        found = await first(watched, flow)

    prefix = gateway.stack.topics.prefix
    topics = {each["name"].removeprefix(prefix): each for each in found["topics"]}
    assert set(topics) == {"requests", "requests.batch", "exchanges", "replies", "control"}
    assert topics["control"]["written"] > 0
    assert topics["requests"]["lag"] is not None
    assert topics["replies"]["lag"] is None
    slots = {each["heartbeat"]["slot"] for each in found["processes"]}
    assert {0, 1} <= slots


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/admin/api/v1/exchanges/0/999999999", 404),
        ("/admin/api/v1/exchanges/9999/0", 404),
        ("/admin/api/v1/exchanges/0/x", 400),
        ("/admin/api/v1/exchanges/-1/0", 400),
    ],
)
async def test_what_does_not_stand_in_the_log(
    client: httpx.AsyncClient, path: str, status: int
) -> None:
    """404 for a place where no exchange stands, 400 for one that cannot be."""
    answer = await client.get(path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [LIVE, "/admin/api/v1/exchanges/0/0"])
async def test_watching_takes_a_key(gateway: Gateway, path: str) -> None:
    """Without one it is 401: what is shown has bodies."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as nobody:
        assert (await nobody.get(path)).status_code == 401


async def test_a_slow_watcher_loses_pieces_and_is_told() -> None:
    """What is kept for one watcher has a limit; how much went by is said with the next piece."""
    watcher = Watcher()
    for number in range(WAITING + 3):
        watcher.put(b"%d" % number)

    assert await watcher.next() == b'0event: lost\ndata: {"pieces":3}\n\n'
    assert await watcher.next() == b"1"
