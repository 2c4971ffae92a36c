"""A gateway in front of a provider that fails as it is told, and what is seen of both."""

import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
import pytest_asyncio
from msgspec import Struct

from schemas.exchange import Exchange
from tests import services
from tests.brokers import embedded_broker
from tests.e2e.log import Tail, outcome_of, tail
from tests.stack import Stack

WORDS = 60
NEXT = f"lorem-{WORDS}"  # what everybody says
# By scenario: the script of the first candidate, those behind it, and what else its rule says.
ROUTES: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "s01": (f"flaky-1-status-429-retry-1-{NEXT}", (NEXT,), {}),
    "s02": (f"flaky-1-status-429-bare-{NEXT}", (NEXT,), {}),
    "s03": (f"flaky-1-{NEXT}", (NEXT,), {}),
    "s04": ("status-503-bare", (NEXT,), {}),
    "s04-alone": ("1-status-503-bare", (), {}),
    "s04-alone-too": ("2-status-503-bare", (), {}),
    "s05": ("refuse", (NEXT,), {}),
    "s06": ("hang", (NEXT,), {}),
    "s06-alone": ("1-hang", (), {}),
    "s07": (f"20000-{NEXT}", (NEXT,), {}),
    "s08": (f"{NEXT}-cut-40", (NEXT,), {}),
    "s08-early": (f"{NEXT}-cut-0", (NEXT,), {}),
    "s08-alone": (f"1-{NEXT}-cut-40", (), {}),
    "s08-twice": (f"2-{NEXT}-cut-20", (f"{NEXT}-cut-40", NEXT), {}),
    "s08-other": (f"3-{NEXT}-cut-40", ("lorem-30", "echo"), {}),
    "s08-error": (f"4-{NEXT}-cut-40", (NEXT,), {"recovery": "error"}),
    "s09": (f"{NEXT}-stall-40", (NEXT,), {}),
    "s10": (f"{NEXT}-malformed-40", (NEXT,), {}),
    "s11": (f"{NEXT}-no-done", (NEXT,), {}),
    "s12": (f"context-3-{NEXT}", (NEXT,), {}),
    "s12-alone": (f"1-context-3-{NEXT}", (), {}),
    "s13": ("blocked", (NEXT,), {}),
    "s13-asked": ("1-blocked", (NEXT,), {"fallback_on": ["content_filter"]}),
    "s14": (f"5-{NEXT}-cut-40", (f"no-prefill-{NEXT}",), {"recovery": "continue"}),
    "s14-continues": (f"6-{NEXT}-cut-40", (f"continues-{NEXT}",), {"recovery": "continue"}),
    "s15": (f"flaky-7-{NEXT}", (NEXT,), {}),
    "s16": (f"{NEXT}-error-40", (NEXT,), {}),
}
UPSTREAMS = ("sim", "anthropic")  # who speaks OpenAI chat, and who speaks Messages


def target(upstream: str, script: str) -> str:
    return f"{upstream}/sim-{script}"


def rules(dead: str) -> list[dict[str, Any]]:
    """A rule for each scenario at each upstream: callers ask for the model `s01-sim`."""
    found: list[dict[str, Any]] = [
        {"name": "dead", "use": dead, "fallback": [target("sim", NEXT)], "when": 'model == "dead"'}
    ]
    for name, upstream in itertools.product(ROUTES, UPSTREAMS):
        first, others, more = ROUTES[name]
        called = f"{name}-{upstream}"
        fallback = [target(upstream, script) for script in others]
        use = target(upstream, first)
        found.append(
            {"name": called, "when": f'model == "{called}"', "use": use, "fallback": fallback}
            | more
        )
    return found


class Seen(Struct):
    """One request: what its caller got, and what is recorded of it."""

    text: str
    error: Exception | None
    exchange: Exchange
    calls: list[str]  # models that the provider was asked for, in order
    headers: httpx.Headers

    @property
    def attempts(self) -> list[tuple[str, int | None, str | None]]:
        """Script, status and error of each."""
        return [
            (each.model.removeprefix("sim-"), each.status, each.error)
            for each in self.exchange.attempts
        ]


class World(Struct):
    """The gateway and its log."""

    stack: Stack
    reading: Tail
    client: openai.AsyncOpenAI
    claude: anthropic.AsyncAnthropic
    http: httpx.AsyncClient

    async def calls(self, key: str) -> list[str]:
        """The models of the requests with that key that the provider got."""
        url = f"http://127.0.0.1:{self.stack.sim_port}/calls/received"
        found = (await self.http.get(url, params={"containing": f"[sim:{key}]"})).json()
        return [str(httpx.Response(200, text=each["body"]).json()["model"]) for each in found]

    async def ask(self, model: str, key: str, *, stream: bool) -> Seen:
        """Through OpenAI's SDK, which repeats nothing itself."""
        text, error, headers = "", None, httpx.Headers()
        create = self.client.chat.completions.with_raw_response.create
        prompt = f"Say the words, please [sim:{key}]"
        try:
            raw: Any = await create(
                model=model, stream=stream, messages=[{"role": "user", "content": prompt}]
            )
            headers = raw.headers
            answer = raw.parse()
            if not stream:
                text = answer.choices[0].message.content
            else:
                finished = False
                async for chunk in answer:
                    for choice in chunk.choices:
                        text += choice.delta.content or ""
                        finished = finished or choice.finish_reason is not None
                assert finished, "a stream that ends well has its finish reason"
        except openai.APIError as caught:
            error = caught
            if isinstance(caught, openai.APIStatusError):
                headers = caught.response.headers
        exchange = await outcome_of(self.reading, self.stack.topics, headers["sluice-request-id"])
        calls = [model.removeprefix("sim-") for model in await self.calls(key)]
        return Seen(text, error, exchange, calls, headers)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("faults")
    sim = services.free_port()
    dead = f"http://127.0.0.1:{services.free_port()}/v1"
    async with embedded_broker(folder) as broker:
        stack = Stack(
            folder,
            broker.bootstrap,
            "llm.",
            SLUICE_SIM_PORT=str(sim),
            SLUICE_SIM_URL=f"http://127.0.0.1:{sim}/v1",
            ANTHROPIC_API_KEY="sk-ant-sim",
            ANTHROPIC_BASE_URL=f"http://127.0.0.1:{sim}/v1",
            VLLM_DEAD_BASE_URL=dead,
            HTTP_RESPONSE_HEADER_TIMEOUT="1500ms",
            FIRST_TOKEN_TIMEOUT="2s",
            STREAM_IDLE_TIMEOUT="500ms",
            RETRY_INITIAL_BACKOFF="20ms",
            RETRY_MAX_BACKOFF="100ms",
            RETRY_AFTER_MAX="2s",
            CIRCUIT_BREAKER_TIMEOUT="1s",
        )
        stack.sim_port = sim
        # JSON is YAML.
        (folder / "config.yaml").write_text(
            json.dumps({"routing": {"rules": rules("vllm-dead/m")}})
        )
        try:
            await stack.start("sim")
            await stack.start("streams")
            await stack.start("ingress")
            base = stack.url
            async with (
                tail(broker.bootstrap, stack.topics.exchanges) as reading,
                openai.AsyncOpenAI(
                    api_key="none", base_url=f"{base}/v1", max_retries=0, timeout=60
                ) as client,
                anthropic.AsyncAnthropic(
                    api_key="none", base_url=base, max_retries=0, timeout=60
                ) as claude,
                httpx.AsyncClient(timeout=60) as http,
            ):
                yield World(stack, reading, client, claude, http)
        finally:
            stack.erase()
