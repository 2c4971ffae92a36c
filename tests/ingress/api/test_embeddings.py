"""POST /v1/embeddings, as OpenAI's callers have it."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import openai
import pytest

from tests.ingress.conftest import KEY, Start
from tests.ingress.worker import JSON, Answering, Worker

VECTOR = [0.5, -1.0, 0.25]


def answer(embedding: Any) -> bytes:
    data = [{"object": "embedding", "index": 0, "embedding": embedding}]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return json.dumps({"object": "list", "data": data, "model": "m", "usage": usage}).encode()


async def as_asked(answering: Answering) -> None:
    """In the coding that the body names."""
    if answering.options.get("encoding_format") == "base64":
        await answering.plain(answer(base64.b64encode(struct.pack("<3f", *VECTOR)).decode()))
    else:
        await answering.plain(answer(VECTOR))


@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}])
async def test_the_sdk_gets_numbers(start: Start, worker: Worker, encoding: dict[str, Any]) -> None:
    """In both codings; OpenAI's client asks for base64 where its caller says nothing."""
    worker.script = as_asked
    ingress = await start()

    async with openai.AsyncOpenAI(
        base_url=f"{ingress.url}/v1", api_key=KEY, max_retries=0
    ) as client:
        found = await client.embeddings.create(
            model="m", input=["hi"], dimensions=3, user="u", **encoding
        )

    assert found.data[0].embedding == VECTOR
    (request,) = worker.requests
    assert (request.operation, request.dialect) == ("embeddings", "openai_chat")
    assert json.loads(request.body) == {
        "model": "m",
        "input": ["hi"],
        "dimensions": 3,
        "user": "u",
        "encoding_format": encoding.get("encoding_format", "base64"),
    }


@pytest.mark.parametrize("given", ["hi", ["a", "b"], [1, 2], [[1], [2]], ""])
async def test_every_kind_of_input(start: Start, worker: Worker, given: object) -> None:
    """Texts and tokens, one or many: what they are is the provider's business, as what else is asked."""
    worker.script = as_asked
    ingress = await start()
    asked = {"model": "m", "input": given, "new": {"a": 1}}

    found = await ingress.client.post("/v1/embeddings", json=asked)

    assert (found.status_code, found.content) == (200, answer(VECTOR))
    assert json.loads(worker.requests[0].body) == asked


async def test_a_large_answer(start: Start, worker: Worker) -> None:
    """It comes in several records and is whole, without a length when it could not wait for its end."""
    whole = answer([0.123456789] * 200_000)
    pieces = [whole[at : at + (1 << 20)] for at in range(0, len(whole), 1 << 20)]

    async def script(answering: Answering) -> None:
        await answering.begin(pieces[0], JSON)
        for piece in pieces[1:-1]:
            await answering.chunk(piece)
        await answering.finish(pieces[-1])

    worker.script = script
    ingress = await start()

    found = await ingress.client.post("/v1/embeddings", json={"model": "m", "input": "hi"})

    assert len(pieces) > 2
    assert found.content == whole


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (b'{"input":"hi"}', "model"),
        (b'{"model":"","input":"hi"}', "model"),
        (b'{"model":["m"],"input":"hi"}', "model"),
        (b'{"model":"m"}', "input"),
        (b'{"model":"m","input":null}', "input"),
        (b"[]", None),
        (b"", None),
        (b'{"model":"m","input":"\xff"}', None),
    ],
)
async def test_a_body_that_asks_nothing(
    start: Start, worker: Worker, content: bytes, param: str | None
) -> None:
    """400 names the parameter, if it is one, and nothing reaches the log."""
    ingress = await start()

    found = await ingress.client.post("/v1/embeddings", content=content)

    assert found.status_code == 400
    error = found.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert worker.requests == []


async def test_a_refusal(start: Start, worker: Worker) -> None:
    """What the worker says of it is the answer, as OpenAI's client takes it."""

    async def script(answering: Answering) -> None:
        error = {"message": "no", "type": "invalid_request_error", "param": "model", "code": "x"}
        await answering.plain(json.dumps({"error": error}).encode(), 400)

    worker.script = script
    ingress = await start()

    async with openai.AsyncOpenAI(
        base_url=f"{ingress.url}/v1", api_key=KEY, max_retries=0
    ) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.embeddings.create(model="m", input="hi")

    assert (caught.value.code, caught.value.param) == ("x", "model")
