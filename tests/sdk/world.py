"""The gateway as a client's SDK meets it, with an upstream of each dialect behind it, and what these saw."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct

from tests.brokers import EmbeddedBroker
from tests.sdk.received import Seen
from tests.stack import Stack

KEY = "sk-sdk-master"
# By the dialect that the upstream speaks: a model that its maker has. What it does stands in the
# prompt, as `[sim-tool]`; without that it repeats the prompt.
MODELS = {
    "chat": "sim/gpt-4.1",
    "responses": "responsesonly/gpt-5.1",
    "messages": "anthropic/claude-sonnet-4-5",
    "gemini": "gemini/gemini-2.5-pro",
}
SECONDS = 30.0


class World(Struct):
    """One gateway for all SDKs. `sim` is the URL of the provider that plays all four upstreams."""

    url: str
    sim: str
    http: httpx.Client
    numbers: Iterator[int]

    def mark(self) -> str:
        """A word of one test: by it is found what the provider was asked."""
        return f"mark{next(self.numbers)}."

    def seen(self, mark: str, count: int = 1) -> list[Seen]:
        """What the provider received with that mark in it; exactly so many requests."""
        found = self.http.get(f"{self.sim}/calls/received", params={"containing": mark}).json()
        requests = [Seen(one["path"], one["headers"], json.loads(one["body"])) for one in found]
        assert len(requests) == count, [one.path for one in requests]
        return requests

    def calls(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"{self.sim}/calls").json()
        return found

    @contextmanager
    def abandoned(self) -> Iterator[None]:
        """Within the block exactly one call of the provider is begun, and given up before its end."""
        before = self.calls()
        assert before["open"] == 0
        yield
        wait(lambda: self.calls()["total"] == before["total"] + 1, "the provider was not called")
        wait(lambda: self.calls()["open"] == 0, "a call of the provider is still open")
        assert self.calls()["abandoned"] == before["abandoned"] + 1


def alone(model: str, mark: str) -> str:
    """A model that no other test asks: one that fails is left alone by the gateway for a while."""
    return f"{model}-{mark.rstrip('.')}"


def wait(condition: Callable[[], bool], what: str) -> None:
    """Poll; fails with `what` when it does not come true."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@contextmanager
def running(folder: Path) -> Iterator[World]:
    """Started on an embedded broker, all roles as processes."""
    block = ExitStack()
    with block, httpx.Client(timeout=SECONDS) as http:
        broker = EmbeddedBroker(folder)
        block.callback(broker.kill)
        asyncio.run(broker.start())
        stack = Stack(
            folder,
            broker.bootstrap,
            "sdk.",
            GOMODEL_MASTER_KEY=KEY,
            RETRY_MAX_RETRIES="0",  # a client sees each failure once, and no breaker that they open
            CIRCUIT_BREAKER_FAILURE_THRESHOLD="0",
        )
        block.callback(stack.erase)
        sim = f"http://127.0.0.1:{stack.sim_port}"
        for upstream in ("RESPONSESONLY", "ANTHROPIC", "GEMINI"):
            stack.env[f"{upstream}_API_KEY"] = f"sk-{upstream.lower()}"
        stack.env |= {
            "RESPONSESONLY_BASE_URL": f"{sim}/v1",
            "ANTHROPIC_BASE_URL": sim,
            "ANTHROPIC_MODELS": "claude-haiku-4-5-20251001",  # beside those that the simulated one lists
            "GEMINI_BASE_URL": sim,
        }
        asyncio.run(_start(stack))
        yield World(stack.url, sim, http, itertools.count(1))


async def _start(stack: Stack) -> None:
    await stack.start("sim")
    await asyncio.gather(
        stack.start("streams", module="tests.sdk.launch"),
        stack.start("sinks"),
        stack.start("ingress", module="tests.sdk.launch"),
    )
