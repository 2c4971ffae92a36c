"""A batch whose worker is killed again and again, and the count at its end."""

import json
from collections import Counter
from typing import Any

import httpx
from msgspec import Struct

from tests.crash.load import forget_calls, upstream_calls
from tests.stack import Stack, until

URL = "/v1/chat/completions"
STATIC = {"KAFKA_GROUP_INSTANCE_ID": "w1"}  # a worker that comes back causes no rebalance


class Done(Struct):
    """What came of a batch."""

    batch: dict[str, Any]
    results: list[dict[str, Any]]
    calls: Counter[str]  # by request id


async def begun(stack: Stack, lines: int) -> str:
    """A batch of so many lines, each with an answer of its own; its id."""
    content = b"".join(
        json.dumps(
            {
                "custom_id": f"line-{number}",
                "method": "POST",
                "url": URL,
                "body": {
                    "model": "sim-echo",
                    "messages": [{"role": "user", "content": f"n{number}"}],
                },
            }
        ).encode()
        + b"\n"
        for number in range(lines)
    )
    async with _client(stack) as client:
        file = await client.post(
            "/v1/files",
            data={"purpose": "batch"},
            files={"file": ("in.jsonl", content, "application/jsonl")},
        )
        assert file.status_code == 200, file.text
        body = {"input_file_id": file.json()["id"], "endpoint": URL, "completion_window": "24h"}
        batch = await client.post("/v1/batches", json=body)
        assert batch.status_code == 200, batch.text
        return str(batch.json()["id"])


def _client(stack: Stack) -> httpx.AsyncClient:
    headers = {"sluice-provider": "sluice"}
    return httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=60)


async def done(stack: Stack, name: str, calls: Counter[str], seconds: float) -> Done:
    """Wait for its end. `calls`: those of a provider that is no more."""
    async with _client(stack) as client:

        async def ended() -> bool:
            found = await client.get(f"/v1/batches/{name}")
            return found.status_code == 200 and found.json()["status"] == "completed"

        await until(ended, seconds, what=f"{name} does not end")
        batch = (await client.get(f"/v1/batches/{name}")).json()
        results: list[dict[str, Any]] = []
        for file in (batch["output_file_id"], batch["error_file_id"]):
            if file is not None:
                content = (await client.get(f"/v1/files/{file}/content")).text
                results += [json.loads(line) for line in content.splitlines()]
    return Done(batch, results, calls + await upstream_calls(stack))


async def killed_at(stack: Stack, *points: str, seconds: float = 120.0) -> None:
    """Workers, one after the other, each of which dies at one of these points."""
    for point in points:
        worker = stack.launch("streams", SLUICE_FAULT_POINT=point, **STATIC)
        assert await worker.ended(seconds) == -9, point


async def count(stack: Stack, found: Done, lines: int) -> None:
    """One result a line, and its own; one document a line; called twice was only what ran in a worker that
    was killed."""
    names = {f"line-{number}" for number in range(lines)}
    counts = found.batch["request_counts"]
    assert counts == {"total": lines, "completed": lines, "failed": 0}
    assert len(found.results) == lines
    for each in found.results:
        said = each["response"]["body"]["choices"][0]["message"]["content"]
        assert said == "n" + each["custom_id"].removeprefix("line-")
    assert {each["custom_id"] for each in found.results} == names

    async def stored() -> bool:
        return len(stack.documents()) >= lines

    await until(stored, 60 + lines / 500, what="documents are missing")
    outcomes: dict[str, tuple[str | None, int]] = {}
    for each in await stack.exchanges():
        if each.batch_id == found.batch["id"]:
            outcomes.setdefault(each.request_id, (each.custom_id, each.delivery_attempt))
    assert Counter(custom for custom, _ in outcomes.values()) == Counter(names)
    assert set(outcomes) <= set(stack.documents())
    again = {name for name, calls in found.calls.items() if calls > 1 and name in outcomes}
    # Who dies while it runs is delivered again; a line that was put into the log twice would not be.
    assert {name for name in again if outcomes[name][1] == 1} == set()


async def survive(stack: Stack, lines: int, *points: str) -> None:
    """A batch of so many lines comes to its end, although its workers die at these points."""
    await forget_calls(stack)
    first = await stack.start("streams", **STATIC)
    name = await begun(stack, lines)
    first.kill()
    await killed_at(stack, *points, seconds=120 + lines / 50)
    last = await stack.start("streams", **STATIC)
    await count(stack, await done(stack, name, Counter(), 60 + lines / 50), lines)
    await last.stop()
