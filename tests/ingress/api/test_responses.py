"""POST /v1/responses, its count of tokens and its compaction, as OpenAI's callers have them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest

from tests.ingress.conftest import KEY, Ingress, Start, until
from tests.ingress.worker import Answering, Worker, breaks_after, streams

RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "sim-1",
    "status": "completed",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "new": {"a": 1},
}
BEGUN = RESPONSE | {"status": "in_progress", "output": []}
ITEM = RESPONSE["output"][0] | {"status": "in_progress", "content": []}
PART = {"type": "output_text", "text": "", "annotations": []}
AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
# Every event of an answer with one text, in order.
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("response.created", {"response": BEGUN}),
    ("response.in_progress", {"response": BEGUN}),
    ("response.output_item.added", {"output_index": 0, "item": ITEM}),
    ("response.content_part.added", {**AT, "part": PART}),
    ("response.output_text.delta", {**AT, "delta": "Hel", "logprobs": []}),
    ("response.output_text.delta", {**AT, "delta": "lo", "logprobs": []}),
    ("response.output_text.done", {**AT, "text": "Hello", "logprobs": []}),
    ("response.content_part.done", {**AT, "part": PART | {"text": "Hello"}}),
    ("response.output_item.done", {"output_index": 0, "item": RESPONSE["output"][0]}),
    ("response.completed", {"response": RESPONSE}),
]
WRITTEN = [
    f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': n, **fields})}\n\n".encode()
    for n, (kind, fields) in enumerate(EVENTS)
]


@asynccontextmanager
async def sdk(ingress: Ingress, key: str = KEY) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{ingress.url}/v1", api_key=key, max_retries=0
    ) as client:
        yield client


async def test_a_response(start: Start, worker: Worker) -> None:
    """The body goes as it came, whatever is in it; the answer comes as the worker has it."""

    async def script(answering: Answering) -> None:
        await answering.plain(json.dumps(RESPONSE).encode())

    worker.script = script
    ingress = await start()
    content = (
        b'{ "input":"\xc3\xa4", "model":"m","store":true,"previous_response_id":"resp_0","new":1}'
    )

    found = await ingress.client.post("/v1/responses", content=content)

    assert (found.status_code, found.json()) == (200, RESPONSE)
    (request,) = worker.requests
    assert request.body == content
    assert (request.operation, request.dialect) == ("chat", "openai_responses")


async def test_the_whole_sequence_of_events(start: Start, worker: Worker) -> None:
    """Each event comes in its place and with its number, and OpenAI's client makes the Response of them."""
    worker.script = streams(b"".join(WRITTEN[:5]), *WRITTEN[5:])
    ingress = await start()

    raw = await ingress.client.post(
        "/v1/responses", json={"model": "m", "input": "hi", "stream": True}
    )
    async with sdk(ingress) as client, client.responses.stream(model="m", input="hi") as stream:
        events = [event async for event in stream]
        final = await stream.get_final_response()

    assert raw.content == b"".join(WRITTEN)
    assert [event.type for event in events] == [kind for kind, _ in EVENTS]
    assert [event.sequence_number for event in events] == list(range(len(EVENTS)))
    assert (final.id, final.output_text) == ("resp_1", "Hello")


@pytest.mark.parametrize("known", range(1, len(EVENTS)))
async def test_a_stream_that_breaks(start: Start, worker: Worker, known: int) -> None:
    """Wherever it is, the stream ends as the same Response, failed, with the number that comes next;
    OpenAI's client takes it for no answer."""
    worker.script = breaks_after(*WRITTEN[:known])
    ingress = await start()
    code = ingress.gateway.metrics.counter("sluice_stream_errors", "stream_interrupted")

    async with sdk(ingress) as client, client.responses.stream(model="m", input="hi") as stream:
        events = [event async for event in stream]
        with pytest.raises(RuntimeError, match="completed"):
            await stream.get_final_response()

    *seen, failed = events
    assert [event.type for event in seen] == [kind for kind, _ in EVENTS[:known]]
    assert failed.type == "response.failed"
    assert failed.sequence_number == known
    assert (failed.response.id, failed.response.status) == ("resp_1", "failed")
    assert failed.response.error is not None
    assert failed.response.error.code == "server_error"
    await until(lambda: code.value == 1)


@pytest.mark.parametrize(
    "context",
    [
        {"previous_response_id": "resp_0"},
        {"conversation": "conv_1"},
        {"conversation": {"id": "conv_1"}},
        {"prompt": {"id": "pmpt_1"}},
        {"input": [], "previous_response_id": "resp_0"},
    ],
)
async def test_what_stands_for_an_input(
    start: Start, worker: Worker, context: dict[str, Any]
) -> None:
    """What is continued, and a stored prompt, may be all that is asked."""
    ingress = await start()

    found = await ingress.client.post("/v1/responses", json={"model": "m", **context})

    assert found.status_code == 200
    assert json.loads(worker.requests[0].body) == {"model": "m", **context}


@pytest.mark.parametrize(
    ("path", "asked", "param"),
    [
        ("", {"model": "m"}, "input"),
        ("", {"model": "m", "input": None}, "input"),
        ("", {"model": "m", "input": ""}, "input"),
        ("", {"model": "m", "input": []}, "input"),
        ("", {"model": "m", "input": {}}, "input"),
        ("", {"model": "m", "conversation": None}, "input"),
        ("", {"input": "hi"}, "model"),
        ("", {"model": "", "input": "hi"}, "model"),
        ("", {"model": "m", "input": "hi", "previous_response_id": 1}, "previous_response_id"),
        ("", {"model": "m", "input": "hi", "stream": "yes"}, "stream"),
        ("/input_tokens", {"input": "hi"}, "model"),
        ("/compact", {"input": "hi"}, "model"),
        ("/compact", {"model": 3, "input": "hi"}, "model"),
    ],
)
async def test_a_body_that_asks_nothing(
    start: Start, worker: Worker, path: str, asked: dict[str, Any], param: str
) -> None:
    """400 names the parameter, and nothing reaches the log."""
    ingress = await start()

    found = await ingress.client.post(f"/v1/responses{path}", json=asked)

    assert found.status_code == 400
    error = found.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert param in error["message"]
    assert worker.requests == []


async def test_the_count_of_tokens(start: Start, worker: Worker) -> None:
    """A question of its own."""

    async def script(answering: Answering) -> None:
        await answering.plain(b'{"object":"response.input_tokens","input_tokens":12}')

    worker.script = script
    ingress = await start()

    async with sdk(ingress) as client:
        found = await client.responses.input_tokens.count(model="m", input="hi")

    assert found.input_tokens == 12
    (request,) = worker.requests
    assert (request.operation, request.dialect) == ("count_tokens", "openai_responses")


async def test_a_compaction(start: Start, worker: Worker) -> None:
    """A question of its own, whose input may be what it continues."""
    compacted = {
        "id": "resp_2",
        "object": "response.compaction",
        "created_at": 1,
        "output": [{"id": "cmp_1", "type": "compaction", "encrypted_content": "x"}],
    }

    async def script(answering: Answering) -> None:
        await answering.plain(json.dumps(compacted).encode())

    worker.script = script
    ingress = await start()

    async with sdk(ingress) as client:
        found = await client.responses.compact(model="m", previous_response_id="resp_1")

    assert (found.id, found.object) == ("resp_2", "response.compaction")
    (request,) = worker.requests
    assert (request.operation, request.dialect) == ("compact", "openai_responses")
    assert json.loads(request.body) == {"model": "m", "previous_response_id": "resp_1"}


async def test_refusals_as_the_sdk_takes_them(start: Start, worker: Worker) -> None:
    """The SDK's own exceptions, with code and parameter, of the gateway and of the worker."""

    async def script(answering: Answering) -> None:
        error = {
            "message": "unknown",
            "type": "invalid_request_error",
            "param": "previous_response_id",
            "code": "previous_response_not_found",
        }
        await answering.plain(json.dumps({"error": error}).encode(), 400)

    worker.script = script
    ingress = await start()

    async with sdk(ingress) as client, sdk(ingress, "wrong") as stranger:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.responses.create(model="m", previous_response_id="resp_0", stream=True)
        with pytest.raises(openai.AuthenticationError) as unknown:
            await stranger.responses.create(model="m", input="hi")

    assert (refused.value.code, refused.value.param) == (
        "previous_response_not_found",
        "previous_response_id",
    )
    assert unknown.value.code == "invalid_api_key"
