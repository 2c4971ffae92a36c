"""The commands of the log over HTTP, on both brokers. What they do is tested with the commands."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.e2e.log import Tail, outcome_of
from tests.gateway import KEY, Gateway
from tests.sluice.test_dlq import SOURCE, buried, new_name, reading as reading

API = "/admin/api/v1"
ASKED = b'{"model": "sim-echo", "messages": [{"role": "user", "content": "hi"}]}'


@pytest.fixture
async def admin(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as client:
        yield client


def problem(found: httpx.Response, status: int) -> dict[str, Any]:
    """The problem details of an answer."""
    assert (found.status_code, found.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    said: dict[str, Any] = found.json()
    assert (said["status"], said["instance"]) == (
        status,
        found.headers["sluice-request-id"],
    )
    return said


async def there(admin: httpx.AsyncClient, path: str) -> httpx.Response:
    """What stands there, as soon as it does."""
    while True:
        found = await admin.get(f"{API}/{path}")
        if found.status_code != 404:
            return found
        await asyncio.sleep(0.1)


async def past(admin: httpx.AsyncClient, place: str, *statuses: str) -> dict[str, Any]:
    """A replay that has left these behind."""
    while True:
        found: dict[str, Any] = (await admin.get(place)).json()
        if found["status"] not in statuses:
            return found
        await asyncio.sleep(0.1)


class TestDeadLetters:
    """`sluice dlq`."""

    async def test_listed_shown_and_redriven(
        self, gateway: Gateway, reading: Tail, admin: httpx.AsyncClient
    ) -> None:
        """A letter is found by its request, shown whole, and answered when it is redriven."""
        name = new_name()
        number = await buried(gateway, reading, name, ASKED)
        request_id = f"{SOURCE.decode()}/{name}"
        query = {"request": request_id, "since": "1h", "limit": "5"}
        listed = await admin.get(f"{API}/dead-letters", params=query)
        shown = await admin.get(f"{API}/dead-letters/{quote(request_id, safe='')}")
        dry = await admin.post(
            f"{API}/dead-letters/redrive", json={"letters": [number], "dry_run": True}
        )
        done = await admin.post(f"{API}/dead-letters/redrive", json={"letters": [number]})

        (line,) = listed.json()["letters"]
        assert (str(line["number"]), line["exception"]) == (number, "Malformed")
        assert shown.json()["letter"] == line
        assert shown.json()["body"] == json.loads(ASKED)
        assert (dry.json()["dry_run"], dry.json()["letters"]) == (True, done.json()["letters"])
        (step,) = done.json()["letters"]
        assert (step["redriven"], step["request_id"]) == (True, request_id)
        outcome = await outcome_of(reading, gateway.stack.topics, request_id)
        assert outcome.outcome == "completed"

    async def test_what_may_have_been_paid_for(
        self, gateway: Gateway, reading: Tail, admin: httpx.AsyncClient
    ) -> None:
        """It is redriven by force only."""
        number = await buried(gateway, reading, new_name(), ASKED, "GivenUp")
        kept = await admin.post(f"{API}/dead-letters/redrive", json={"letters": [number]})
        forced = await admin.post(
            f"{API}/dead-letters/redrive", json={"letters": [number], "force": True}
        )

        assert [found.json()["letters"][0]["redriven"] for found in (kept, forced)] == [False, True]

    @pytest.mark.parametrize(
        ("body", "said"),
        [({}, "Say which"), ({"letter": ["1"]}, "letter"), ({"since": "yesterday"}, "a time is")],
        ids=["nothing", "mistyped", "no time"],
    )
    async def test_what_cannot_be_meant(
        self, admin: httpx.AsyncClient, body: dict[str, Any], said: str
    ) -> None:
        """What is mistyped must not make it a redrive of everything."""
        found = await admin.post(f"{API}/dead-letters/redrive", json=body)
        assert said in problem(found, 400)["detail"]

    async def test_there_is_none(self, admin: httpx.AsyncClient) -> None:
        """404, listed or shown or redriven."""
        problem(await admin.get(f"{API}/dead-letters/none"), 404)
        problem(await admin.post(f"{API}/dead-letters/redrive", json={"letters": ["none"]}), 404)
        listed = await admin.get(f"{API}/dead-letters", params={"request": "none"})
        assert listed.json() == {"letters": []}
        found = await admin.get(f"{API}/dead-letters", params={"limt": "1"})
        assert problem(found, 400)["param"] == "limt"


class TestRequests:
    """`sluice requests`."""

    async def test_shown_and_cancelled(self, admin: httpx.AsyncClient) -> None:
        """By the name that its client gave it; its caller is told."""
        name = new_name()
        headers = {"x-request-id": name}
        body = {"model": "sim-20000-lorem-20", "messages": [{"role": "user", "content": "hi"}]}
        asking = asyncio.create_task(admin.post("/v1/chat/completions", json=body, headers=headers))
        found = await there(admin, f"requests/{name}?since=1h")
        ended = await admin.delete(f"{API}/requests/{name}?since=1h&wait=30")
        answer = await asking
        after = await admin.get(f"{API}/requests/{name}?since=1h&bodies=true")

        (running,), (stopped,), (standing,) = (
            each.json()["requests"] for each in (found, ended, after)
        )
        assert running["status"] in ("waiting", "running")
        assert stopped == {"request_id": running["request_id"], "outcome": "cancelled"}
        assert answer.status_code == 499
        assert standing["status"] == "cancelled"
        assert standing["exchange"]["request"]["body"] == body
        problem(await admin.delete(f"{API}/requests/none?since=1h"), 404)
        problem(await admin.get(f"{API}/requests/none?wait=x"), 400)


class TestReplays:
    """`sluice replay`."""

    async def test_from_its_beginning_to_the_table(self, admin: httpx.AsyncClient) -> None:
        """It is told how far it is, and what came of it."""
        name = new_name()
        body = {"model": "sim-lorem-5", "messages": [{"role": "user", "content": "hi"}]}
        for _ in range(3):
            await admin.post("/v1/chat/completions", json=body, headers={"x-request-id": name})
        wanted = {"model": "sim-echo", "from": "1h", "filters": [f"client_request_id={name}"]}
        begun = await admin.post(f"{API}/replays", json=wanted)
        place = begun.headers["location"]
        other = await admin.post(f"{API}/replays", json=wanted)
        found = await past(admin, place, "reading", "running")
        listed = (await admin.get(f"{API}/replays")).json()["replays"]

        assert (begun.status_code, begun.json()["status"]) == (202, "reading")
        problem(other, 409)
        assert (found["status"], found["requests"], found["done"]) == ("completed", 3, 3)
        table = found["comparison"]
        assert (table["requests"], table["changed"], table["failed"]) == (3, 3, 0)
        assert (listed[0]["id"], "comparison" in listed[0]) == (found["id"], False)
        problem(await admin.get(f"{API}/replays/none"), 404)

    async def test_ended(self, admin: httpx.AsyncClient) -> None:
        """What it runs is cancelled."""
        name = new_name()
        body = {"model": "sim-lorem-5", "messages": [{"role": "user", "content": "hi"}]}
        await admin.post("/v1/chat/completions", json=body, headers={"x-request-id": name})
        filters = [f"client_request_id={name}"]
        wanted = {"model": "sim-5000-lorem-20", "from": "1h", "filters": filters}
        place = (await admin.post(f"{API}/replays", json=wanted)).headers["location"]
        await past(admin, place, "reading")
        ended = await admin.delete(place)

        assert ended.json()["status"] == "cancelled"

    @pytest.mark.parametrize(
        "wrong",
        [{}, {"limit": 0}, {"concurrency": 1000}, {"filters": ["x"]}, {"source": "x"}, {"x": 1}],
        ids=["no model", "limit", "concurrency", "filter", "source", "unknown"],
    )
    async def test_what_cannot_be_run(
        self, admin: httpx.AsyncClient, wrong: dict[str, Any]
    ) -> None:
        """Nothing is begun."""
        wanted = {"model": "sim-echo", **wrong} if wrong else {}
        problem(await admin.post(f"{API}/replays", json=wanted), 400)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "dead-letters"),
        ("GET", "dead-letters/1"),
        ("POST", "dead-letters/redrive"),
        ("GET", "requests/x"),
        ("DELETE", "requests/x"),
        ("GET", "replays"),
        ("POST", "replays"),
        ("DELETE", "replays/x"),
    ],
)
async def test_nobody_else(admin: httpx.AsyncClient, method: str, path: str) -> None:
    """Without the master key nothing is told."""
    found = await admin.request(method, f"{API}/{path}", headers={"authorization": "Bearer no"})
    assert problem(found, 401)["code"] == "invalid_api_key"
    assert found.headers["www-authenticate"] == "Bearer"
