"""What was answered once is answered again without a call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.base import Endpoint, Target
from schemas.bodies import envelope
from schemas.errors import ModelNotFound, NotCached
from schemas.metrics import Metrics
from schemas.replies import Completed, Failed, Reply, Started
from schemas.requests import Request
from schemas.usage import Usage
from streams.caches.config import CacheConfig
from streams.caches.memory import MemoryCache
from streams.caches.rules import Rules
from streams.stages import Call, Replies
from streams.stages.cache import ExactCache
from streams.stages.coalesce import Coalesce
from streams.stages.keeper import Keeper
from tests.streams.fakes import Clock

USAGE = Usage(3, 4)


def target(model: str = "m") -> Target:
    return Target(Endpoint("sim", {}, "http://127.0.0.1", "", {}), model)


class World:
    def __init__(self, **config: Any) -> None:
        self.clock = Clock()
        self.asked: list[Request] = []
        self.model = "m"
        self.finish = "stop"
        self.message: dict[str, Any] = {"role": "assistant", "content": "Hello"}
        self.targets = [target()]
        self.failed: ModelNotFound | None = None
        self.cache = MemoryCache(1 << 20, self.clock, Metrics())
        made = CacheConfig(ttl=60.0, **config)
        keeper = Keeper(self.cache, made, self.clock)
        self.coalesce = Coalesce(self._answer, keeper.keep, self.clock, Metrics())
        self.stage = ExactCache(
            self.coalesce, self.cache, made, lambda call: self._targets(), self.clock, Metrics()
        )

    def _targets(self) -> list[Target]:
        if self.failed is not None:
            raise self.failed
        return self.targets

    async def _answer(self, call: Call) -> Replies:
        self.asked.append(call.request)
        if self.failed is not None:
            yield Failed(self.failed, self.failed.status)
            return
        yield Started(200, "application/json", "sim", self.model, {"a": "b"})
        yield Completed(self._body(call.request), self.finish, USAGE, "m-1")

    def _body(self, request: Request) -> bytes:
        if request.operation == "embeddings":
            given = json.loads(request.body)["input"]
            texts = given if isinstance(given, list) else [given]
            data = [{"index": n, "embedding": [len(str(t)), 0.5]} for n, t in enumerate(texts)]
            usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
            return json.dumps(
                {"object": "list", "data": data, "model": "m-1", "usage": usage}
            ).encode()
        choice = {"index": 0, "message": self.message, "finish_reason": self.finish}
        return json.dumps(
            {"id": "up", "created": 1, "extra": {"a": 1}, "choices": [choice]}
        ).encode()

    async def ask(self, said: str | None = None, **more: Any) -> tuple[list[Reply], Call]:
        operation = more.pop("operation", "chat")
        body = {"model": "alias", "messages": [{"role": "user", "content": "hi"}], **more}
        request = Request(
            request_id=f"r{len(self.asked)}",
            body=json.dumps(body).encode(),
            created=self.clock.now,
            operation=operation,
            cache=said,
            user_path="/a",
        )
        call = Call(request, envelope(request))
        return [reply async for reply in self.stage(call)], call

    async def verdict(self, said: str | None = None, **more: Any) -> str:
        replies, _ = await self.ask(said, **more)
        return headers(replies).get("x-cache", "")

    async def vectors(self, given: Any, said: str | None = None) -> tuple[Any, str]:
        replies, _ = await self.ask(said, operation="embeddings", input=given)
        assert isinstance(replies[-1], Completed)
        body = json.loads(replies[-1].data)
        assert [item["index"] for item in body["data"]] == list(range(len(body["data"])))
        found = [item["embedding"][0] for item in body["data"]]
        return (found, body["usage"]["total_tokens"]), headers(replies)["x-cache"]


def headers(replies: list[Reply]) -> dict[str, str]:
    first = replies[0]
    assert isinstance(first, Started | Failed)
    return first.http_headers


async def test_the_second_one_is_a_hit() -> None:
    """It is told the same under a name and a time of its own, with everything that the provider said,
    and no call is billed to it."""
    world = World()
    first, missed = await world.ask()
    world.clock.now += 5
    second, hit = await world.ask(user="ann")

    assert len(world.asked) == 1
    assert headers(first)["x-cache"] == "MISS"
    assert headers(first)["a"] == "b"
    assert headers(second) == {
        "x-cache": "HIT (exact)",
        "x-cache-key": headers(first)["x-cache-key"],
        "age": "5",
    }
    end = second[-1]
    assert isinstance(end, Completed)
    body = json.loads(end.data)
    assert body == {
        **json.loads(world._body(world.asked[0])),
        "id": "chatcmpl-r1",
        "created": int(world.clock.now),
    }
    assert (end.usage, end.finish_reason, end.response_model) == (None, "stop", "m-1")
    assert missed.cached is not None
    assert hit.cached is not None
    assert (missed.cached.result, hit.cached.result) == ("miss", "exact")
    assert (hit.cached.age, hit.cached.saved, hit.attempts) == (5.0, USAGE, [])


async def test_a_stream_shares_with_a_plain_one() -> None:
    """The hit on a stream is a whole stream."""
    world = World()
    await world.ask()
    replies, _ = await world.ask(stream=True, stream_options={"include_usage": True})

    data = b"".join(getattr(reply, "data", b"") for reply in replies).decode()
    assert headers(replies)["x-cache"] == "HIT (exact)"
    assert isinstance(replies[0], Started)
    assert replies[0].content_type == "text/event-stream"
    assert '"content":"Hello"' in data
    assert '"finish_reason":"stop"' in data
    assert '"id":"chatcmpl-r1"' in data
    assert data.endswith("data: [DONE]\n\n")


async def test_an_entry_ends() -> None:
    """After its time, or that which its caller gave it, there is a call again."""
    world = World()
    assert await world.verdict() == "MISS"
    world.clock.now += 60
    assert await world.verdict("ttl=5") == "MISS"
    world.clock.now += 4
    assert await world.verdict() == "HIT (exact)"
    world.clock.now += 1
    assert await world.verdict() == "MISS"


@pytest.mark.parametrize(
    ("said", "first", "second"),
    [
        ("no-store", "BYPASS", "MISS"),
        ("no-cache", "MISS", "HIT (exact)"),
        ("ttl=0", "MISS", "MISS"),
        ("type=semantic", "MISS", "HIT (exact)"),
        ("max-age=1", "MISS", "HIT (exact)"),
    ],
)
async def test_what_a_caller_says(said: str, first: str, second: str) -> None:
    """`no-store` keeps nothing, `no-cache` keeps the fresh answer."""
    world = World()
    assert await world.verdict(said) == first
    assert await world.verdict() == second


async def test_what_a_caller_says_of_a_kept_answer() -> None:
    """A kept answer is not given to who wants none, or none so old."""
    world = World()
    await world.ask()
    world.clock.now += 10

    assert await world.verdict("no-store") == "BYPASS"
    assert await world.verdict("type=semantic") == "MISS"
    assert await world.verdict("max-age=10") == "HIT (exact)"  # the one before made it new
    world.clock.now += 10
    assert await world.verdict("max-age=10") == "MISS"


async def test_only_if_cached() -> None:
    """Without a kept answer it is an error, and nobody is called, also where nothing is ever kept."""
    world = World()
    for more in ({}, {"temperature": 1}, {"operation": "embeddings", "input": "a"}):
        replies, call = await world.ask("only-if-cached", **more)
        (failed,) = replies
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, NotCached)
        assert call.cached is not None
    assert world.asked == []

    await world.ask()
    assert await world.verdict("only-if-cached") == "HIT (exact)"


@pytest.mark.parametrize("more", [{"temperature": 0.5}, {"background": True}])
async def test_requests_that_share_nothing(more: dict[str, Any]) -> None:
    """They pass by, and are told so."""
    world = World()
    assert [await world.verdict(**more) for _ in range(2)] == ["BYPASS"] * 2
    assert world.cache.count == 0


async def test_an_answer_that_was_cut_is_not_kept() -> None:
    """Nor is one of another model than was asked first, nor one that is too long, nor an error."""
    world = World(max_entry=1000)
    world.finish = "length"
    assert [await world.verdict() for _ in range(2)] == ["MISS"] * 2
    world.finish, world.model = "stop", "fallback"
    assert [await world.verdict() for _ in range(2)] == ["MISS"] * 2
    world.model, world.message = "m", {"role": "assistant", "content": "x" * 1000}
    assert [await world.verdict() for _ in range(2)] == ["MISS"] * 2
    assert world.cache.count == 0


async def test_tool_calls_are_kept_if_they_are_allowed() -> None:
    """By rule."""
    for allowed in (False, True):
        world = World(rules=Rules(tool_calls=allowed))
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        world.message = {"role": "assistant", "content": None, "tool_calls": [call]}
        world.finish = "tool_calls"
        assert [await world.verdict() for _ in range(2)] == [
            "MISS",
            "HIT (exact)" if allowed else "MISS",
        ]


async def test_who_may_not_call_the_model_gets_no_kept_answer() -> None:
    """The error is the one of the call."""
    world = World()
    await world.ask()
    world.failed = ModelNotFound()
    replies, call = await world.ask()

    assert isinstance(replies[-1], Failed)
    assert call.cached is None


async def test_other_targets_are_another_question() -> None:
    """What the model's name means now decides, and not what it meant."""
    world = World()
    await world.ask()
    world.targets = [target(), target("n")]
    assert await world.verdict() == "MISS"
    world.targets = [target("n"), target()]
    assert await world.verdict() == "HIT (exact)"


async def test_a_kept_answer_that_cannot_be_told_is_a_miss() -> None:
    """Whatever stands in the store, the caller is answered."""
    world = World()
    await world.ask()
    (key,) = world.cache._entries
    entry = world.cache._entries[key]
    world.cache._entries[key] = type(entry)(
        key=key, body=b"{", stored_at=entry.stored_at, expires_at=entry.expires_at
    )

    assert await world.verdict(stream=True) == "MISS"


async def test_entries_know_whose_they_are() -> None:
    """By which they can be purged."""
    world = World()
    await world.ask("tag=a, tag=b")
    (entry,) = world.cache._entries.values()

    assert (entry.tags, entry.user_path, entry.request_model) == (("a", "b"), "/a", "alias")
    assert (entry.provider, entry.model, entry.usage) == ("sim", "m", USAGE)


async def test_embeddings_are_kept_text_by_text() -> None:
    """Only what is missing is asked for, and the vectors stand in the caller's order."""
    world = World()
    assert await world.vectors(["a", "bb"]) == (([1, 2], 2), "MISS")
    assert await world.vectors(["bb", "ccc", "a", "ccc"]) == (([2, 3, 1, 3], 2), "MISS")
    assert json.loads(world.asked[-1].body)["input"] == ["ccc", "ccc"]
    assert await world.vectors(["ccc", "a"]) == (([3, 1], 0), "HIT (exact)")
    assert await world.vectors("a") == (([1], 0), "HIT (exact)")
    assert await world.vectors("a", "no-cache") == (([1], 1), "MISS")
    assert len(world.asked) == 3


async def test_tokens_are_one_text() -> None:
    """A list of numbers is one text, a list of such lists several."""
    world = World()
    await world.ask(operation="embeddings", input=[[1, 2], [3]])
    _, call = await world.ask(operation="embeddings", input=[1, 2])

    assert call.cached is not None
    assert call.cached.result == "exact"


async def test_other_operations_pass() -> None:
    """What is no question to a model never meets the cache."""
    world = World()
    request = Request(request_id="r", body=b"{}", operation="compact", dialect="openai_responses")
    call = Call(request, envelope(Request(request_id="r", body=b'{"model":"m","messages":[1]}')))

    assert [type(reply) async for reply in world.stage(call)] == [Started, Completed]
    assert call.cached is None
