"""What is learnt from answers, and that it is not forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
import pytest_asyncio
from typing_extensions import override

from schemas.clock import SystemClock
from streams.caches.embedders.base import Embedder
from streams.caches.meaning.config import SemanticConfig
from streams.caches.meaning.decisions import Learning
from streams.caches.meaning.learning import whole
from streams.caches.meaning.memory import Files, Memory, MemoryUnavailable
from streams.caches.meaning.memory_redis import InRedis
from streams.caches.semantic.judges import ByModel
from streams.caches.semantic.verified import Limits
from streams.caches.vectors.base import Vector
from streams.caches.vectors.embedded import Embedded
from tests.streams.caches.meaning.world import World
from tests.streams.caches.semantic import samples

LIMITS = Limits(max_error_rate=0.05, first_fit=30, judged_first=200)
CONFIG = SemanticConfig(max_error_rate=0.05, judge="exact", timeout=30.0)


class Dictionary(Embedder):
    """Knows the vectors of all texts that will be asked."""

    identity = "dictionary"

    def __init__(self) -> None:
        self.vectors: dict[str, Vector] = {}

    @override
    async def embed(self, text: str) -> Vector | None:
        return self.vectors.get(text)

    @override
    async def close(self) -> None:
        return


class Traffic:
    """Questions whose intents the provider knows, and one cache after the other that they are asked of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.embedder = Dictionary()
        self.intents: dict[str, int] = {}
        self.questions = samples.World(3)

    def world(self, memory: Memory, worker: str = "w") -> World:
        decisions = Learning(LIMITS, worker, memory, Random(1).random, every=3600.0)
        store = Embedded(self.folder / "vectors", 10_000, 1 << 26)
        made = World(self.embedder, decisions=decisions, store=store, config=CONFIG)
        made.answer = lambda text: f"answer {self.intents[text]}"
        return made

    async def ask(self, world: World, count: int) -> tuple[int, int]:
        """How many were served, and how many of these wrongly."""
        served = wrong = 0
        for _ in range(count):
            text, intent, vector = self.questions.ask()
            self.intents[text], self.embedder.vectors[text] = intent, vector
            said, result = await world.ask(text)
            served += result == "HIT (semantic)"
            wrong += result == "HIT (semantic)" and said != f"answer {intent}"
        return served, wrong


MakeMemory = Callable[[], Memory]


@pytest_asyncio.fixture(params=["files", "redis"])
async def memory(
    request: pytest.FixtureRequest, tmp_path: Path, topic_prefix: str
) -> AsyncIterator[MakeMemory]:
    """Makes one over the same place each time."""
    if request.param == "files":
        yield lambda: Files(tmp_path / "learnt", SystemClock())
    else:
        url = request.getfixturevalue("redis_url")
        yield lambda: InRedis(url, f"{topic_prefix}semantic:")


async def test_it_learns_and_remembers(tmp_path: Path, memory: MakeMemory) -> None:
    """At first nothing is served; then much is, and hardly anything of it wrongly. After a restart it
    goes on where it was, as another worker does that never saw a question."""
    traffic = Traffic(tmp_path)
    world = traffic.world(memory())
    assert (await traffic.ask(world, 20))[0] == 0
    await traffic.ask(world, 380)
    served, wrong = await traffic.ask(world, 100)
    assert served > 30
    assert wrong <= 10
    before = world.semantic.report()
    assert before.judged > 0
    await world.close()

    for worker, accounts in (("w", True), ("other", False)):
        world = traffic.world(memory(), worker)
        served, wrong = await traffic.ask(world, 30)
        assert served > 5
        assert wrong <= 5
        after = world.semantic.report()
        assert (after.requests > before.requests * 0.9) is accounts  # each keeps its own
        await world.close()


async def test_served_answers_are_compared_behind_the_callers_back(tmp_path: Path) -> None:
    """Where the decision wants it, the provider is asked after all: the answer is kept for who asks the
    same, and what it cost is told."""
    traffic = Traffic(tmp_path)
    world = traffic.world(Files(tmp_path / "learnt", SystemClock()))
    await traffic.ask(world, 350)
    report, results = world.semantic.report(), world.counted.report().results
    assert results["semantic"] > 50
    assert report.calls == results["semantic"] < 200  # of the first 200 served ones each
    assert len(world.asked) == results["miss"] + report.calls
    assert report.cost == report.calls * 0.5
    assert report.input_tokens == report.calls * 3
    text = world.asked[-1]
    assert (await world.ask(text))[1] == "HIT (exact)"
    await world.close()


class Unreadable(Files):
    """Cannot be read at first."""

    reading = False

    @override
    async def load(self, namespace: str) -> list[bytes]:
        if not self.reading:
            raise MemoryUnavailable("away")
        return list(await super().load(namespace))


async def test_an_outage_does_not_overwrite_what_was_learnt(tmp_path: Path) -> None:
    """What could not be read is not written over."""
    traffic = Traffic(tmp_path)
    clock = SystemClock()
    world = traffic.world(Files(tmp_path / "learnt", clock))
    await traffic.ask(world, 60)
    await world.close()
    states = [path.read_bytes() for path in (tmp_path / "learnt").glob("*/*")]
    assert len(states) == 1

    world = traffic.world(Unreadable(tmp_path / "learnt", clock))
    await traffic.ask(world, 30)
    await world.close()
    assert [path.read_bytes() for path in (tmp_path / "learnt").glob("*/*")] == states


async def test_a_model_judges(tmp_path: Path) -> None:
    """It reads both questions and the kept answer; for a served one no answer is made again, and what
    it finds right is a further key of it."""
    prompts: list[str] = []

    def judging(verdict: str) -> Callable[[str], Awaitable[str]]:
        async def complete(prompt: str) -> str:
            prompts.append(prompt)
            return verdict

        return complete

    traffic = Traffic(tmp_path)
    decisions = Learning(LIMITS, "w", Files(tmp_path / "learnt", SystemClock()), Random(1).random)
    config = SemanticConfig(max_error_rate=0.05, judge="model:m", timeout=30.0)
    world = World(
        traffic.embedder, config=config, decisions=decisions, judge=ByModel(judging("Yes."))
    )
    world.answer = lambda text: f"answer {traffic.intents[text]}"
    await traffic.ask(world, 3)
    calls = len(world.asked)
    assert calls == 3
    assert len(prompts) >= 1
    assert world.asked[0] in prompts[0]
    assert world.semantic.report().same == len(prompts)
    await world.close()


class Short(Dictionary):
    """Reads no more than 100 words."""

    @override
    async def embed(self, text: str) -> Vector | None:
        return None if len(text.split()) > 100 else samples.unit(np.ones(4))


async def test_long_answers_are_embedded_in_pieces() -> None:
    """One vector of unit length for a text that the embedder cannot read at once."""
    vector = await whole(Short())("word " * 350)
    assert abs(float(vector @ vector) - 1.0) < 1e-5
