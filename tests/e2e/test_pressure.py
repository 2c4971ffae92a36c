"""A gateway that is asked for ten times what it can do."""

import asyncio
import resource
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.brokers import embedded_broker
from tests.stack import Stack, until

WORKERS, DELAY = 2, 0.4  # at once, and seconds each: five a second
FACTOR = 10
ENOUGH = 64 << 20  # bytes


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with embedded_broker(tmp_path) as broker:
        made = Stack(
            tmp_path,
            broker.bootstrap,
            "llm.",
            STREAMS_CONCURRENCY=str(WORKERS),
            STREAMS_MAX_HELD="50",
            INGRESS_MAX_QUEUE_WAIT="2s",
            INGRESS_MAX_IN_FLIGHT="300",
        )
        try:
            await made.start("sim")
            made.base["streams"], _ = await asyncio.gather(
                made.start("streams"), made.start("sinks")
            )
            made.base["ingress"] = await made.start("ingress")
            yield made
        finally:
            made.erase()


async def ask(client: httpx.AsyncClient, streamed: bool) -> httpx.Response:
    """To a model that takes its time."""
    body = {"model": f"sim-{DELAY * 1000:.0f}-lorem-1", "stream": streamed}
    messages = [{"role": "user", "content": "x" * 2000}]
    return await client.post("/v1/chat/completions", json={**body, "messages": messages})


def resident(stack: Stack) -> list[int]:
    """Bytes of the ingress and the worker."""
    pages = [
        int(Path(f"/proc/{stack.base[role].pid}/statm").read_text().split()[1])
        for role in ("ingress", "streams")
    ]
    return [each * resource.getpagesize() for each in pages]


async def overload(stack: Stack, seconds: int) -> None:
    """All are answered; what was accepted is done; then it is as before."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=stack.url, timeout=120, limits=limits) as client:
        for streamed in (False, True):
            assert (await ask(client, streamed)).status_code == 200
        before = resident(stack)
        asking = []
        rate = FACTOR * WORKERS / DELAY
        for number in range(int(rate * seconds)):
            asking.append(asyncio.ensure_future(ask(client, number % 2 == 1)))
            await asyncio.sleep(1 / rate)
        found = await asyncio.gather(*asking)
        after = resident(stack)

        statuses = Counter(each.status_code for each in found)
        assert statuses.keys() <= {200, 429, 503}, statuses
        assert statuses[200] >= WORKERS / DELAY * seconds / 2, "far less than it can do"
        assert statuses[200] < len(found) / 2, "it was not asked for too much"
        for each in found:
            if each.status_code != 200:
                assert int(each.headers["retry-after"]) > 0
            elif each.headers["content-type"].startswith("text/event-stream"):
                assert each.text.endswith("data: [DONE]\n\n")
            else:
                assert each.json()["choices"][0]["finish_reason"] == "stop"
        answered = {each.headers["sluice-request-id"] for each in found if each.status_code == 200}
        await until(lambda: answered <= set(stack.documents()))
        accepted = {name for name, _ in await stack.request_ids()}
        outcomes = {each.request_id: each.outcome for each in await stack.exchanges()}
        assert outcomes.keys() == accepted
        assert {outcomes[name] for name in answered} == {"completed"}
        grown = [new - old for new, old in zip(after, before, strict=True)]
        assert max(grown) < ENOUGH, grown

        # Nothing was restarted, and the next one is taken in as soon as the queue is gone.
        async def taken() -> bool:
            return (await ask(client, streamed=False)).status_code == 200

        await until(taken)
    for role in ("ingress", "streams"):
        assert stack.base[role].returncode is None


async def test_ten_times_its_capacity(stack: Stack) -> None:
    """For ten seconds: each request has a result, or 429 or 503 with `Retry-After`; those that were
    accepted end; memory stays; afterwards it works on."""
    await overload(stack, 10)


@pytest.mark.long
async def test_ten_times_its_capacity_for_a_minute(stack: Stack) -> None:
    """The same for longer."""
    await overload(stack, 60)
