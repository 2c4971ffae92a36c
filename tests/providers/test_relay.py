"""Relayed requests: what reaches a provider, and what comes back of it, over HTTP."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest
from aiohttp import web

from providers.base import Endpoint, Route, Target
from providers.config import TransportConfig
from providers.dialogue import converse
from providers.relay import path_at
from providers.transport import Transport
from schemas.bodies import envelope
from schemas.clock import SystemClock
from schemas.errors import InvalidRequest
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.requests import Relay, Request
from streams.stages import Call
from streams.stages.call import Caller

SSE = "text/event-stream"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "x_unknown": [1]}
ANSWER = {
    "id": "c",
    "model": "m-1",
    "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
EVENTS = (
    b'data: {"model":"m-1","choices":[{"index":0,"delta":{"content":"hi"}}]}\r\n\r\n',
    b": a comment\n\n",
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n',
    b"data: [DONE]\n\n",
)
Script = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Provider:
    """A provider that does what the test says, and the calls of it."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.script: Script
        self.seen: list[web.Request] = []
        self.bodies: list[bytes] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.read())
        return await self.script(request)

    async def relay(
        self, method: str, path: str, body: bytes = b"", **fields: Any
    ) -> tuple[Call, list[Reply]]:
        request = Request(
            request_id="r",
            body=body,
            operation="relay",
            relay=Relay("east", method, path),
            **fields,
        )
        call = Call(request, envelope(request))
        async with aclosing(self.caller(call)) as found:
            return call, [reply async for reply in found]


class OneTarget:
    """Knows one instance, at any name but `nobody`."""

    def __init__(self, base_url: str) -> None:
        routes = {name: Route(f"{base_url}/x") for name in ("openai_chat", "anthropic")}
        self._target = Target(
            Endpoint(
                instance="east",
                routes=routes,
                base_url=base_url,
                models_url="",
                headers={"Authorization": "Bearer ours", "anthropic-version": "1"},
                request_id_header="X-Client-Request-Id",
            ),
            "",
        )

    def resolve(self, model: str, user_path: str) -> Target:
        raise AssertionError("a relayed request is asked of the provider that it names")

    def instance(self, name: str) -> Target:
        if name == "nobody":
            raise InvalidRequest("No provider is configured under the name.")
        return self._target

    def allows(self, instance: str, model: str, user_path: str) -> bool:
        return instance == "east" and (model != "dear" or user_path == "/rich")


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with AsyncExitStack() as stack:
        transport = Transport(TransportConfig())
        await transport.open()
        stack.push_async_callback(transport.close)
        app = web.Application(client_max_size=1 << 24)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        made: list[Provider] = []

        async def handle(request: web.Request) -> web.StreamResponse:
            return await made[0].handle(request)

        app.router.add_route("*", "/{path:.*}", handle)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        targets = OneTarget(f"http://127.0.0.1:{port}/v1")
        caller = Caller(targets, converse, transport, SystemClock(), Metrics())
        made.append(Provider(caller))
        yield made[0]


def whole(replies: list[Reply]) -> bytes:
    """The body that a caller gets."""
    *pieces, end = replies[1:]
    assert isinstance(end, Completed), end
    return b"".join(piece.data for piece in pieces if isinstance(piece, Chunk)) + end.data


async def stream(
    request: web.Request, *pieces: bytes, content_type: str = SSE
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": content_type})
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    return response


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def test_any_method_with_or_without_a_body(provider: Provider, method: str) -> None:
    """Method, path, query and headers arrive as they were; without a body there is no type of one."""

    async def script(request: web.Request) -> web.Response:
        return web.Response(body=b"\x00\xff", headers={"ETag": '"1"'}, content_type="image/png")

    provider.script = script
    call, replies = await provider.relay(
        method, "/things/a%2Fb?x=%20y", http_headers={"x-mine": "1", "user-agent": "me"}
    )

    (seen,) = provider.seen
    assert (seen.method, seen.raw_path) == (method, "/v1/things/a%2Fb?x=%20y")
    assert seen.headers["X-Mine"] == "1"
    assert seen.headers["User-Agent"] == "me"
    # An empty POST gets a type by aiohttp; it is not the JSON that a record without one is taken for.
    assert "json" not in seen.headers.get("Content-Type", "")
    assert whole(replies) == (b"" if method == "HEAD" else b"\x00\xff")
    started = replies[0]
    assert isinstance(started, Started)
    assert (started.status, started.content_type, started.provider) == (200, "image/png", "east")
    assert started.http_headers["etag"] == '"1"'
    assert [attempt.status for attempt in call.attempts] == [200]


async def test_a_body_of_any_type_is_untouched(provider: Provider) -> None:
    """Bytes and their type go through, both ways; our key wins over any that a record holds, the
    caller's version over ours."""

    async def script(request: web.Request) -> web.Response:
        return web.Response(status=201, body=provider.bodies[0], content_type="text/plain")

    provider.script = script
    body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n\xff\x00\r\n--b--\r\n'
    _, replies = await provider.relay(
        "POST",
        "/v1/files",
        body,
        content_type="multipart/form-data; boundary=b",
        http_headers={"authorization": "Bearer theirs", "anthropic-version": "2"},
    )

    (seen,) = provider.seen
    assert seen.raw_path == "/v1/files"
    assert seen.headers["Content-Type"] == "multipart/form-data; boundary=b"
    assert seen.headers["Authorization"] == "Bearer ours"
    assert seen.headers["anthropic-version"] == "2"
    assert seen.headers["X-Client-Request-Id"] == "r"
    assert isinstance(replies[0], Started)
    assert replies[0].status == 201
    assert whole(replies) == body == provider.bodies[0]


async def test_an_answer_is_accounted_for(provider: Provider) -> None:
    """At a path that we know the bytes are the provider's, and usage, model and reason are read."""
    content = json.dumps(ANSWER, indent=1).encode()

    async def script(request: web.Request) -> web.Response:
        return web.Response(body=content, content_type="application/json")

    provider.script = script
    body = json.dumps(CHAT, indent=3).encode()
    call, replies = await provider.relay("POST", "/chat/completions", body)

    end = replies[-1]
    assert provider.bodies == [body]
    assert whole(replies) == content
    assert isinstance(end, Completed)
    assert end.usage is not None
    assert (end.usage.input_tokens, end.usage.output_tokens) == (3, 2)
    assert (end.finish_reason, end.response_model) == ("stop", "m-1")
    assert not call.streamed


@pytest.mark.parametrize(
    "path",
    ["/deployments/d/chat/completions?api-version=1", "/openai/v1/chat/completions"],
)
async def test_an_answer_of_a_deployment_is_accounted_for(provider: Provider, path: str) -> None:
    """The same where the name of a deployment, or OpenAI's own, stands before the path that we know."""
    content = json.dumps(ANSWER).encode()

    async def script(request: web.Request) -> web.Response:
        return web.Response(body=content, content_type="application/json")

    provider.script = script
    _, replies = await provider.relay(
        "POST", path, b'{"messages":[{"role":"user","content":"hi"}]}'
    )

    end = replies[-1]
    assert whole(replies) == content
    assert isinstance(end, Completed)
    assert end.usage is not None
    assert end.usage.output_tokens == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/chat/completions", b'{"model":"dear"}'),
        ("/deployments/dear/chat/completions", b"{}"),
        ("/models/dear:generateContent", b'{"model":"cheap"}'),
    ],
)
async def test_a_model_that_is_not_for_that_user_path(
    provider: Provider, path: str, body: bytes
) -> None:
    """What may not be called by its name cannot be reached past the allow-lists either."""

    async def script(request: web.Request) -> web.Response:
        return web.Response(body=b"{}", content_type="application/json")

    provider.script = script
    _, refused = await provider.relay("POST", path, body, user_path="/poor")
    _, answered = await provider.relay("POST", path, body, user_path="/rich")

    (failed,) = refused
    assert isinstance(failed, Failed)
    assert (failed.error.code, failed.status) == ("model_access_denied", 400)
    assert isinstance(answered[0], Started)
    assert len(provider.seen) == 1


async def test_a_stream_is_passed_on_as_it_comes(provider: Provider) -> None:
    """Each piece at once and as it is; what it used is read on the way."""

    async def script(request: web.Request) -> web.StreamResponse:
        return await stream(request, *EVENTS)

    provider.script = script
    body = json.dumps(CHAT | {"stream": True}).encode()
    call, replies = await provider.relay("POST", "/v1/chat/completions", body)

    end = replies[-1]
    assert whole(replies) == b"".join(EVENTS)
    assert isinstance(end, Completed)
    assert end.usage is not None
    assert end.usage.output_tokens == 2
    assert call.streamed
    assert provider.bodies == [body]


async def test_other_streams_are_passed_on_too(provider: Provider) -> None:
    """Whatever is no JSON document goes out as it comes."""

    async def script(request: web.Request) -> web.StreamResponse:
        return await stream(request, b'{"a":1}\n', b'{"b":', content_type="application/x-ndjson")

    provider.script = script
    call, replies = await provider.relay("POST", "/api/chat", b"{}")

    assert call.streamed
    assert whole(replies) == b'{"a":1}\n{"b":'


async def test_an_error_in_a_stream_is_the_providers_own(provider: Provider) -> None:
    """Nothing is added behind it, and the outcome is a failure."""
    error = b'data: {"error":{"message":"no more","code":500}}\n\n'

    async def script(request: web.Request) -> web.StreamResponse:
        return await stream(request, EVENTS[0], error, b": bye\n\n")

    provider.script = script
    _, replies = await provider.relay("POST", "/chat/completions", json.dumps(CHAT).encode())

    failed = replies[-1]
    assert isinstance(failed, Failed)
    pieces = b"".join(reply.data for reply in replies if isinstance(reply, Chunk))
    assert pieces + (failed.event or b"") == EVENTS[0] + error + b": bye\n\n"
    assert failed.error.message == "no more"


async def test_an_error_object_with_status_200(provider: Provider) -> None:
    """Passed on as it is; the outcome is a failure."""
    content = b'{"error": {"message": "no"}}'

    async def script(request: web.Request) -> web.Response:
        return web.Response(body=content, content_type="application/json")

    provider.script = script
    _, replies = await provider.relay("POST", "/chat/completions", json.dumps(CHAT).encode())

    failed = replies[-1]
    assert isinstance(failed, Failed)
    assert (failed.status, failed.body) == (200, content)


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (400, b'{"type":"error","error":{"type":"invalid_request_error"}}', "application/json"),
        (401, b"no key of yours", "text/plain"),
        (404, b"", "application/octet-stream"),
        (429, b'{"error":{"message":"slow"}}', "application/json"),
        (302, b"elsewhere", "text/html"),
        (500, b"<html>", "text/html"),
    ],
)
async def test_errors_are_opaque(
    provider: Provider, status: int, body: bytes, content_type: str
) -> None:
    """Status, type and bytes are the provider's; nothing is wrapped, also not an empty body."""

    async def script(request: web.Request) -> web.Response:
        return web.Response(
            status=status,
            body=body,
            headers={"Content-Type": content_type, "Location": "/x", "Retry-After": "7"},
        )

    provider.script = script
    _, replies = await provider.relay("POST", "/messages", b"{}", dialect="anthropic")

    (failed,) = replies
    assert isinstance(failed, Failed)
    assert (failed.status, failed.body, failed.content_type) == (status, body, content_type)
    assert failed.http_headers["location"] == "/x"
    assert failed.http_headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("status", "content_type"),
    [(200, "image/png"), (200, "application/json"), (200, SSE), (404, "application/json")],
)
async def test_a_body_that_is_cut_is_a_failure(
    provider: Provider, status: int, content_type: str
) -> None:
    """A Content-Length that is not reached never ends as a whole answer."""

    async def script(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            status=status, headers={"Content-Type": content_type, "Content-Length": "100"}
        )
        await response.prepare(request)
        await response.write(b'{"a": 1}')
        assert request.transport is not None
        request.transport.close()
        return response

    provider.script = script
    _, replies = await provider.relay("GET", "/files/f/content")

    failed = replies[-1]
    assert isinstance(failed, Failed)
    assert (failed.error.code, failed.status, failed.body) == ("stream_truncated", 502, None)


async def test_a_stream_without_its_end(provider: Provider) -> None:
    """A stream of a dialect that we know, which ends without its own end, ends with an error event."""

    async def script(request: web.Request) -> web.StreamResponse:
        return await stream(request, EVENTS[0])

    provider.script = script
    _, replies = await provider.relay("POST", "/chat/completions", json.dumps(CHAT).encode())

    failed = replies[-1]
    assert isinstance(failed, Failed)
    assert failed.error.code == "stream_truncated"
    assert failed.event is not None
    assert b"stream_truncated" in failed.event


async def test_a_body_that_we_cannot_read_is_the_providers_business(provider: Provider) -> None:
    """It is sent all the same, and the provider's word on it comes back."""

    async def script(request: web.Request) -> web.Response:
        return web.Response(status=422, body=b'{"detail":"?"}', content_type="application/json")

    provider.script = script
    _, replies = await provider.relay("POST", "/chat/completions", b"[1, 2")

    assert provider.bodies == [b"[1, 2"]
    assert isinstance(replies[0], Failed)
    assert replies[0].body == b'{"detail":"?"}'


@pytest.mark.parametrize(
    ("base_url", "path", "expected"),
    [
        ("https://h/v1", "/v1/messages", "/messages"),
        ("https://h/v1", "/messages", "/messages"),
        ("https://h/v1", "/v1beta/models?x=1", "/models?x=1"),
        ("https://h/v1", "/v1?x=1", "?x=1"),
        ("https://h/api/paas/v4", "/v1/chat/completions", "/chat/completions"),
        ("https://h/v1", "/vector_stores", "/vector_stores"),
        ("https://h", "/v1/messages", "/v1/messages"),
    ],
)
def test_an_sdks_own_version(base_url: str, path: str, expected: str) -> None:
    """Its version is dropped where the base URL has one, so that it finds the same path."""
    endpoint = Endpoint(instance="i", routes={}, base_url=base_url, models_url="", headers={})

    assert path_at(endpoint, path) == expected
