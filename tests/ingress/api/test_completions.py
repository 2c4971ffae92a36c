"""POST /v1/completions, OpenAI's older way to ask for text."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.ingress.conftest import KEY, Start
from tests.ingress.worker import DONE, Answering, Worker, breaks_after, streams


def completion(text: str, finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "choices": [choice]}


def event(text: str, finish_reason: str | None = None) -> bytes:
    return b"data: " + json.dumps(completion(text, finish_reason)).encode() + b"\n\n"


async def test_a_completion(start: Start, worker: Worker) -> None:
    """The body goes as it came, the answer comes as the worker has it."""

    async def script(answering: Answering) -> None:
        await answering.plain(json.dumps(completion("Hello", "stop")).encode())

    worker.script = script
    ingress = await start()
    content = b'{ "model":"m", "prompt":["\xc3\xa4", "b"],"echo":true,"best_of":2,"new":1}'

    found = await ingress.client.post(
        "/v1/completions", content=content, headers={"openai-organization": "o"}
    )

    assert (found.status_code, found.json()) == (200, completion("Hello", "stop"))
    (request,) = worker.requests
    assert request.body == content
    assert (request.operation, request.dialect) == ("chat", "openai_completions")
    assert request.http_headers == {"openai-organization": "o"}


async def test_a_stream(start: Start, worker: Worker) -> None:
    """OpenAI's client gets each piece of the text."""
    worker.script = streams(event("Hel"), event("lo", "stop"), DONE)
    ingress = await start()

    async with openai.AsyncOpenAI(
        base_url=f"{ingress.url}/v1", api_key=KEY, max_retries=0
    ) as client:
        stream = await client.completions.create(model="m", prompt="hi", stream=True)
        texts = [found.choices[0].text async for found in stream]

    assert texts == ["Hel", "lo"]
    assert json.loads(worker.requests[0].body)["stream"] is True


async def test_a_stream_that_breaks(start: Start, worker: Worker) -> None:
    """It ends with an error and without [DONE]; OpenAI's client raises after the text so far."""
    worker.script = breaks_after(event("Hel"))
    ingress = await start()

    raw = await ingress.client.post(
        "/v1/completions", json={"model": "m", "prompt": "hi", "stream": True}
    )
    async with openai.AsyncOpenAI(
        base_url=f"{ingress.url}/v1", api_key=KEY, max_retries=0
    ) as client:
        stream = aiter(await client.completions.create(model="m", prompt="hi", stream=True))
        first = await anext(stream)
        with pytest.raises(openai.APIError) as caught:
            await anext(stream)

    assert raw.content.startswith(event("Hel") + b'data: {"error":')
    assert DONE not in raw.content
    assert first.choices[0].text == "Hel"
    assert caught.value.code == "stream_interrupted"


@pytest.mark.parametrize("prompt", ["hi", "", ["a"], [1, 2], [[1], [2]], None])
async def test_every_kind_of_prompt(start: Start, worker: Worker, prompt: object) -> None:
    """What it is is the provider's business, so long as there is one."""
    ingress = await start()

    found = await ingress.client.post("/v1/completions", json={"model": "m", "prompt": prompt})

    assert found.status_code == 200
    assert json.loads(worker.requests[0].body)["prompt"] == prompt


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"model": "m"}, "prompt"),
        ({"prompt": "hi"}, "model"),
        ({"model": " ", "prompt": "hi"}, "model"),
        ({"model": 1, "prompt": "hi"}, "model"),
        ({"model": "m", "prompt": "hi", "stream": "true"}, "stream"),
        ([], None),
    ],
)
async def test_a_body_that_asks_nothing(
    start: Start, worker: Worker, asked: object, param: str | None
) -> None:
    """400 names the parameter, and nothing reaches the log."""
    ingress = await start()

    found = await ingress.client.post("/v1/completions", json=asked)

    assert found.status_code == 400
    error = found.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert worker.requests == []
