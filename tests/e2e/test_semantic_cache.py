"""Answers to other words, over the processes that the gateway is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from httpx import AsyncClient

from tests.stack import Stack, until

SECRET = "sk-test"
ASKED = "How do I reset my password?"
OTHERWISE = "How can I reset my password?"


@pytest_asyncio.fixture
async def stack(
    tmp_path: Path, kafka_bootstrap: str, topic_prefix: str, shared_dir: Path
) -> AsyncIterator[Stack]:
    built = Stack(
        tmp_path,
        kafka_bootstrap,
        topic_prefix,
        SLUICE_MASTER_KEY=SECRET,
        SEMANTIC_CACHE_ENABLED="true",
        SEMANTIC_CACHE_EMBEDDER_PROVIDER="local",
        SEMANTIC_CACHE_EMBEDDER_MODEL=str(shared_dir / "semantic" / "model"),
        SEMANTIC_CACHE_THRESHOLD="0.8",
        SEMANTIC_CACHE_TIMEOUT="30s",
    )
    yield built
    built.erase()


async def test_hits_over_a_restart(stack: Stack) -> None:
    """A paraphrase is answered by another worker than the one that asked the provider, which left it in
    the data folder; the overview goes on counting, the exchange and the days in the store have it, and a
    purge forgets it."""
    await stack.start("sim")
    worker, *_ = await asyncio.gather(*map(stack.start, ("streams", "ingress", "sinks")))
    headers = {"authorization": f"Bearer {SECRET}"}
    async with AsyncClient(base_url=stack.url, headers=headers, timeout=60) as client:

        async def ask(text: str, said: str = "", **more: Any) -> tuple[str, str]:
            body = {"model": "sim-echo", "messages": [{"role": "user", "content": text}], **more}
            told = {"cache-control": said} if said else {}
            found = await client.post("/v1/chat/completions", json=body, headers=told)
            return found.headers["x-cache"], found.text

        async def overview(**asked: str) -> dict[str, Any]:
            found = await client.get("/admin/api/v1/cache/overview", params=asked)
            return dict(found.raise_for_status().json())

        async def summary() -> dict[str, Any]:
            return dict((await overview())["summary"])

        async def kept() -> bool:
            return (await ask(OTHERWISE, "only-if-cached"))[0] == "HIT (semantic)"

        assert (await ask(ASKED))[0] == "MISS"
        await until(kept)
        await worker.stop()
        await stack.start("streams")
        await until(kept)
        result, text = await ask(OTHERWISE, stream=True)
        assert result == "HIT (semantic)"
        assert text.endswith("data: [DONE]\n\n")
        assert (await ask("How can I not reset my password?"))[0] == "MISS"
        await until(lambda: _counted(summary, misses=2))
        hits = (await summary())["semantic_hits"]
        assert hits >= 3

        async def stored() -> bool:
            """The days in the store have each hit, and no other."""
            days = (await overview())["daily"]
            return bool(sum(day["semantic_hits"] for day in days) == hits)

        await until(stored)
        assert (await overview(user_path="/"))["summary"]["total_hits"] == hits
        assert (await overview(user_path="/none"))["daily"] == []

        assert (await client.delete("/admin/api/v1/cache")).status_code == 202

        async def forgotten() -> bool:
            return not await kept()

        await until(forgotten)
        unknown = await client.get("/admin/api/v1/cache/overview", headers={"authorization": "a"})
        assert unknown.status_code == 401
    results = [each.cache for each in await stack.exchanges() if each.cache is not None]
    hit = next(each for each in results if each.result == "semantic")
    assert hit.similarity is not None
    assert hit.similarity > 0.8
    assert hit.saved is not None


async def _counted(summary: Any, **least: int) -> bool:
    found = await summary()
    return all(found[name] >= count for name, count in least.items())
