"""The gateway that many tests share: started once for each broker, never killed, its settings the same for all.

A test that needs other settings or ends processes has a `Stack` of its own.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from msgspec import Struct

from tests import services
from tests.brokers import embedded_broker
from tests.recorded_provider import RecordedProvider, recorded_provider
from tests.recordings import Recording, chat_recordings
from tests.stack import Stack

Result = TypeVar("Result")

KEY = "sk-shared-master"
ELSEWHERE = "answers"  # a reply topic, behind the prefix, that KAFKA_REPLY_TOPICS allows
# The variables that make an instance of each recorded provider; those of whom we have no row are vLLM's.
RECORDED = {
    "openai": "OPENAI",
    "groq": "GROQ",
    "openrouter": "OPENROUTER",
    "zai": "ZAI",
    "ollama": "OLLAMA",
    "mistral": "VLLM_MISTRAL",
    "cerebras": "VLLM_CEREBRAS",
    "deepseek": "VLLM_DEEPSEEK",
    "huggingface": "VLLM_HUGGINGFACE",
}
# What a provider says of its limits and of itself, which the recordings have lost.
TALKATIVE = Recording(
    "openai:made",
    "http://provider/v1/chat/completions",
    {"model": "talkative", "messages": [{"role": "user", "content": "Hello to all of you"}]},
    200,
    {
        "content-type": "application/json",
        "openai-processing-ms": "12",
        "x-ratelimit-limit-requests": "100",
        "x-ratelimit-remaining-requests": "99",
        "x-request-id": "req_theirs",
        "set-cookie": "a=b",
        "server": "theirs",
    },
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "talkative-2026",
        "choices": [],
    },
)


class Gateway(Struct):
    """Two ingress processes, a worker, a sink, the simulated provider, and the recorded ones.

    Models named `sim-…` are answered by the simulated provider, `<instance>/<model>` by the recordings
    of that instance's vendor. Clients need KEY.
    """

    stack: Stack
    second: str  # URL of the ingress of slot 1, which pings every 100 ms
    providers: dict[str, RecordedProvider]  # by vendor
    recordings: list[Recording]  # of all of them; empty where there are none on this machine

    @property
    def url(self) -> str:
        return self.stack.url

    def topic(self, name: str) -> str:
        return self.stack.topics.prefix + name

    def instance(self, vendor: str) -> str:
        """What stands before the slash of a model's name."""
        return RECORDED[vendor].lower().replace("_", "-")

    async def sim_calls(self) -> dict[str, Any]:
        """What was asked of the simulated provider: total, open, abandoned, request_ids."""
        async with httpx.AsyncClient(timeout=10) as client:
            found = await client.get(f"http://127.0.0.1:{self.stack.sim_port}/calls")
        calls: dict[str, Any] = found.json()
        return calls


class Background:
    """An event loop in a thread of its own: what runs there serves the tests of every loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def gateway(folder: Path, prefix: str, bootstrap: str | None) -> Iterator[Gateway]:
    """Running until the end of the block; without an address, on an embedded broker of its own."""
    background, block = Background(), AsyncExitStack()
    try:
        yield background.run(_started(block, folder, prefix, bootstrap))
    finally:
        background.run(block.aclose())
        background.close()


async def _started(
    block: AsyncExitStack, folder: Path, prefix: str, bootstrap: str | None
) -> Gateway:
    if bootstrap is None:
        bootstrap = (await block.enter_async_context(embedded_broker(folder))).bootstrap
    recordings = list(chat_recordings(services.SHARED)) if services.SHARED.is_dir() else []
    env, providers = {}, {}
    for vendor, variable in RECORDED.items():
        own = [each for each in (*recordings, TALKATIVE) if vendor_of(each) == vendor]
        providers[vendor] = await block.enter_async_context(recorded_provider(own))
        env[f"{variable}_BASE_URL"] = providers[vendor].base_url
        env[f"{variable}_API_KEY"] = f"sk-{vendor}"
    stack = Stack(
        folder,
        bootstrap,
        prefix,
        GOMODEL_MASTER_KEY=KEY,
        BODY_SIZE_LIMIT="9M",
        INGRESS_WRITE_TIMEOUT="1s",
        INGRESS_PUBLISH_TIMEOUT="10s",  # a busy machine is no outage of the log
        KAFKA_REPLY_TOPICS=f"{prefix}{ELSEWHERE}",
        SPOOL_DIR=str(folder / "spool"),
        GUARDRAILS_ENABLED="true",  # what no workflow names costs one look
        **env,
    )
    block.callback(stack.erase)
    port = services.free_port()
    await stack.start_all()
    await stack.start("ingress", SLUICE_SLOT="1", PORT=str(port), INGRESS_PING_INTERVAL="100ms")
    return Gateway(stack, f"http://127.0.0.1:{port}", providers, recordings)


def vendor_of(recording: Recording) -> str:
    return recording.key.partition(":")[0]
