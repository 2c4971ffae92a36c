"""The caches around a provider that knows what each question means."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from providers.base import Endpoint, Target
from schemas.bodies import envelope
from schemas.clock import SystemClock
from schemas.control import CacheReport
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Reply, Started
from schemas.requests import Request
from schemas.usage import Usage
from streams.caches.config import CacheConfig
from streams.caches.embedders.base import Embedder
from streams.caches.meaning.backstage import Backstage
from streams.caches.meaning.config import SemanticConfig
from streams.caches.meaning.decisions import Decisions, One
from streams.caches.meaning.parts import Parts
from streams.caches.meaning.semantic import Semantic
from streams.caches.memory import MemoryCache
from streams.caches.semantic.judges import Exact, Judge
from streams.caches.semantic.threshold import Threshold
from streams.caches.vectors.base import VectorStore
from streams.caches.vectors.embedded import Embedded
from streams.stages import Call, Replies
from streams.stages.cache import ExactCache
from streams.stages.coalesce import Coalesce
from streams.stages.counted import Counted
from streams.stages.keeper import Keeper

USAGE = Usage(3, 4)
PRICE = 0.5  # of a call
LAX = SemanticConfig(threshold=0.8, judge="exact", timeout=30.0)


class World:
    """Ask it. `answer` makes the provider's text from a question's."""

    def __init__(
        self,
        embedder: Embedder,
        folder: Path | None = None,
        *,
        store: VectorStore | None = None,
        decisions: Decisions | None = None,
        judge: Judge | None = None,
        config: SemanticConfig = LAX,
    ) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[str], str] = lambda text: f"About: {text}"
        self.tenant = "a"
        clock, metrics = SystemClock(), Metrics()
        self.metrics = metrics
        self.clock = clock
        self.store = Embedded(folder, 10_000, 1 << 26) if store is None else store
        threshold = Threshold(config.threshold, judged=config.shadow)
        self.decisions = decisions or One(threshold)
        self.backstage = Backstage(lambda *counts: PRICE, clock)
        parts = Parts(
            config, embedder, self.store, judge or Exact(), self.decisions, self.backstage
        )
        self.semantic = Semantic(parts, clock, metrics)
        made, cache = CacheConfig(), MemoryCache(1 << 22, clock, metrics)
        keeper = Keeper(cache, made, clock)
        keeper.semantic = self.semantic
        coalesce = Coalesce(self._call, keeper.keep, clock, metrics)
        self.backstage.handler = self._call
        target = Target(Endpoint("sim", {}, "http://127.0.0.1", "", {}), "m")
        stage = ExactCache(coalesce, cache, made, lambda call: [target], clock, metrics)
        stage.semantic, stage.under_way = self.semantic, coalesce.under_way
        self.counted = Counted(stage, lambda *counts: PRICE, CacheReport("w"), metrics)
        self.semantic.start(keeper.keep)

    async def _call(self, call: Call) -> Replies:
        text = json.loads(call.request.body)["messages"][-1]["content"]
        self.asked.append(text)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": self.answer(text)},
            "finish_reason": "stop",
        }
        body = {"id": "up", "created": 1, "model": "m", "choices": [choice]}
        yield Started(200, "application/json", "sim", "m", {})
        yield Completed(json.dumps(body).encode(), "stop", USAGE, "m")

    async def replies(self, text: str, said: str | None = None, **more: Any) -> list[Reply]:
        """The whole answer; what is to be learnt from it is learnt."""
        system = more.pop("system", None)
        turns = more.pop("before", [])
        messages = [*([{"role": "system", "content": system}] if system else []), *turns]
        body = {"model": "alias", "messages": [*messages, {"role": "user", "content": text}]}
        request = Request(
            request_id=f"r{len(self.asked)}",
            body=json.dumps({**body, **more}).encode(),
            created=self.clock.time(),
            cache=said,
            client=self.tenant,
            user_path="/a/b",
        )
        self.call = Call(request, envelope(request))
        found = [reply async for reply in self.counted(self.call)]
        await self.semantic.drain()
        return found

    async def ask(self, text: str, said: str | None = None, **more: Any) -> tuple[str, str]:
        """What was said, and X-Cache."""
        found = await self.replies(text, said, **more)
        body = b"".join(each.data for each in found if isinstance(each, Chunk | Completed))
        return spoken(body), headers(found).get("x-cache", "")

    async def close(self) -> None:
        await self.semantic.close()


def headers(found: list[Reply]) -> dict[str, str]:
    first = found[0]
    return getattr(first, "http_headers", {})


def spoken(body: bytes) -> str:
    """The text of a chat answer, whole or streamed; a stream must have its end."""
    if body.startswith(b"{"):
        choices = json.loads(body).get("choices")
        return str(choices[0]["message"]["content"]) if choices else ""
    events = [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line]
    assert events.pop() == "[DONE]"
    deltas = [choice["delta"] for each in events for choice in json.loads(each)["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)
