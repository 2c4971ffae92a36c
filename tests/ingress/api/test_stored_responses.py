"""/v1/responses/<id>: what a sink has stored of a response, shown, listed, deleted, cancelled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from schemas.clock import SystemClock
from schemas.kept import Kept
from schemas.replies import Head
from schemas.requests import Relay
from sinks.config import SinkConfig
from sinks.sqlite import SQLiteSink
from sinks.sqlite_answers import SQLiteAnswers
from tests.ingress.conftest import KEY, Ingress, Start
from tests.ingress.worker import JSON, SSE, Answering, Worker

PLAIN = {"id": "resp_1", "object": "response", "status": "completed", "output": [], "new": {"a": 1}}
USER = "x-sluice-user-path"

Keep = Callable[..., Awaitable[None]]
Begin = Callable[[], Awaitable[Ingress]]


def events(*numbers: int, end: str = "response.completed") -> bytes:
    """A stream whose last event is the terminal one."""
    found = [
        {"type": "response.output_text.delta", "sequence_number": number} for number in numbers[:-1]
    ]
    found.append({"type": end, "sequence_number": numbers[-1], "response": PLAIN})
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in found
    )


def answer(**changes: Any) -> Kept:
    fields: dict[str, Any] = {
        "request_id": "request-1",
        "response_id": "resp_1",
        "client": "master",
        "user_path": "/a/b",
        "created_at": "2026-01-01T00:00:00.000000Z",
        "dialect": "openai_responses",
        "provider": "sim",
        "request": b'{"model":"m","input":"hi"}',
        "answer": json.dumps(PLAIN).encode(),
    }
    return Kept(**fields | changes)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.api.stored_responses.PATIENCE", 0.2)


@pytest.fixture
async def keep(tmp_path: Path) -> AsyncIterator[Keep]:
    """`await keep(answer())` stores as the sink does."""
    sink = SQLiteSink(SinkConfig(sqlite_path=str(tmp_path / "sluice.db")), SystemClock())
    await sink.open()

    async def kept(*batch: Kept) -> None:
        await sink.keep(batch)

    yield kept
    await sink.close()


@pytest.fixture
async def begin(start: Start, tmp_path: Path) -> AsyncIterator[Begin]:
    """An ingress that looks up what was kept."""
    answers = SQLiteAnswers(str(tmp_path / "sluice.db"))

    async def started() -> Ingress:
        return await start(answers=answers)

    yield started
    await answers.close()


async def test_a_response_is_shown_as_it_was(begin: Begin, keep: Keep) -> None:
    """Byte for byte, by its own id and by the request's; HEAD has its length."""
    ingress = await begin()
    await keep(answer())

    for name in ("resp_1", "request-1"):
        found = await ingress.client.get(f"/v1/responses/{name}?include[]=reasoning")
        assert (found.status_code, found.content) == (200, answer().answer)
        assert found.headers["content-type"] == JSON
        assert found.headers["x-request-id"]
    head = await ingress.client.head("/v1/responses/resp_1")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer().answer))


@pytest.mark.parametrize("end", ["response.completed", "response.incomplete"])
async def test_a_streamed_response_is_shown_whole(begin: Begin, keep: Keep, end: str) -> None:
    """It is the one in the terminal event of its stream."""
    ingress = await begin()
    await keep(answer(answer=events(0, 1, 2, end=end), content_type=SSE))

    found = await ingress.client.get("/v1/responses/resp_1?stream=false")

    assert found.json() == PLAIN


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_a_stream_is_shown_again(begin: Begin, keep: Keep, line_end: str) -> None:
    """All of its events, or those that come after a number; none are left out or cut."""
    ingress = await begin()
    stream = events(0, 1, 2, 3)
    await keep(answer(answer=stream.replace(b"\n", line_end.encode()), content_type=SSE))

    whole = await ingress.client.get("/v1/responses/resp_1?stream=true")
    rest = await ingress.client.get("/v1/responses/resp_1?stream=true&starting_after=1")
    none = await ingress.client.get("/v1/responses/resp_1?stream=true&starting_after=3")

    assert whole.headers["content-type"] == SSE
    assert whole.content == stream
    assert rest.content == b"".join(event + b"\n\n" for event in stream.split(b"\n\n")[2:4])
    assert none.content == b""


async def test_what_was_not_streamed_cannot_be(begin: Begin, keep: Keep) -> None:
    """400 names the parameter."""
    ingress = await begin()
    await keep(answer())

    found = await ingress.client.get("/v1/responses/resp_1?stream=true")

    assert found.status_code == 400
    assert found.json()["error"]["param"] == "stream"


async def test_a_deleted_response_is_gone(begin: Begin, keep: Keep, worker: Worker) -> None:
    """OpenAI's word for it; then there is no such response, in whatever way it is asked for. Its provider,
    which has named it, is asked to delete it, too."""
    ingress = await begin()
    await keep(answer(), answer(request_id="request-2", response_id="resp_2"))

    found = await ingress.client.delete("/v1/responses/resp_1")

    assert (found.status_code, found.json()) == (
        200,
        {"id": "resp_1", "object": "response", "deleted": True},
    )
    assert [each.relay for each in worker.requests] == [Relay("sim", "DELETE", "/responses/resp_1")]
    assert (await ingress.client.delete("/v1/responses/resp_1")).status_code == 404
    for path in ("resp_1", "request-1", "resp_1/input_items"):
        assert (await ingress.client.get(f"/v1/responses/{path}")).status_code == 404
    assert (await ingress.client.get("/v1/responses/resp_2")).status_code == 200


OURS = "resp_01a22e77-2b59-7000-bb31-2d8244f9b31c"


@pytest.mark.parametrize(
    ("changes", "said", "status"),
    [
        ({}, 404, 200),
        ({}, 405, 200),
        ({}, 400, 200),
        ({}, 401, 401),
        ({}, 503, 503),
        ({"response_id": OURS}, None, 200),
        ({"provider": None}, None, 200),
    ],
)
async def test_what_its_provider_says_of_a_deletion(
    begin: Begin, keep: Keep, worker: Worker, changes: dict[str, Any], said: int | None, status: int
) -> None:
    """One that has it no more, or keeps none, does not matter; if it refuses, the caller is told and the
    response is still there. Nobody is asked for one that the gateway itself has named."""

    async def script(answering: Answering) -> None:
        await answering.plain(b'{"error":"theirs"}', said or 200)

    worker.script = script
    ingress = await begin()
    await keep(answer(**changes))

    found = await ingress.client.delete("/v1/responses/request-1")
    left = await ingress.client.get("/v1/responses/request-1")

    assert (found.status_code, left.status_code) == (status, 404 if status == 200 else 200)
    assert (found.json() == {"error": "theirs"}) == (status != 200)
    assert len(worker.requests) == (said is not None)


@pytest.mark.parametrize(
    ("changes", "user_path", "status"),
    [
        ({}, "/a/b", 200),
        ({}, "/a", 200),
        ({}, "/", 200),
        ({}, "/a/bc", 404),
        ({}, "/a/b/c", 404),
        ({"client": "other"}, "/a/b", 404),
        ({"client": None}, "/a/b", 404),
    ],
)
async def test_a_response_is_its_callers(
    begin: Begin, keep: Keep, worker: Worker, changes: dict[str, Any], user_path: str, status: int
) -> None:
    """Of another key or another user path there is none: nobody learns that the id exists, or deletes it."""
    ingress = await begin()
    await keep(answer(**changes))
    headers = {USER: user_path}

    found = await ingress.client.get("/v1/responses/resp_1", headers=headers)
    listed = await ingress.client.get("/v1/responses/resp_1/input_items", headers=headers)
    cancelled = await ingress.client.post("/v1/responses/resp_1/cancel", headers=headers)
    unknown = await ingress.client.get("/v1/responses/resp_9", headers=headers)
    deleted = await ingress.client.delete("/v1/responses/resp_1", headers=headers)

    assert (found.status_code, listed.status_code) == (status, status)
    assert (cancelled.status_code, deleted.status_code) == (400 if status == 200 else 404, status)
    if status == 404:
        assert found.json()["error"]["code"] == "response_not_found"
        assert found.text == unknown.text.replace("resp_9", "resp_1")


async def test_a_response_needs_a_key(begin: Begin, keep: Keep) -> None:
    """401 before anything is looked up, in all of these routes."""
    ingress = await begin()
    await keep(answer())
    headers = {"authorization": "Bearer wrong"}

    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/input_items"),
        ("POST", "/cancel"),
    ):
        url = f"/v1/responses/resp_1{path}"
        found = await ingress.client.request(method, url, headers=headers)
        assert (found.status_code, found.json()["error"]["code"]) == (401, "invalid_api_key")
    assert (await ingress.client.get("/v1/responses/resp_1")).status_code == 200


async def test_what_has_ended_cannot_be_cancelled(begin: Begin, keep: Keep) -> None:
    """400, and it is still there."""
    ingress = await begin()
    await keep(answer())

    found = await ingress.client.post("/v1/responses/resp_1/cancel", json={})

    assert (found.status_code, found.json()["error"]["type"]) == (400, "invalid_request_error")
    assert (await ingress.client.get("/v1/responses/resp_1")).status_code == 200
    assert (await ingress.client.post("/v1/responses/resp_9/cancel")).status_code == 404


async def test_an_answer_that_is_stored_late(
    begin: Begin, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller may ask for a response before the sink has stored it: the look-up waits a moment."""
    monkeypatch.setattr("ingress.api.stored_responses.PATIENCE", 20.0)
    ingress = await begin()

    asking = asyncio.ensure_future(ingress.client.get("/v1/responses/resp_1"))
    done, _ = await asyncio.wait((asking,), timeout=0.3)
    assert not done
    await keep(answer())

    assert (await asking).status_code == 200


async def test_a_store_that_cannot_be_asked(start: Start, tmp_path: Path) -> None:
    """503 is not 404: whether there is such a response is not known."""
    (tmp_path / "broken.db").write_bytes(b"no database, but long enough to be read as one" * 50)
    answers = SQLiteAnswers(str(tmp_path / "broken.db"))
    ingress = await start(answers=answers)

    for method in ("GET", "DELETE"):
        found = await ingress.client.request(method, "/v1/responses/resp_1")
        assert (found.status_code, found.json()["error"]["code"]) == (503, "store_unavailable")
    await answers.close()


class TestInputItems:
    """GET /v1/responses/<id>/input_items"""

    MANY = answer(
        request=json.dumps(
            {"model": "m", "input": [{"role": "user", "content": f"{n}"} for n in range(25)]}
        ).encode()
    )

    async def page(self, ingress: Ingress, query: str) -> httpx.Response:
        return await ingress.client.get(f"/v1/responses/resp_1/input_items{query}")

    async def test_pages(self, begin: Begin, keep: Keep) -> None:
        """Newest first, twenty at a time; each page says how it begins and ends and whether more follows."""
        ingress = await begin()
        await keep(self.MANY)

        def texts(found: httpx.Response) -> list[str]:
            return [item["content"][0]["text"] for item in found.json()["data"]]

        first = await self.page(ingress, "")
        assert texts(first) == [str(number) for number in range(24, 4, -1)]
        body = first.json()
        assert (body["object"], body["has_more"]) == ("list", True)
        assert (body["first_id"], body["last_id"]) == (
            body["data"][0]["id"],
            body["data"][-1]["id"],
        )
        rest = await self.page(ingress, f"?after={body['last_id']}")
        assert texts(rest) == ["4", "3", "2", "1", "0"]
        assert rest.json()["has_more"] is False
        assert texts(await self.page(ingress, "?order=asc&limit=2")) == ["0", "1"]
        assert texts(await self.page(ingress, "?limit=100")) == [str(n) for n in range(24, -1, -1)]
        end = await self.page(ingress, f"?after={rest.json()['last_id']}")
        assert end.json() == {
            "data": [],
            "first_id": None,
            "last_id": None,
            "has_more": False,
            "object": "list",
        }

    @pytest.mark.parametrize(
        ("query", "param"),
        [
            ("?limit=0", "limit"),
            ("?limit=101", "limit"),
            ("?limit=-1", "limit"),
            ("?limit=%D9%A1", "limit"),
            ("?order=up", "order"),
            ("?after=msg_nobody", "after"),
        ],
    )
    async def test_a_page_that_is_none(
        self, begin: Begin, keep: Keep, query: str, param: str
    ) -> None:
        """400 names the parameter."""
        ingress = await begin()
        await keep(self.MANY)

        found = await self.page(ingress, query)

        assert (found.status_code, found.json()["error"]["param"]) == (400, param)

    async def test_the_sdk_turns_the_pages(self, begin: Begin, keep: Keep) -> None:
        """OpenAI's own client gets every item once, and the response itself."""
        ingress = await begin()
        await keep(self.MANY)

        async with openai.AsyncOpenAI(
            base_url=f"{ingress.url}/v1", api_key=KEY, max_retries=0
        ) as client:
            items = client.responses.input_items.list("resp_1", limit=10, order="asc")
            texts = [item.content[0].text async for item in items]  # type: ignore[union-attr]
            found = await client.responses.retrieve("resp_1")

        assert texts == [str(number) for number in range(25)]
        assert found.id == "resp_1"


class TestBackground:
    """What a provider still works on: only it knows how far it is."""

    QUEUED = answer(
        response_id="resp/7",
        provider="groq-east",
        answer=b'{"id":"resp/7","object":"response","status":"queued","background":true}',
    )

    @pytest.mark.parametrize(
        ("method", "path", "relayed"),
        [
            ("GET", "?include[]=x", "/responses/resp%2F7?include[]=x"),
            ("GET", "?stream=true&starting_after=4", None),
            ("POST", "/cancel", None),
        ],
    )
    async def test_its_provider_is_asked(
        self, begin: Begin, keep: Keep, worker: Worker, method: str, path: str, relayed: str | None
    ) -> None:
        """Who answered first is asked for it under the id that it gave; what it says is the answer."""

        async def script(answering: Answering) -> None:
            head = Head(200, JSON, "groq-east", "", b'{"x-their":"1"}')
            await answering.put("completed", b'{"status":"in_progress"}', head=head, count=1)

        worker.script = script
        ingress = await begin()
        await keep(self.QUEUED)

        found = await ingress.client.request(method, f"/v1/responses/request-1{path}")

        assert (found.status_code, found.json()) == (200, {"status": "in_progress"})
        assert found.headers["x-their"] == "1"
        (request,) = worker.requests
        expected = relayed or f"/responses/resp%2F7{path}"
        assert (request.operation, request.dialect) == ("relay", "openai_responses")
        assert request.relay == Relay("groq-east", method, expected)
        assert KEY not in repr(request)

    async def test_deleted_here_too(self, begin: Begin, keep: Keep, worker: Worker) -> None:
        """After a deletion it is nobody's business any more, whatever its provider said."""
        ingress = await begin()
        await keep(self.QUEUED)

        await ingress.client.delete("/v1/responses/request-1")

        assert (await ingress.client.get("/v1/responses/request-1")).status_code == 404
        assert len(worker.requests) == 1

    async def test_not_by_others(self, begin: Begin, keep: Keep, worker: Worker) -> None:
        """Whoever may not read it has nobody asked."""
        ingress = await begin()
        await keep(self.QUEUED)

        for method, path in (("GET", ""), ("POST", "/cancel"), ("DELETE", "")):
            url = f"/v1/responses/request-1{path}"
            found = await ingress.client.request(method, url, headers={USER: "/other"})
            assert found.status_code == 404
        assert worker.requests == []

    async def test_its_input_is_known_here(self, begin: Begin, keep: Keep, worker: Worker) -> None:
        """The items of its input do not change: they are listed without asking."""
        ingress = await begin()
        await keep(self.QUEUED)

        found = await ingress.client.get("/v1/responses/request-1/input_items")

        assert [item["content"][0]["text"] for item in found.json()["data"]] == ["hi"]
        assert worker.requests == []
