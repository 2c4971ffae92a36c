"""What the caches cost a worker, and what their entries take: its own code, in this process, with the local
model and the embedded store. The semantic one needs SHARED_DIR, as bench.semantic does."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from statistics import median, quantiles

import numpy as np

from bench.processes import cpu_seconds, memory
from bench.questions import SHARED, banking77, clinc150
from bench.scenarios import Row, Rows
from bench.waiting import bar, say
from providers.base import Endpoint, Target
from schemas.bodies import envelope
from schemas.clock import SystemClock
from schemas.identity import Sharing, question
from schemas.metrics import Metrics
from schemas.requests import Request
from streams.caches import entry as answers
from streams.caches.config import CacheConfig
from streams.caches.control import Control
from streams.caches.embedders.local import Local
from streams.caches.lookup import Lookup
from streams.caches.meaning.backstage import Backstage
from streams.caches.meaning.config import SemanticConfig
from streams.caches.meaning.decisions import One
from streams.caches.meaning.finding import Finder, Found
from streams.caches.meaning.parts import Parts
from streams.caches.memory import MemoryCache
from streams.caches.semantic.judges import Exact
from streams.caches.semantic.threshold import Threshold
from streams.caches.vectors.base import Entry
from streams.caches.vectors.embedded import Embedded
from streams.stages import Call, Replies
from streams.stages.cache import ExactCache

ENTRIES = 100_000
ASKED = 400  # questions, each once
FOREVER = 4e9
BODY = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "The committee met. " * 20},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 90, "completion_tokens": 90, "total_tokens": 180},
    }
).encode()
ANSWER = answers.encode(answers.Entry(key="k", body=b"{}", stored_at=0.0, expires_at=FOREVER))
OWN = os.getpid()
NOISE = 0.04  # a dimension: a paraphrase, at a cosine of about 0.8


def measure() -> Rows:
    """Wall clock and CPU of whole look-ups: the question taken out of the request, its namespace, its
    vector, its neighbours, and the decision."""
    yield asyncio.run(_exact())
    if not SHARED.is_dir():
        say(f"  skipped: there is no {SHARED}")
        return
    yield from asyncio.run(_measured())


async def _exact() -> tuple[Row, dict[str, float]]:
    """The stage alone: identity, look-up, and the answer told anew."""
    clock, metrics, config = SystemClock(), Metrics(), CacheConfig()
    cache = MemoryCache(1 << 22, clock, metrics)

    def nobody(call: Call) -> Replies:
        raise AssertionError("a hit makes no call")

    target = Target(Endpoint("east", {}, "http://127.0.0.1", "", {}), "m")
    stage = ExactCache(nobody, cache, config, lambda call: (target,), clock, metrics)
    asked = _request("Sum up the note that follows. " * 12)
    found = question(asked, config.sharing)
    assert found is not None
    key = found.key(("east/m",))
    await cache.put(answers.Entry(key=key, body=BODY, stored_at=clock.time(), expires_at=FOREVER))
    samples = []
    for _ in range(7):
        begun = time.process_time()
        for _ in range(200):
            assert [reply async for reply in stage(Call(asked, envelope(asked)))]
        samples.append((time.process_time() - begun) / 200 * 1e3)
    return Row("exact hit in the worker's stage: CPU", median(samples), "ms"), {"hits": 1400.0}


async def _measured() -> list[tuple[Row, dict[str, float]]]:
    embedder = Local(SHARED / "model")
    store = Embedded(None, 2 * ENTRIES, 1 << 30)
    clock, backstage = SystemClock(), Backstage(lambda *counts: None, SystemClock())
    config = SemanticConfig(timeout=30.0)
    parts = Parts(config, embedder, store, Exact(), One(Threshold()), backstage)
    finder = Finder(parts, clock, Metrics())
    texts = [text for text, _ in (*banking77(SHARED, 1), *clinc150(SHARED, 1))]
    asked, kept = texts[:ASKED], texts[ASKED:]
    grown = await _filled(store, embedder, (await _find(finder, "hello")).question.namespace, kept)
    took, begun = [], cpu_seconds(OWN)
    for text in asked:
        at = time.perf_counter()
        await _find(finder, text)
        took.append((time.perf_counter() - at) * 1e3)
    cpu = (cpu_seconds(OWN) - begun) / len(asked) * 1e3
    alone = []
    for text in asked:
        at = time.perf_counter()
        await embedder.embed(text)
        alone.append((time.perf_counter() - at) * 1e3)
    cuts, model = quantiles(took, n=100), quantiles(alone, n=100)
    behind = {"entries": float(ENTRIES), "asked": float(ASKED)}
    title = f"semantic look-up among {ENTRIES:,}"
    await finder.close()
    await embedder.close()
    return [
        (Row(f"{title}: p50", cuts[49], "ms", 8.0), behind),
        (Row(f"{title}: p95", cuts[94], "ms"), behind),
        (Row(f"{title}: p50 of the embedding in it", model[49], "ms"), behind),
        (Row(f"{title}: CPU", cpu, "ms"), behind),
        (Row("embedded store: memory without answers", grown, "bytes/entry", 1024.0), behind),
    ]


async def _find(finder: Finder, text: str) -> Found:
    request = _request(text)
    found = question(request, Sharing())
    assert found is not None
    lookup = Lookup(text, found, Control(), ("east/m",), ("east", "m"))
    answer = await finder.find(Call(request, envelope(request)), lookup)
    assert answer is not None, text
    return answer


def _request(text: str) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return Request(request_id="r", body=json.dumps(body).encode(), user_path="/")


async def _filled(store: Embedded, embedder: Local, namespace: str, texts: Sequence[str]) -> float:
    """Bytes that an entry takes of this process. Vectors beyond those of the texts are near one of them."""
    chance = np.random.default_rng(1)
    pairs = [
        (text, vector) for text in texts[:10_000] if (vector := embedder.vector(text)) is not None
    ]
    before, said = memory(OWN)[0], bar(f"{ENTRIES:,} entries")
    for number in range(ENTRIES):
        text, vector = pairs[number % len(pairs)]
        if number >= len(pairs):
            moved = vector + chance.normal(0.0, NOISE, len(vector)).astype(np.float32)
            vector = moved / np.float32(np.linalg.norm(moved))
        name = f"{number:032x}"
        words = f"{text} {number}"
        await store.add(Entry(name, namespace, name, words, vector, ANSWER, FOREVER))
        if number % 1_000 == 999:
            said((number + 1) / ENTRIES)
    return (memory(OWN)[0] - before) * (1 << 20) / ENTRIES
