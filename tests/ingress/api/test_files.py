"""/v1/files and /v1/batches: what of a request goes into the log, and what comes back."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from schemas.replies import Head
from schemas.requests import Operation, Relay
from tests.ingress.conftest import KEY, Start
from tests.ingress.worker import JSON, Answering, Worker

FILE = {
    "id": "file-1",
    "object": "file",
    "bytes": 3,
    "created_at": 1,
    "filename": "a.jsonl",
    "purpose": "batch",
    "status": "processed",
}
# Operation, method, path behind /v1.
ROUTES: list[tuple[Operation, str, str]] = [
    ("files", "POST", "/files"),
    ("files", "GET", "/files"),
    ("files", "GET", "/files?purpose=batch&limit=2&after=file%2F1&provider=sim"),
    ("files", "GET", "/files/file-1"),
    ("files", "DELETE", "/files/file-1?provider=sim"),
    ("files", "GET", "/files/file-1/content"),
    ("files", "GET", "/files/a%2Fb/content"),
    ("batches", "POST", "/batches"),
    ("batches", "GET", "/batches?limit=2"),
    ("batches", "GET", "/batches/batch_1"),
    ("batches", "POST", "/batches/batch_1/cancel"),
    ("batches", "GET", "/batches/batch_1/results"),
]


def says(data: object, status: int = 200) -> Any:
    async def script(answering: Answering) -> None:
        await answering.plain(json.dumps(data).encode(), status)

    return script


@pytest.mark.parametrize("prefix", ["", "/ai"])
async def test_every_route(start: Start, worker: Worker, prefix: str) -> None:
    """The record has the method and the path with its query as they came; the provider is left open."""
    ingress = await start(base_path=prefix)

    for operation, method, path in ROUTES:
        worker.requests.clear()
        found = await ingress.client.request(method, f"{prefix}/v1{path}")

        assert found.status_code == 200, path
        (request,) = worker.requests
        assert (request.operation, request.dialect) == (operation, "openai_chat")
        assert request.relay == Relay("", method, path)
        assert request.body == b""


async def test_an_upload(start: Start, worker: Worker) -> None:
    """Parts, their boundary and any bytes in them go as they came; OpenAI's client gets its file."""
    worker.script = says(FILE)
    ingress = await start()
    content = bytes(range(256)) * 20

    async with openai.AsyncOpenAI(
        base_url=f"{ingress.url}/v1", api_key=KEY, max_retries=0
    ) as client:
        found = await client.files.create(
            file=("a.jsonl", content), purpose="batch", extra_query={"provider": "sim"}
        )

    assert (found.id, found.filename) == ("file-1", "a.jsonl")
    (request,) = worker.requests
    assert request.content_type.startswith("multipart/form-data; boundary=")
    boundary = request.content_type.partition("boundary=")[2].encode()
    assert request.body.rstrip(b"\r\n").endswith(b"--" + boundary + b"--")
    assert content in request.body
    assert request.relay == Relay("", "POST", "/files?provider=sim")


async def test_the_sdk_walks_through_them(start: Start, worker: Worker) -> None:
    """OpenAI's client lists, gets, deletes, and makes and cancels a batch."""
    ingress = await start()
    batch = {"id": "batch_1", "object": "batch", "status": "validating", "input_file_id": "file-1"}

    async with openai.AsyncOpenAI(
        base_url=f"{ingress.url}/v1", api_key=KEY, max_retries=0
    ) as client:
        worker.script = says({"object": "list", "data": [FILE], "has_more": False})
        listed = [found.id async for found in client.files.list(purpose="batch")]
        worker.script = says({"id": "file-1", "object": "file", "deleted": True})
        deleted = await client.files.delete("file-1")
        worker.script = says(batch)
        made = await client.batches.create(
            input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h"
        )
        worker.script = says(batch | {"status": "cancelling"})
        cancelled = await client.batches.cancel("batch_1")

    assert (listed, deleted.deleted) == (["file-1"], True)
    assert (made.id, cancelled.status) == ("batch_1", "cancelling")
    assert json.loads(worker.requests[2].body)["input_file_id"] == "file-1"
    assert [request.relay for request in worker.requests] == [
        Relay("", "GET", "/files?purpose=batch"),
        Relay("", "DELETE", "/files/file-1"),
        Relay("", "POST", "/batches"),
        Relay("", "POST", "/batches/batch_1/cancel"),
    ]


async def test_a_content(start: Start, worker: Worker) -> None:
    """Bytes of any kind, with the type and the headers that the provider gave them."""
    content = bytes(range(256)) * 9000

    async def script(answering: Answering) -> None:
        head = Head(200, "application/x-mine", "sim", "", b'{"content-disposition":"attachment"}')
        await answering.put("started", content[:1_000_000], head=head)
        await answering.chunk(content[1_000_000:2_000_000])
        await answering.finish(content[2_000_000:])

    worker.script = script
    ingress = await start()

    found = await ingress.client.get("/v1/files/file-1/content")

    assert found.content == content
    assert found.headers["content-type"] == "application/x-mine"
    assert found.headers["content-disposition"] == "attachment"


async def test_a_content_that_breaks(start: Start, worker: Worker) -> None:
    """After bytes went out a failure breaks the connection, so that a part is not taken for the file."""

    async def script(answering: Answering) -> None:
        await answering.begin(b"\xff" * (2 << 20), "application/octet-stream")
        await answering.fail(b"x")

    worker.script = script
    ingress = await start()

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await ingress.client.get("/v1/files/file-1/content")


async def test_a_provider_that_is_named(start: Start, worker: Worker) -> None:
    """A header of ours names who keeps it; it stays here, as credentials and cookies do."""
    ingress = await start()
    headers = {
        "sluice-provider": "groq-east",
        "x-api-key": KEY,
        "cookie": "a=b",
        "openai-beta": "x",
    }

    found = await ingress.client.get(f"/v1/files/file-1?key={KEY}&a=1", headers=headers)

    assert found.status_code == 200
    (request,) = worker.requests
    assert request.relay == Relay("groq-east", "GET", "/files/file-1?a=1")
    assert request.http_headers["openai-beta"] == "x"
    assert not {"sluice-provider", "x-api-key", "cookie", "authorization"} & {*request.http_headers}
    assert KEY not in repr(request)


@pytest.mark.parametrize(
    ("path", "headers", "says_"),
    [
        ("/v1/files/..", {}, ".."),
        ("/v1/files/%2e%2E/content", {}, ".."),
        ("/v1/batches/%2e/results", {}, "."),
        ("/v1/files", {"sluice-provider": "\xe4"}, "sluice-provider"),
    ],
)
async def test_what_is_not_handed_on(
    start: Start, worker: Worker, path: str, headers: dict[str, str], says_: str
) -> None:
    """Nothing leads out of what an instance keeps; who has no key learns nothing of it."""
    ingress = await start()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    async def status(key: str) -> bytes:
        head = f"GET {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\nconnection: close\r\n{lines}\r\n"
        return await ingress.raw(head.encode("latin-1"))

    refused, stranger = await status(KEY), await status("wrong")

    assert refused.startswith(b"HTTP/1.1 400 ")
    assert says_.encode() in refused
    assert stranger.startswith(b"HTTP/1.1 401 ")
    assert worker.requests == []


async def test_refusals(start: Start, worker: Worker) -> None:
    """Of the gateway and of a provider, both in OpenAI's envelope; nothing is asked of a larger body."""
    error = {
        "message": "no such file",
        "type": "invalid_request_error",
        "param": "id",
        "code": None,
    }
    worker.script = says({"error": error}, 404)
    ingress = await start(body_limit=100)

    async with openai.AsyncOpenAI(
        base_url=f"{ingress.url}/v1", api_key=KEY, max_retries=0
    ) as client:
        with pytest.raises(openai.NotFoundError) as missing:
            await client.files.retrieve("file-9")
        with pytest.raises(openai.APIStatusError) as large:
            await client.files.create(file=("a", b"x" * 200), purpose="batch")

    assert missing.value.param == "id"
    assert (large.value.status_code, large.value.code) == (413, "body_too_large")
    assert len(worker.requests) == 1


async def test_no_body_is_looked_into(start: Start, worker: Worker) -> None:
    """What is no JSON, or none of ours, is for the worker to judge."""
    worker.script = says({})
    ingress = await start()

    for content in (b"{", b"\xff", b'{"model":1}'):
        found = await ingress.client.post(
            "/v1/batches", content=content, headers={"content-type": JSON}
        )
        assert found.status_code == 200
    assert [request.body for request in worker.requests] == [b"{", b"\xff", b'{"model":1}']
