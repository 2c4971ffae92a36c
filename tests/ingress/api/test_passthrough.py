"""/p/<provider>/<path>: what of a request goes into the log, and what comes back of its answer."""

import asyncio
import gzip

import httpx
import msgspec
import pytest

from schemas.replies import Head
from schemas.requests import Relay
from tests.ingress.conftest import KEY, Start
from tests.ingress.worker import SSE, Answering, Worker, event

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff not JSON"])
async def test_any_method_and_body(
    start: Start, worker: Worker, method: str, content: bytes
) -> None:
    """The record has method, path with its query, body and type as they came."""
    ingress = await start()

    found = await ingress.client.request(
        method,
        "/p/groq-east/v1/things/a%2Fb?x=%20y&z",
        content=content,
        headers={"content-type": "application/x-mine; b=1"},
    )

    assert found.status_code == 200
    (request,) = worker.requests
    assert request.operation == "relay"
    assert request.relay == Relay("groq-east", method, "/v1/things/a%2Fb?x=%20y&z")
    assert request.body == content
    assert request.content_type == "application/x-mine; b=1"


async def test_head(start: Start, worker: Worker) -> None:
    """HEAD has no body in either direction, whatever type its answer names, and no length of our making."""
    ingress = await start()

    async def script(answering: Answering) -> None:
        head = Head(200, SSE, "sim", "", b'{"etag":"1"}')
        await answering.put("completed", head=head, count=1)

    worker.script = script
    found = await ingress.client.head("/p/sim/files/f")
    again = await ingress.client.get("/health")

    assert (found.status_code, found.content, found.headers["etag"]) == (200, b"", "1")
    assert "content-length" not in found.headers
    assert "sluice-model" not in found.headers
    assert worker.requests[0].relay == Relay("sim", "HEAD", "/files/f")
    assert again.status_code == 200


async def test_headers_that_go_with_it(start: Start, worker: Worker) -> None:
    """All do but credentials, cookies, what belongs to a connection or a proxy, and what is ours."""
    ingress = await start()
    kept = {
        "anthropic-version": "2023-06-01",
        "openai-beta": "x",
        "idempotency-key": "k",
        "x-request-id": "mine",
        "accept": "application/json",
        "user-agent": "sdk/1",
    }
    dropped = {
        "x-api-key": KEY,
        "x-goog-api-key": KEY,
        "api-key": KEY,
        "cookie": "a=b",
        "forwarded": "for=1",
        "x-forwarded-for": "1.2.3.4",
        "x-gomodel-user-path": "/a",
        "x-sluice-user-path": "/a",
        "sluice-drop-params": "true",
        "x-hop": "1",
        "connection": "keep-alive, x-hop",
        "te": "trailers",
        "accept-encoding": "gzip",
    }

    await ingress.client.post("/p/sim/x", json={}, headers=kept | dropped)

    assert worker.requests[0].http_headers == kept


async def test_the_key_never_reaches_the_log(start: Start, worker: Worker) -> None:
    """Not from the query either, however it is written; the rest of the query stays as it came."""
    ingress = await start()
    ingress.client.headers.pop("authorization")

    found = await ingress.client.get(f"/p/sim/models?a=%20&key={KEY}&k%65y={KEY}&b")

    assert found.status_code == 200
    assert worker.requests[0].relay == Relay("sim", "GET", "/models?a=%20&b")


@pytest.mark.parametrize(
    ("path", "headers", "dialect"),
    [
        ("/p/sim/v1/messages", {}, "anthropic"),
        ("/p/sim/messages/count_tokens", {}, "anthropic"),
        ("/p/sim/v1/responses", {}, "openai_responses"),
        ("/p/sim/v1beta/models/m:generateContent", {}, "gemini"),
        ("/p/sim/models/m:streamGenerateContent?alt=sse", {}, "gemini"),
        ("/p/sim/v1/files", {"anthropic-version": "1"}, "anthropic"),
        ("/p/sim/upload/v1beta/files", {"x-goog-api-client": "x"}, "gemini"),
        ("/p/sim/v1/chat/completions", {}, "openai_chat"),
        ("/p/sim/whatever", {}, "openai_chat"),
    ],
)
async def test_whose_path_it_is(
    start: Start, worker: Worker, path: str, headers: dict[str, str], dialect: str
) -> None:
    """Our own errors speak the dialect of the path, or of the SDK that asks."""
    ingress = await start()

    await ingress.client.post(path, json=CHAT, headers=headers)

    assert worker.requests[0].dialect == dialect


@pytest.mark.parametrize(
    ("settings", "path", "says"),
    [
        ({"passthrough_providers": ("openai", "sim")}, "/p/groq-east/x", "groq-east"),
        ({"passthrough_providers": ("groq-east",)}, "/p/groq/x", "groq"),
        ({"passthrough_v1_alias": False}, "/p/sim/v1/models", "ALLOW_PASSTHROUGH_V1_ALIAS"),
        ({}, "/p/sim/a/%2e%2E/b", ".."),
    ],
)
async def test_what_is_not_handed_on(
    start: Start, worker: Worker, settings: dict[str, object], path: str, says: str
) -> None:
    """400 in OpenAI's envelope; who has no key learns nothing of it."""
    ingress = await start(**settings)

    found = await ingress.client.get(path)
    stranger = await ingress.client.get(path, headers={"authorization": "Bearer wrong"})

    assert found.status_code == 400
    assert found.json()["error"]["type"] == "invalid_request_error"
    assert says in found.json()["error"]["message"]
    assert stranger.status_code == 401
    assert worker.requests == []


async def test_a_vendor_enables_its_instances(start: Start, worker: Worker) -> None:
    """A name in the list is an instance's or a vendor's."""
    ingress = await start(passthrough_providers=("groq",))

    assert (await ingress.client.get("/p/groq-east/x")).status_code == 200
    assert (await ingress.client.get("/p/groq/x")).status_code == 200


async def test_passthrough_can_be_off(start: Start) -> None:
    """Then there is no such path."""
    ingress = await start(passthrough_enabled=False)

    assert (await ingress.client.get("/p/sim/x")).status_code == 404


@pytest.mark.parametrize(
    ("status", "content", "content_type"),
    [
        (404, b"", "application/octet-stream"),
        (422, b"<no/>", "text/xml"),
        (204, b"", "application/json"),
        (304, b"", "text/plain"),
        (200, gzip.compress(b"x", mtime=0), "application/gzip"),
    ],
)
async def test_the_answer_is_the_providers(
    start: Start, worker: Worker, status: int, content: bytes, content_type: str
) -> None:
    """Status, type, headers and bytes as the worker says them, also none."""
    ingress = await start()

    async def script(answering: Answering) -> None:
        headers = msgspec.json.encode({"etag": "1", "content-disposition": "attachment"})
        head = Head(status, content_type, "sim", "", headers)
        kind = "completed" if status < 300 else "failed"
        await answering.put(kind, content, head=head, count=1)

    worker.script = script
    found = await ingress.client.get("/p/sim/x")
    again = await ingress.client.get("/p/sim/x")

    assert (found.status_code, found.content) == (status, content)
    assert found.headers["content-type"] == content_type
    assert found.headers["content-disposition"] == "attachment"
    assert again.status_code == status


@pytest.mark.parametrize("content_type", [SSE, "application/x-ndjson"])
async def test_streams_come_at_once(start: Start, worker: Worker, content_type: str) -> None:
    """Events and lines are written as they come, not when all are there."""
    ingress = await start()
    seen = asyncio.Event()

    async def script(answering: Answering) -> None:
        await answering.begin(event(0), content_type)
        await seen.wait()
        await answering.finish(event(1))

    worker.script = script
    async with ingress.client.stream("GET", "/p/sim/x") as found:
        pieces = found.aiter_bytes()
        assert await anext(pieces) == event(0)
        seen.set()
        assert b"".join([piece async for piece in pieces]) == event(1)


async def test_what_breaks_does_not_look_whole(start: Start, worker: Worker) -> None:
    """A binary answer that fails after its first bytes breaks the connection; one that fails before
    anybody saw a byte is an error."""
    ingress = await start()

    async def script(answering: Answering) -> None:
        await answering.begin(b"\xff" * (2 << 20), "application/octet-stream")
        await answering.fail(b"x")

    async def early(answering: Answering) -> None:
        await answering.begin(b"\xff", "application/octet-stream")
        await answering.fail(b'{"error":{"code":"stream_truncated"}}')

    worker.script = script
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await ingress.client.get("/p/sim/x")
    worker.script = early
    found = await ingress.client.get("/p/sim/x")

    assert found.status_code == 502
    assert found.json()["error"]["code"] == "stream_truncated"
