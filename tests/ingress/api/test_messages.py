"""POST /v1/messages and its count of tokens, as Anthropic's callers have them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import pytest

from tests.ingress.conftest import KEY, Ingress, Start
from tests.ingress.worker import Answering, Worker, breaks_after, streams

HELLO = [{"role": "user", "content": "hi"}]
ASKED = {"model": "sim/sim-1", "max_tokens": 9, "messages": HELLO}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "sim-1",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
ROOTS = ["", "/anthropic"]


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


START = event("message_start", message=MESSAGE | {"content": [], "stop_reason": None})
BLOCK = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
HEL = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hel"})
LO = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "lo"})
END = (
    event("content_block_stop", index=0)
    + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2})
    + event("message_stop")
)


@asynccontextmanager
async def sdk(ingress: Ingress, root: str = "") -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=f"{ingress.url}{root}", api_key=KEY, max_retries=0
    ) as client:
        yield client


@pytest.mark.parametrize("root", ROOTS)
async def test_a_message(start: Start, worker: Worker, root: str) -> None:
    """Below both roots the body goes as it came, with the version and the betas; the answer, too."""

    async def script(answering: Answering) -> None:
        await answering.plain(json.dumps(MESSAGE).encode())

    worker.script = script
    ingress = await start()
    content = (
        b'{ "max_tokens":9, "messages":[{"role":"user","content":"\xc3\xa4"}], "model":"m","new":1}'
    )
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": "a,b", "x-api-key": KEY}

    found = await ingress.client.post(f"{root}/v1/messages", content=content, headers=headers)

    assert (found.status_code, found.json()) == (200, MESSAGE)
    (request,) = worker.requests
    assert request.body == content
    assert (request.operation, request.dialect) == ("chat", "anthropic")
    assert request.http_headers == {"anthropic-version": "2023-06-01", "anthropic-beta": "a,b"}


@pytest.mark.parametrize("root", ROOTS)
async def test_a_stream(start: Start, worker: Worker, root: str) -> None:
    """Anthropic's own client puts it together from the events as the worker wrote them."""
    worker.script = streams(START + BLOCK, HEL, LO, END)
    ingress = await start()

    async with sdk(ingress, root) as client, client.messages.stream(**ASKED) as stream:
        texts = [text async for text in stream.text_stream]
        final = await stream.get_final_message()

    assert texts == ["Hel", "lo"]
    assert (final.id, final.stop_reason, final.usage.output_tokens) == ("msg_1", "end_turn", 2)
    assert json.loads(worker.requests[0].body)["stream"] is True


@pytest.mark.parametrize("root", ROOTS)
async def test_the_count_of_tokens(start: Start, worker: Worker, root: str) -> None:
    """A question of its own, that needs no `max_tokens`."""

    async def script(answering: Answering) -> None:
        await answering.plain(b'{"input_tokens":12}')

    worker.script = script
    ingress = await start()

    async with sdk(ingress, root) as client:
        found = await client.messages.count_tokens(model="m", messages=HELLO)

    assert found.input_tokens == 12
    assert (worker.requests[0].operation, worker.requests[0].dialect) == (
        "count_tokens",
        "anthropic",
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "JSON"),
        (b"[]", "object"),
        (b'{"model":"m\xff"}', "UTF-8"),
        (b'{"max_tokens":9,"messages":[{}]}', "model"),
        (b'{"model":" ","max_tokens":9,"messages":[{}]}', "model"),
        (b'{"model":"m","messages":[{}]}', "max_tokens"),
        (b'{"model":"m","max_tokens":9}', "messages"),
        (b'{"model":"m","max_tokens":9,"messages":[]}', "messages"),
        (b'{"model":"m","max_tokens":9,"messages":"hi"}', "messages"),
        (b'{"model":"m","max_tokens":"9","messages":[{}]}', "max_tokens"),
        (b'{"model":"m","max_tokens":9,"messages":[{}],"stream":1}', "stream"),
    ],
)
async def test_a_body_that_asks_nothing(
    start: Start, worker: Worker, content: bytes, says: str
) -> None:
    """It is refused before the log, in words that name what is wrong with it."""
    ingress = await start()

    found = await ingress.client.post("/v1/messages", content=content)

    assert found.status_code == 400
    assert found.json()["type"] == "error"
    assert found.json()["error"]["type"] == "invalid_request_error"
    assert says in found.json()["error"]["message"]
    assert worker.requests == []


@pytest.mark.parametrize(
    ("settings", "changes", "kind", "type_"),
    [
        ({}, {"api_key": "wrong"}, anthropic.AuthenticationError, "authentication_error"),
        ({"body_limit": 10}, {}, anthropic.APIStatusError, "request_too_large"),
        ({"max_in_flight": 0}, {}, anthropic.InternalServerError, "overloaded_error"),
    ],
)
async def test_refusals_as_the_sdk_takes_them(
    start: Start,
    worker: Worker,
    settings: dict[str, Any],
    changes: dict[str, Any],
    kind: type[anthropic.APIStatusError],
    type_: str,
) -> None:
    """Each is the SDK's own exception, with Anthropic's word for it and the id of the request."""
    ingress = await start(**settings)

    async with sdk(ingress) as client:
        with pytest.raises(kind) as caught:
            await client.with_options(**changes).messages.create(**ASKED)

    assert caught.value.body == {
        "type": "error",
        "error": {"type": type_, "message": caught.value.body["error"]["message"]},
    }
    assert caught.value.response.headers["x-request-id"]
    assert worker.requests == []


async def test_a_refusal_of_the_worker(start: Start, worker: Worker) -> None:
    """Status, body and what may be retried when come as it says, also for a stream."""
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}

    async def script(answering: Answering) -> None:
        await answering.plain(json.dumps(body).encode(), 429, **{"retry-after": "7"})

    worker.script = script
    ingress = await start()

    async with sdk(ingress) as client:
        with pytest.raises(anthropic.RateLimitError) as caught:
            await client.messages.create(**ASKED, stream=True)

    assert caught.value.body == body
    assert caught.value.response.headers["retry-after"] == "7"


async def test_a_stream_that_breaks(start: Start, worker: Worker) -> None:
    """Its last event is `error`, no `message_stop` follows, and the SDK raises after the text so far."""
    worker.script = breaks_after(START + BLOCK, HEL)
    ingress = await start()

    found = await ingress.client.post("/v1/messages", json=ASKED | {"stream": True})
    async with sdk(ingress) as client, client.messages.stream(**ASKED) as stream:
        texts = aiter(stream.text_stream)
        text = await anext(texts)
        with pytest.raises(anthropic.APIStatusError) as caught:
            await anext(texts)

    seen, last = found.content.split(b"event: error\n")
    assert seen == START + BLOCK + HEL
    data = json.loads(last.removeprefix(b"data: "))
    assert (data["type"], data["error"]["type"]) == ("error", "api_error")
    assert last.endswith(b"}\n\n")
    assert text == "Hel"
    assert caught.value.body == data
