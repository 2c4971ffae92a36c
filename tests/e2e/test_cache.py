"""Answers that need no call: through the official SDKs, over processes that die."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from ingress.auth import MASTER
from schemas import control
from schemas.control import Heartbeat
from schemas.identity import Sharing, meeting_key, partition_of
from schemas.requests import Request
from tests.stack import Process, Stack, until

ASKED = 1000
AT_ONCE = 200  # connections of one client
SECRET = "sk-test"
WORDS = 4
MODEL = f"sim-1500-lorem-{WORDS}"  # nothing for so many milliseconds, then a word each


@pytest_asyncio.fixture
async def stack(
    tmp_path: Path, kafka_bootstrap: str, redis_url: str, topic_prefix: str
) -> AsyncIterator[Stack]:
    built = Stack(
        tmp_path,
        kafka_bootstrap,
        topic_prefix,
        RESPONSE_CACHE_SIMPLE_ENABLED="true",
        REDIS_URL=redis_url,
        REDIS_KEY_RESPONSES=f"{topic_prefix}response:",
        SLUICE_MASTER_KEY=SECRET,
        INGRESS_MAX_IN_FLIGHT="4096",
    )
    openai = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"http://127.0.0.1:{built.sim_port}/v1"}
    built.env.update(openai)
    yield built
    built.erase()


async def calls(stack: Stack) -> int:
    """How often the provider was asked."""
    async with httpx.AsyncClient(timeout=60) as client:
        found = await client.get(f"http://127.0.0.1:{stack.sim_port}/calls")
    return int(found.json()["total"])


def chat(text: str, model: str = "sim-echo", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def test_hits_through_the_openai_sdk(stack: Stack) -> None:
    """Plain, streamed, Responses and embeddings: what one form has asked the other one is given, by a
    second worker from Redis, too; the exchanges say so, and no hit has a call."""
    await stack.start("sim")
    worker, _ = await asyncio.gather(stack.start("streams"), stack.start("ingress"))
    async with AsyncOpenAI(api_key=SECRET, base_url=f"{stack.url}/v1", max_retries=0) as client:
        before = await calls(stack)
        first = await client.chat.completions.with_raw_response.create(**chat("one two"))
        assert first.headers["x-cache"] == "MISS"
        stream = await client.chat.completions.with_raw_response.create(
            **chat("one two", stream=True, stream_options={"include_usage": True})
        )
        assert stream.headers["x-cache"] == "HIT (exact)"
        chunks = [chunk async for chunk in stream.parse()]
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == first.parse().choices[0].message.content == "one two"
        assert chunks[-1].usage == first.parse().usage or chunks[-1].usage is not None
        assert {chunk.id for chunk in chunks} == {chunks[0].id} != {first.parse().id}

        await worker.stop()
        await stack.start("streams")
        async with client.chat.completions.with_streaming_response.create(
            **chat("one two")
        ) as again:
            assert again.headers["x-cache"] == "HIT (exact)"
            assert int(again.headers["age"]) >= 0
        assert await calls(stack) == before + 1

        async with client.responses.stream(model="sim-echo", input="hi") as events:
            streamed = await events.get_final_response()
        plain = await client.responses.create(model="sim-echo", input="hi", metadata={"a": "b"})
        assert plain.output_text == streamed.output_text == "hi"
        assert plain.metadata == {"a": "b"}
        assert plain.id != streamed.id
        assert await calls(stack) == before + 2

        model = "openai/text-embedding-3-small"
        both = await client.embeddings.create(model=model, input=["a", "b"])
        one = await client.embeddings.create(model=model, input="b")
        assert one.data[0].embedding == both.data[1].embedding
        assert await calls(stack) == before + 3
    await until(lambda: _recorded(stack, 7))
    found = await stack.exchanges()
    results = Counter(each.cache.result for each in found if each.cache is not None)
    assert results == {"miss": 3, "exact": 4}
    for each in found:
        hit = each.cache is not None and each.cache.result == "exact"
        assert (len(each.attempts), each.usage is None) == ((0, True) if hit else (1, False))


async def _recorded(stack: Stack, count: int) -> bool:
    return len(await stack.exchanges()) >= count


async def test_hits_through_the_anthropic_sdk(stack: Stack) -> None:
    """A message that was streamed is given whole, and one that was whole as a stream."""
    await stack.start("sim")
    await asyncio.gather(stack.start("streams"), stack.start("ingress"))
    asked: dict[str, Any] = {"model": "sim-echo", "max_tokens": 50}
    async with AsyncAnthropic(api_key=SECRET, base_url=stack.url, max_retries=0) as client:
        before = await calls(stack)
        for first, second in (("stream", "plain"), ("plain", "stream")):
            found = {}
            for form in (first, second):
                messages: Any = [{"role": "user", "content": f"hello {first}"}]
                if form == "plain":
                    found[form] = await client.messages.create(messages=messages, **asked)
                    continue
                async with client.messages.stream(messages=messages, **asked) as events:
                    found[form] = await events.get_final_message()
            plain, stream = found["plain"], found["stream"]
            assert plain.content[0].text == stream.content[0].text == f"hello {first}"
            assert plain.stop_reason == stream.stop_reason == "end_turn"
            assert plain.usage.output_tokens == stream.usage.output_tokens > 0
            assert plain.id != stream.id
        assert await calls(stack) == before + 2


async def test_what_a_caller_says_in_headers(stack: Stack) -> None:
    """HTTP's directives and ours reach the worker, and the answer says what came of them."""
    await stack.start("sim")
    await asyncio.gather(stack.start("streams"), stack.start("ingress"))
    headers = {"authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=60) as client:

        async def verdict(**said: str) -> tuple[int, str]:
            more = {name.replace("_", "-"): value for name, value in said.items()}
            found = await client.post("/v1/chat/completions", json=chat("hi"), headers=more)
            return found.status_code, found.headers["x-cache"]

        assert await verdict(cache_control="only-if-cached") == (504, "MISS")
        assert await verdict(cache_control="no-store") == (200, "BYPASS")
        assert await verdict(x_cache_control="no-store") == (200, "BYPASS")
        assert await verdict(x_cache_ttl="0") == (200, "MISS")
        assert await verdict() == (200, "MISS")
        assert await verdict() == (200, "HIT (exact)")
        assert await verdict(cache_control="no-cache") == (200, "MISS")
        assert await verdict(x_cache_type="semantic") == (200, "MISS")
        assert await verdict(x_sluice_user_path="/b") == (200, "MISS")


@pytest.mark.parametrize("by", ["key", "tag", "model", "user_path", "all"])
async def test_purge(stack: Stack, by: str) -> None:
    """Over HTTP, and by the command: of two workers none gives what was forgotten, and the rest stays."""
    await stack.start("sim")
    await asyncio.gather(stack.start("streams"), stack.start("streams"), stack.start("ingress"))
    headers = {"authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=60) as client:

        async def verdict(text: str, **more: str) -> httpx.Headers:
            body = chat(text, "sim-echo" if text == "gone" else "sim-1")
            answer = await client.post("/v1/chat/completions", json=body, headers=more)
            return answer.headers

        gone = {"x-sluice-user-path": "/a/b", "x-cache-tags": "x, y"}
        key = (await verdict("gone", **gone))["x-cache-key"]
        await verdict("stays")
        assert (await verdict("gone", **gone))["x-cache"] == "HIT (exact)"
        said = {"tag": "x", "model": "sim-echo", "user_path": "/a", "key": key}
        path = "/admin/api/v1/cache"
        assert (await client.delete(path, params={"tags": "x"})).status_code == 400
        if by == "tag":
            command = await stack.launch("cache", "purge", "--tag", "x").ended()
            assert command == 0
        else:
            params = {by: said[by]} if by in ("model", "user_path") else {}
            url = f"{path}/{key}" if by == "key" else path
            assert (await client.delete(url, params=params)).status_code == 202

        async def forgotten() -> bool:
            asked = {**gone, "cache-control": "only-if-cached"}
            return (await verdict("gone", **asked))["x-cache"] == "MISS"

        await until(forgotten)
        stays = "MISS" if by == "all" else "HIT (exact)"
        assert (await verdict("stays"))["x-cache"] == stays


async def _ask(client: httpx.AsyncClient, number: int) -> str:
    """The words that one of many equal requests is told; a stream if its number is odd."""
    body = chat("many", MODEL, stream=bool(number % 2))
    if not body["stream"]:
        found = (await client.post("/v1/chat/completions", json=body)).raise_for_status().json()
        return str(found["choices"][0]["message"]["content"])
    words, done = "", False
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            done = done or line == "data: [DONE]"
            if line.startswith("data: {"):
                choices = json.loads(line.removeprefix("data: "))["choices"]
                words += choices[0]["delta"].get("content") or ""
    assert done
    return words


@pytest.mark.parametrize("killed", ["leader", "other"])
async def test_a_thousand_equal_requests(stack: Stack, killed: str) -> None:
    """Plain and streamed mixed, on two workers of which one is killed: one call, two if it led; and a
    thousand right answers. A stream that has begun when its worker dies ends with an error in it: here
    the leader's worker dies before."""
    await stack.start("sim")
    workers = await asyncio.gather(stack.start("streams"), stack.start("streams"))
    await stack.start("ingress")
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    headers = {"authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(
        base_url=stack.url, headers=headers, timeout=300, limits=limits
    ) as client:
        await client.post("/v1/chat/completions", json=chat("warm"))
        owner = await _owner(stack, workers)
        victim = (
            owner if killed == "leader" else next(each for each in workers if each is not owner)
        )
        before = await calls(stack)
        tasks = [asyncio.ensure_future(_ask(client, number)) for number in range(ASKED)]
        await until(lambda: _called(stack, before))
        victim.kill()
        answers = await asyncio.gather(*tasks)

    assert len(answers) == ASKED
    assert len(set(answers)) == 1
    assert len(answers[0].split()) == WORDS
    assert await calls(stack) - before == (2 if killed == "leader" else 1)


async def _called(stack: Stack, before: int) -> bool:
    return await calls(stack) > before


async def _owner(stack: Stack, workers: list[Process]) -> Process:
    """The worker in whose partition they meet, by its heartbeats, once the group is at rest."""
    found: dict[int, tuple[int, ...]] = {}

    async def rests() -> bool:
        for *_, value in await stack.read(stack.topics.control):
            said = control.decode(value) if value is not None else None
            if isinstance(said, Heartbeat) and said.role == "streams":
                found[said.pid] = said.partitions
        return sorted(sum(found.values(), ())) == list(range(stack.partitions)) and all(
            found.get(worker.pid) for worker in workers
        )

    await until(rests)
    partition = _partition(stack)
    return next(worker for worker in workers if partition in found[worker.pid])


def _partition(stack: Stack) -> int:
    body = json.dumps(chat("many", MODEL)).encode()
    request = Request(request_id="", body=body, client=MASTER, user_path="/")
    return partition_of(meeting_key(request, MODEL, Sharing()), stack.partitions)
