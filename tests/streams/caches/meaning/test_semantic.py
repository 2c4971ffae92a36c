"""Questions in other words, through all stages of the caches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from typing_extensions import override

from schemas.control import Purge
from schemas.replies import Failed
from streams.caches.embedders.local import Local
from streams.caches.meaning.config import SemanticConfig
from streams.caches.meaning.labels import Forgetting
from streams.caches.purging import Purging
from tests.streams.caches.meaning.world import World, headers

ASKED = "How do I reset my password?"
OTHERWISE = "How can I reset my password?"


@pytest.fixture(scope="module")
def embedder(shared_dir: Path) -> Local:
    return Local(shared_dir / "semantic" / "model")


@pytest_asyncio.fixture
async def world(embedder: Local) -> AsyncIterator[World]:
    made = World(Kept(embedder))
    await made.ask(ASKED)
    yield made
    await made.close()


class Kept(Local):
    """One that many worlds share, and none closes."""

    def __init__(self, embedder: Local) -> None:
        self.__dict__.update(embedder.__dict__)

    @override
    async def close(self) -> None:
        return


async def test_other_words(world: World) -> None:
    """A paraphrase gets the kept answer, says how near it is, and names what can be forgotten."""
    found = await world.replies(OTHERWISE)
    told = headers(found)
    assert told["x-cache"] == "HIT (semantic)"
    assert 0.8 < float(told["x-cache-similarity"]) < 1
    assert world.asked == [ASKED]
    cached = world.call.cached
    assert cached is not None
    assert (cached.result, cached.key) == ("semantic", told["x-cache-key"])
    assert cached.saved is not None


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_form_is_the_askers(world: World, stream: bool) -> None:
    """What was kept whole is told as a stream with its end, and the other way round."""
    assert await world.ask(OTHERWISE, stream=stream) == (f"About: {ASKED}", "HIT (semantic)")
    await world.ask("What is the capital of France?", stream=not stream)
    verdict = await world.ask("What's the capital of France?", stream=stream)
    assert verdict == ("About: What is the capital of France?", "HIT (semantic)")


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ("Is the shop open on Sunday?", "Is the shop not open on Sunday?"),
        ("How do I get a refund after 14 days?", "How do I get a refund after 40 days?"),
        ("How do I install the Python client?", "How do I install the Java client?"),
        ("Convert euros to dollars for me", "Convert dollars to euros for me"),
    ],
    ids=["negation", "number", "name", "order"],
)
async def test_what_only_looks_alike(world: World, kept: str, asked: str) -> None:
    """However near they are: where denials, numbers, names or roles differ, a call is made."""
    await world.ask(kept)
    assert await world.ask(asked) == (f"About: {asked}", "MISS")


async def test_what_else_shapes_the_answer(world: World) -> None:
    """Another tenant, system prompt, parameter or earlier turn: none gets the kept answer."""
    assert (await world.ask(OTHERWISE, system="Be rude."))[1] == "MISS"
    assert (await world.ask(OTHERWISE, top_p=0.5))[1] == "MISS"
    before = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert (await world.ask(OTHERWISE, before=before))[1] == "MISS"
    world.tenant = "b"
    assert (await world.ask(OTHERWISE))[1] == "MISS"


async def test_what_a_caller_says(world: World) -> None:
    """The threshold can be tightened and not loosened; each kind of cache can be left out; an answer
    that was asked for anew takes the place of the kept one."""
    assert (await world.ask(OTHERWISE, "threshold=0.999, ttl=0"))[1] == "MISS"
    assert (await world.ask("Tell me a joke", "threshold=0.01"))[1] == "MISS"
    assert (await world.ask(OTHERWISE, "type=exact, ttl=0"))[1] == "MISS"
    assert (await world.ask(ASKED, "type=semantic"))[1] == "HIT (semantic)"
    assert (await world.ask(OTHERWISE, "only-if-cached"))[1] == "HIT (semantic)"
    (refused,) = await world.replies("How is the weather?", "only-if-cached")
    assert isinstance(refused, Failed)
    assert refused.status == 504
    world.answer = lambda text: f"Anew: {text}"
    assert (await world.ask(ASKED, "no-cache"))[1] == "MISS"
    assert await world.ask(OTHERWISE) == (f"Anew: {ASKED}", "HIT (semantic)")
    assert (await world.ask(OTHERWISE, "max-age=0, ttl=0"))[1] == "MISS"


async def test_equal_questions_at_once(world: World) -> None:
    """They look once, and make one call."""
    searched = 0
    search = world.store.search

    async def counted(*given: object) -> object:
        nonlocal searched
        searched += 1
        return await search(*given)  # type: ignore[arg-type]

    world.store.search = counted  # type: ignore[method-assign,assignment]
    found = await asyncio.gather(*(world.ask("Where is my parcel?") for _ in range(20)))
    assert {text for text, _ in found} == {"About: Where is my parcel?"}
    assert world.asked.count("Where is my parcel?") == 1
    assert searched == 1


@pytest.mark.parametrize("by", ["key", "tag", "model", "user_path", "all"])
async def test_forgetting(world: World, by: str) -> None:
    """By what was told of the answer, and all; the rest stays."""
    await world.ask("How do I close my account?", "tag=x")
    again = "How can I close my account?"
    key = headers(await world.replies(again))["x-cache-key"]
    said = {"key": key, "tag": "x", "model": "sim/m", "user_path": "/a", "all": ""}
    asked = Purge(1e12, **({} if by == "all" else {by: said[by]}))
    purging = Purging(Forgetting(world.store))
    purging.purge(asked)
    await purging.tasks.drain(None)
    assert (await world.ask(again, "ttl=0"))[1] == "MISS"
    stays = by in ("key", "tag")
    assert (await world.ask(OTHERWISE, "ttl=0"))[1] == ("HIT (semantic)" if stays else "MISS")


async def test_shadow(embedder: Local) -> None:
    """Nothing is served; each answer that would have been is compared, and the error rate is known."""
    config = SemanticConfig(threshold=0.8, judge="exact", timeout=30.0, shadow=True)
    world = World(Kept(embedder), config=config)
    world.answer = lambda text: "the same" if "password" in text else text
    for text in (ASKED, OTHERWISE, "What is the fare to Rome?", "What was the fare to Rome?"):
        assert (await world.ask(text))[1] == "MISS"
    report = world.semantic.report()
    assert report.shadow
    assert (report.same, report.different) == (1, 1)
    assert 0 < report.wrong / report.requests < 1
    rates = world.metrics.exposition().decode()
    assert 'sluice_semantic_error_rate{kind="bound"}' in rates
    await world.close()


async def test_numbers(world: World) -> None:
    """Requests by what the caches were to them, and what was saved."""
    await world.ask(OTHERWISE)
    await world.ask(ASKED)
    report = world.counted.report()
    assert report.results == {"miss": 1, "semantic": 1, "exact": 1}
    assert (report.input_tokens, report.output_tokens) == (6, 8)
    assert report.cost == 1.0
