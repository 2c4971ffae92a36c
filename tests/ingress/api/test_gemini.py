"""POST /v1beta/models/<model>:<action>, as callers of Google's Gemini API have it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

from tests.ingress.conftest import KEY, Ingress, Start
from tests.ingress.worker import SSE, Answering, Worker, breaks_after, streams

CONTENTS = {"contents": [{"parts": [{"text": "hi"}]}]}
MODEL = "/v1beta/models/sim/sim-1"


def piece(text: str, **fields: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {"candidates": [{"index": 0, "content": content, **fields}], "modelVersion": "sim-1"}


def event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\r\n\r\n"


HEL, LO = event(piece("Hel")), event(piece("lo", finishReason="STOP"))


@asynccontextmanager
async def sdk(ingress: Ingress, key: str = KEY, root: str = "") -> AsyncIterator[Any]:
    """Google's client, over httpx; models are asked through it."""
    async with httpx.AsyncClient(timeout=20) as http:
        options = types.HttpOptions(base_url=f"{ingress.url}{root}", httpx_async_client=http)
        with genai.Client(api_key=key, http_options=options) as client:
            yield client.aio.models


def answering_with(data: dict[str, Any]) -> Any:
    async def script(answering: Answering) -> None:
        await answering.plain(json.dumps(data).encode())

    return script


@pytest.mark.parametrize("root", ["", "/gemini"])
async def test_an_answer(start: Start, worker: Worker, root: str) -> None:
    """The SDK has it below both roots; the model and its slashes stand in the path only."""
    worker.script = answering_with(piece("Hello", finishReason="STOP"))
    ingress = await start()

    async with sdk(ingress, root=root) as models:
        found = await models.generate_content(model="models/groq/llama:8b", contents="hi")

    assert found.text == "Hello"
    (request,) = worker.requests
    assert (request.operation, request.dialect) == ("chat", "gemini")
    assert (request.model, request.stream) == ("groq/llama:8b", False)
    assert b"llama" not in request.body


async def test_the_body_goes_as_it_came(start: Start, worker: Worker) -> None:
    """Unknown members and spaces included; of the headers only the time that the caller waits."""
    ingress = await start()
    content = b'{ "contents":[{"parts":[{"text":"\xc3\xa4"}]}],"new":1}'
    headers = {"x-server-timeout": "30", "x-goog-api-key": KEY, "x-goog-api-client": "genai/1"}

    found = await ingress.client.post(
        f"{MODEL}:generateContent?key={KEY}", content=content, headers=headers
    )

    assert found.status_code == 200
    (request,) = worker.requests
    assert request.body == content
    assert request.http_headers == {"x-server-timeout": "30"}
    assert KEY not in repr(request)


async def test_a_stream(start: Start, worker: Worker) -> None:
    """With `alt=sse`, as the SDK asks, the events come as the worker wrote them."""
    worker.script = streams(HEL, LO)
    ingress = await start()

    async with sdk(ingress) as models:
        stream = await models.generate_content_stream(model="sim/sim-1", contents="hi")
        texts = [found.text async for found in stream]
    raw = await ingress.client.post(f"{MODEL}:streamGenerateContent?alt=sse", json=CONTENTS)

    assert texts == ["Hel", "lo"]
    assert raw.headers["content-type"] == SSE
    assert raw.content == HEL + LO
    assert [(request.model, request.stream) for request in worker.requests] == [
        ("sim/sim-1", True)
    ] * 2


@pytest.mark.parametrize("query", ["", "?alt=json", "?alt=", "?$alt=json&key=x"])
async def test_a_stream_without_events(start: Start, worker: Worker, query: str) -> None:
    """Any other `alt` is Google's default: one array of the same pieces."""
    worker.script = streams(HEL, LO)
    ingress = await start()

    found = await ingress.client.post(f"{MODEL}:streamGenerateContent{query}", json=CONTENTS)

    assert found.headers["content-type"] == "application/json"
    assert found.json() == [piece("Hel"), piece("lo", finishReason="STOP")]


async def test_counting_and_embedding(start: Start, worker: Worker) -> None:
    """The SDK's own calls, each an operation of its own."""
    ingress = await start()

    async with sdk(ingress) as models:
        worker.script = answering_with({"totalTokens": 12})
        counted = await models.count_tokens(model="sim/sim-1", contents="hi")
        worker.script = answering_with({"embeddings": [{"values": [0.5, -1.0]}]})
        embedded = await models.embed_content(model="sim/sim-1", contents=["hi"])
    worker.script = answering_with({"embedding": {"values": [0.5]}})
    single = await ingress.client.post(f"{MODEL}:embedContent", json={"content": {"parts": []}})

    assert counted.total_tokens == 12
    assert embedded.embeddings[0].values == [0.5, -1.0]
    assert single.json() == {"embedding": {"values": [0.5]}}
    assert [(request.operation, request.model) for request in worker.requests] == [
        ("count_tokens", "sim/sim-1"),
        ("embeddings", "sim/sim-1"),
        ("embeddings", "sim/sim-1"),
    ]
    assert {request.dialect for request in worker.requests} == {"gemini"}


async def test_counting_a_whole_request(start: Start, worker: Worker) -> None:
    """What would be generated may stand in the place of the contents, in both of the SDK's spellings."""
    ingress = await start()

    for content in (
        {"generateContentRequest": CONTENTS},
        {"generateContentRequest": {"model": "models/m", **CONTENTS}, "contents": []},
    ):
        found = await ingress.client.post(f"{MODEL}:countTokens", json=content)
        assert found.status_code == 200, content
    assert {request.model for request in worker.requests} == {"sim/sim-1"}


@pytest.mark.parametrize(
    ("path", "content", "says"),
    [
        (f"{MODEL}:generateContent", b"{", "JSON"),
        (f"{MODEL}:generateContent", b"[]", "object"),
        (f"{MODEL}:generateContent", b'{"contents":"\xff"}', "UTF-8"),
        (f"{MODEL}:generateContent", b"{}", "contents"),
        (f"{MODEL}:generateContent", b'{"contents":[]}', "contents"),
        (f"{MODEL}:streamGenerateContent", b'{"contents":null}', "contents"),
        (f"{MODEL}:countTokens", b'{"generateContentRequest":null}', "contents"),
        (f"{MODEL}:embedContent", b"[]", "object"),
        ("/v1beta/models/%20:generateContent", b'{"contents":[{}]}', "model"),
    ],
)
async def test_a_body_that_asks_nothing(
    start: Start, worker: Worker, path: str, content: bytes, says: str
) -> None:
    """It is refused before the log, in Google's words for it."""
    ingress = await start()

    found = await ingress.client.post(path, content=content)

    assert found.status_code == 400
    error = found.json()["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert says in error["message"]
    assert worker.requests == []


@pytest.mark.parametrize(
    "name",
    ["m:predict", "m:", "m", ":generateContent", "m:generateContent:x", "m%3Apredict", "a/b"],
)
async def test_what_a_model_cannot_be_asked(start: Start, worker: Worker, name: str) -> None:
    """404 names what can; who has no key learns nothing of it."""
    ingress = await start()

    found = await ingress.client.post(f"/v1beta/models/{name}", json=CONTENTS)
    stranger = await ingress.client.post(
        f"/v1beta/models/{name}", json=CONTENTS, headers={"authorization": "Bearer wrong"}
    )

    assert found.status_code == 404
    assert found.json()["error"]["status"] == "NOT_FOUND"
    assert "embedContent" in found.json()["error"]["message"]
    assert stranger.status_code == 401
    assert worker.requests == []


@pytest.mark.parametrize(
    ("settings", "key", "kind", "code", "status"),
    [
        ({}, "wrong", errors.ClientError, 401, "UNAUTHENTICATED"),
        ({"body_limit": 10}, KEY, errors.ClientError, 413, "INVALID_ARGUMENT"),
        ({"max_in_flight": 0}, KEY, errors.ServerError, 503, "UNAVAILABLE"),
    ],
)
async def test_refusals_as_the_sdk_takes_them(
    start: Start,
    worker: Worker,
    settings: dict[str, Any],
    key: str,
    kind: type[errors.APIError],
    code: int,
    status: str,
) -> None:
    """Each is the SDK's own exception, with Google's word for it and our code as its reason."""
    ingress = await start(**settings)

    async with sdk(ingress, key) as models:
        with pytest.raises(kind) as caught:
            await models.generate_content(model="sim/sim-1", contents="hi")

    assert (caught.value.code, caught.value.status) == (code, status)
    assert caught.value.details["error"]["details"][0]["domain"] == "sluice"
    assert worker.requests == []


async def test_a_stream_that_breaks(start: Start, worker: Worker) -> None:
    """Its last event, or element, is Google's error object, and the SDK raises after the text so far."""
    worker.script = breaks_after(HEL)
    ingress = await start()

    events = await ingress.client.post(f"{MODEL}:streamGenerateContent?alt=sse", json=CONTENTS)
    array = await ingress.client.post(f"{MODEL}:streamGenerateContent", json=CONTENTS)
    async with sdk(ingress) as models:
        stream = await models.generate_content_stream(model="sim/sim-1", contents="hi")
        first = await anext(stream)
        with pytest.raises(errors.ServerError) as caught:
            await anext(stream)

    assert events.content.startswith(HEL)
    last = json.loads(events.content.removeprefix(HEL).removeprefix(b"data: "))
    assert (last["error"]["code"], last["error"]["status"]) == (502, "UNAVAILABLE")
    assert last["error"]["details"][0]["reason"] == "STREAM_INTERRUPTED"
    assert array.json() == [piece("Hel"), last]
    assert first.text == "Hel"
    assert caught.value.code == 502
