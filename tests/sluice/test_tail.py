"""`sluice tail`: outcomes as they come, on both brokers."""

import asyncio
import json
import signal
import uuid
from typing import Any

import httpx

from tests.gateway import KEY, Gateway
from tests.sluice.commands import started, typed


async def asked(gateway: Gateway, model: str, request_id: str, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **more}
    headers = {"authorization": f"Bearer {KEY}", "x-request-id": request_id}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as client:
        return await client.post("/v1/chat/completions", json=body)


def new_id() -> str:
    return f"tail-{uuid.uuid4()}"


async def test_followed_as_they_come(gateway: Gateway) -> None:
    """A line for each outcome that the filters take, of what comes while it runs; Ctrl-C ends it well."""
    name = new_id()
    mine = ("--filter", f"client_request_id={name}")
    process = await started(gateway.stack, "tail", "-n", "0", "--json", *mine)
    assert process.stdout is not None
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    async def read() -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            await lines.put(line)

    async with asyncio.TaskGroup() as tasks, asyncio.timeout(100):
        tasks.create_task(read())
        # It says nothing when it begins to follow: ask until a line comes.
        while lines.empty():
            assert (await asked(gateway, "sim-echo", name)).status_code == 200
            await asyncio.sleep(0.2)
        found = json.loads(await lines.get())
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    assert (found["client_request_id"], found["outcome"]) == (name, "completed")
    assert "request" not in found
    assert "response" not in found


async def test_one_line_each(gateway: Gateway) -> None:
    """Time, outcome, status, duration, who was asked, tokens, whose it was, id and error of each."""
    name = new_id()
    await asked(gateway, "sim-lorem-3", name)
    await asked(gateway, "sim-status-400", name)
    since = ("tail", "--no-follow", "--since", "1h", "--filter", f"client_request_id={name}")
    done = await typed(gateway.stack, *since)
    good, bad = sorted(done.lines, key=lambda line: "failed" in line)
    assert "completed  200" in good
    assert "sim-lorem-3 → sim  " in good
    assert "+3 tokens" in good
    assert "failed     400" in bad

    failed = await typed(gateway.stack, *since, "--filter", "outcome!=completed", "--json")
    (line,) = map(json.loads, failed.lines)
    assert line["status"] == 400
    bodies = await typed(gateway.stack, *since, "--filter", "status=2*", "--json", "--bodies")
    (line,) = map(json.loads, bodies.lines)
    assert line["request"]["body"]["model"] == "sim-lorem-3"
    assert line["response"]["body"]["choices"]


async def test_the_last_ones(gateway: Gateway) -> None:
    """-n begins with the newest of all partitions, which is what stands there when nobody follows."""
    for _ in range(3):
        await asked(gateway, "sim-echo", new_id())
    done = await typed(gateway.stack, "tail", "--no-follow", "-n", "2", "--json")
    found = [json.loads(line) for line in done.lines]
    everything = await typed(gateway.stack, "tail", "--no-follow", "-n", "1000", "--json")
    assert found == [json.loads(line) for line in everything.lines[-2:]]
    assert len(found) == 2


async def test_a_wrong_filter(gateway: Gateway) -> None:
    """A field that there is not is refused with those that there are."""
    done = await typed(gateway.stack, "tail", "--filter", "modle=x")
    assert done.code == 2
    assert "user_path" in done.err
