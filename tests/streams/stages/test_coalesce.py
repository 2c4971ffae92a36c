"""Equal requests at the same time make one call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from schemas.bodies import envelope
from schemas.errors import GatewayError, InvalidRequest, UpstreamError
from schemas.exchange import Attempt
from schemas.identity import Sharing, question
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.requests import Request
from schemas.usage import Usage
from streams.caches.control import control
from streams.caches.flight import Flight
from streams.caches.lookup import Lookup
from streams.stages import Call, Handler, Replies
from streams.stages.coalesce import Coalesce
from tests.streams.fakes import Clock

WORDS = ("one", " two", " three")
USAGE = Usage(3, 4)


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "up", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def whole() -> bytes:
    message = {"role": "assistant", "content": "".join(WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "up", "created": 1, "model": "m", "choices": [choice]}).encode()


class Provider:
    """Counts the calls; each goes on when the test says so."""

    def __init__(self) -> None:
        self.calls = 0
        self.closed = 0
        self.steps = asyncio.Semaphore(0)
        self.words: tuple[str, ...] = WORDS
        self.failures: list[tuple[int, GatewayError]] = []  # after so many words, with that error

    def let(self, steps: int = 100) -> None:
        for _ in range(steps):
            self.steps.release()

    async def __call__(self, call: Call) -> Replies:
        self.calls += 1
        fail = self.failures.pop(0) if self.failures else None
        try:
            call.attempts.append(Attempt("sim", "m", "", 0.0, 200))
            await self.steps.acquire()
            if fail is not None and fail[0] == 0:
                yield Failed(fail[1], fail[1].status)
                return
            if not call.streamed:
                yield Started(200, "application/json", "sim", "m")
                yield Completed(whole(), "stop", USAGE, "m")
                return
            yield Started(200, "text/event-stream", "sim", "m")
            yield Chunk(event({"role": "assistant"}), content=False)
            for number, word in enumerate(self.words):
                await self.steps.acquire()
                if fail is not None and fail[0] == number:
                    yield Failed(fail[1], fail[1].status)
                    return
                yield Chunk(event({"content": word}))
            await self.steps.acquire()
            yield Completed(event({}, "stop") + b"data: [DONE]\n\n", "stop", USAGE, "m")
        finally:
            self.closed += 1


class World:
    def __init__(self, handler: Handler | None = None) -> None:
        self.provider = Provider()
        self.kept: list[Flight] = []
        self.stage = Coalesce(handler or self.provider, self._keep, Clock(), Metrics())
        self.waiting: set[str] = set()
        self.calls: dict[str, Call] = {}

    async def _keep(self, flight: Flight) -> None:
        self.kept.append(flight)

    def call(self, name: str, *, stream: bool = False, **more: Any) -> Call:
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        request = Request(request_id=name, body=json.dumps(body).encode(), created=5.0, **more)
        found = question(request, Sharing())
        assert found is not None

        def waits(begins: bool) -> None:
            (self.waiting.add if begins else self.waiting.discard)(name)

        call = Call(request, envelope(request), waits)
        call.lookup = Lookup(
            found.key(("sim/m",)), found, control(request.cache), ("sim/m",), ("sim", "m")
        )
        self.calls[name] = call
        return call

    def ask(self, name: str, **more: Any) -> asyncio.Task[list[Reply]]:
        call = self.call(name, **more)

        async def run() -> list[Reply]:
            async with aclosing(self.stage(call)) as replies:
                return [reply async for reply in replies]

        return asyncio.ensure_future(run())


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.stage.close()


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def text(replies: list[Reply]) -> str:
    """What a client reads; checks that the answer is well-formed."""
    started, *chunks, end = replies
    assert isinstance(started, Started)
    assert isinstance(end, Completed)
    body = b"".join(chunk.data for chunk in chunks if isinstance(chunk, Chunk)) + end.data
    if started.content_type == "application/json":
        return str(json.loads(body)["choices"][0]["message"]["content"])
    *events, done, rest = body.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    found = [json.loads(each.removeprefix("data: ")) for each in events]
    assert found[-1]["choices"][0]["finish_reason"] == "stop"
    return "".join(each["choices"][0]["delta"].get("content") or "" for each in found)


def header(replies: list[Reply]) -> str:
    assert isinstance(replies[0], Started)
    return replies[0].http_headers["x-cache"]


@pytest.mark.parametrize("leader", [False, True])
async def test_one_call_for_all(world: World, leader: bool) -> None:
    """Streams and plain requests follow one call, whichever kind leads, and each is told the whole."""
    tasks = [world.ask("leader", stream=leader)]
    await settled()
    tasks += [world.ask(f"f{number}", stream=number % 2 == 0) for number in range(6)]
    await settled()
    assert world.waiting == {f"f{number}" for number in range(6)}
    world.provider.let()
    answers = await asyncio.gather(*tasks)

    assert world.provider.calls == 1
    assert {text(replies) for replies in answers} == {"one two three"}
    assert [header(replies) for replies in answers] == ["MISS"] + ["HIT (coalesced)"] * 6
    assert world.waiting == set()


async def test_ids_are_each_ones_own(world: World) -> None:
    """No two requests are given an answer of the same name, and none but the leader the provider's."""
    tasks = [world.ask(name, stream=name > "b") for name in "abcd"]
    await settled()
    world.provider.let()
    ids = set()
    for task in tasks:
        for reply in await task:
            data = getattr(reply, "data", b"")
            for part in data.replace(b"data: ", b"").split(b"\n\n"):
                if part.startswith(b"{"):
                    ids.add(json.loads(part)["id"])

    assert ids == {"up", "chatcmpl-b", "chatcmpl-c", "chatcmpl-d"}


async def test_only_the_leader_pays(world: World) -> None:
    """The call stands in one exchange; the others say what it would have used."""
    tasks = [world.ask("a"), world.ask("b", stream=True)]
    await settled()
    world.provider.let()
    first, second = await asyncio.gather(*tasks)
    a, b = world.calls["a"], world.calls["b"]

    assert (len(a.attempts), len(b.attempts)) == (1, 0)
    assert a.cached is not None
    assert b.cached is not None
    assert (a.cached.result, b.cached.result, b.cached.saved) == ("miss", "coalesced", USAGE)
    assert isinstance(first[-1], Completed)
    assert isinstance(second[-1], Completed)
    assert (first[-1].usage, second[-1].usage) == (USAGE, None)


async def test_a_late_follower_gets_what_was_sent_and_then_the_rest_live(world: World) -> None:
    """Of a stream under way a follower is told the beginning at once, and the next word as it comes."""
    leader = world.ask("a", stream=True)
    world.provider.let(3)
    await settled()
    seen: list[Reply] = []

    async def follow() -> None:
        async with aclosing(world.stage(world.call("b", stream=True))) as replies:
            async for reply in replies:
                seen.append(reply)  # noqa: PERF401  # looked at meanwhile

    task = asyncio.ensure_future(follow())
    await settled()
    assert b"one" in b"".join(reply.data for reply in seen if isinstance(reply, Chunk))
    assert not any(b"three" in reply.data for reply in seen if isinstance(reply, Chunk))
    world.provider.let(1)
    await settled()
    assert any(b"three" in reply.data for reply in seen if isinstance(reply, Chunk))
    world.provider.let()
    await task

    assert text(seen) == text(await leader) == "one two three"


async def test_a_leader_that_goes_leaves_its_call_to_the_next(world: World) -> None:
    """The followers get the whole answer of the one call, and the first of them pays for it."""
    tasks = [world.ask(name, stream=True) for name in "abc"]
    world.provider.let(3)
    await settled()
    tasks[0].cancel()
    await settled()
    assert world.waiting == {"c"}
    world.provider.let()
    answers = await asyncio.gather(*tasks[1:])

    assert world.provider.calls == 1
    assert [text(replies) for replies in answers] == ["one two three"] * 2
    assert [len(world.calls[name].attempts) for name in "abc"] == [0, 1, 0]
    cached = [world.calls[name].cached for name in "bc"]
    assert [found.result for found in cached if found is not None] == ["miss", "coalesced"]


async def test_a_follower_that_goes_stops_nobody(world: World) -> None:
    """The call and the other requests go on."""
    tasks = [world.ask(name) for name in "abc"]
    await settled()
    tasks[1].cancel()
    await settled()
    world.provider.let()

    assert text(await tasks[0]) == text(await tasks[2]) == "one two three"
    assert world.provider.calls == 1


async def test_the_last_one_who_goes_ends_the_call(world: World) -> None:
    """A call for which nobody waits is broken off, and its exchange has it."""
    tasks = [world.ask(name) for name in "ab"]
    await settled()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert (world.provider.calls, world.provider.closed) == (1, 1)
    assert [len(world.calls[name].attempts) for name in "ab"] == [0, 1]


async def test_a_failure_hands_over(world: World) -> None:
    """When the leader's call fails before anything was shown, one of the followers calls again."""
    world.provider.failures = [(0, UpstreamError())]
    tasks = [world.ask(name, stream=name == "c") for name in "abcd"]
    await settled()
    world.provider.let()
    first, *others = await asyncio.gather(*tasks)

    assert isinstance(first[-1], Failed)
    assert world.provider.calls == 2
    assert [text(replies) for replies in others] == ["one two three"] * 3
    assert sorted(header(replies) for replies in others) == ["HIT (coalesced)"] * 2 + ["MISS"]


async def test_failures_end(world: World) -> None:
    """Two calls that fail are enough to tell every follower so: there is no storm of calls."""
    world.provider.failures = [(0, UpstreamError())] * 9
    tasks = [world.ask(str(number)) for number in range(9)]
    await settled()
    world.provider.let()
    answers = await asyncio.gather(*tasks)

    assert all(isinstance(replies[-1], Failed) for replies in answers)
    assert world.provider.calls == 2


async def test_a_mistake_of_the_askers_is_told_to_all(world: World) -> None:
    """What is wrong with the request is wrong with its equals: nobody asks again."""
    world.provider.failures = [(0, InvalidRequest("no"))]
    tasks = [world.ask(name) for name in "abc"]
    await settled()
    world.provider.let()

    assert all(isinstance(replies[-1], Failed) for replies in await asyncio.gather(*tasks))
    assert world.provider.calls == 1


async def test_a_stream_that_breaks_off_goes_on_for_its_followers(world: World) -> None:
    """The leader ends with an error in it. Its followers make one more call, of which who has shown a
    part is told the rest, exactly."""
    world.provider.failures = [(2, UpstreamError())]
    tasks = [world.ask(name, stream=name != "d") for name in "abcd"]
    world.provider.let(3)
    await settled()
    world.provider.let()
    leader, *followers = await asyncio.gather(*tasks)

    assert isinstance(leader[-1], Failed)
    assert [text(replies) for replies in followers] == ["one two three"] * 3
    assert world.provider.calls == 2
    assert sorted(len(world.calls[name].attempts) for name in "abcd") == [0, 0, 1, 1]
    assert world.waiting == set()


@pytest.mark.parametrize("again", ["other words", "shorter", "breaks off"])
async def test_a_stream_that_cannot_go_on_ends_with_the_error(world: World, again: str) -> None:
    """The other call says something else, or less, or fails as well: nobody is told a mixture."""
    world.provider.failures = [(2, UpstreamError())]
    if again == "breaks off":
        world.provider.failures.append((1, UpstreamError()))
    tasks = [world.ask(name, stream=True) for name in "ab"]
    world.provider.let(3)
    await settled()
    changed = {"other words": ("one", " too", " three"), "shorter": ("one",)}
    world.provider.words = changed.get(again, WORDS)
    world.provider.let()
    _, follower = await asyncio.gather(*tasks)

    assert isinstance(follower[-1], Failed)
    assert follower[-1].event is not None
    body = b"".join(each.data for each in follower if isinstance(each, Chunk))
    assert b" two" in body
    assert b" too" not in body
    assert world.provider.calls == 2


async def test_no_cache_wants_a_call_of_its_own(world: World) -> None:
    """Such a request neither follows nor leads, and its answer is kept."""
    tasks = [world.ask("a"), world.ask("b", cache="no-cache"), world.ask("c")]
    await settled()
    world.provider.let()
    answers = await asyncio.gather(*tasks)

    assert world.provider.calls == 2
    assert [header(replies) for replies in answers] == ["MISS", "MISS", "HIT (coalesced)"]
    assert len(world.kept) == 2


async def test_what_was_not_looked_up_passes(world: World) -> None:
    """A call without a look-up is nobody's business."""
    call = world.call("a")
    call.lookup = None
    world.provider.let()

    assert [type(reply) async for reply in world.stage(call)] == [Started, Completed]
    assert call.cached is None


async def test_an_answer_that_cannot_be_understood_is_its_leaders() -> None:
    """The leader gets it as it is; its followers make calls of their own, and nothing is kept."""
    calls = 0

    async def odd(call: Call) -> Replies:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        yield Started(200, "application/json", "sim", "m")
        yield Completed(b'{"odd": tr')

    world = World(odd)
    tasks = [world.ask(name) for name in "abc"]
    answers = await asyncio.gather(*tasks)

    assert [replies[-1] for replies in answers] == [Completed(b'{"odd": tr')] * 3
    assert calls >= 3
    assert world.kept == []
    await world.stage.close()


async def test_a_fault_of_ours_is_the_leaders() -> None:
    """The leader's request crashes as it would alone; a follower tries again by itself."""
    calls = 0

    async def broken(call: Call) -> Replies:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        if calls == 1:
            raise ZeroDivisionError
        yield Started(200, "application/json", "sim", "m")
        yield Completed(whole(), "stop")

    world = World(broken)
    first, second = world.ask("a"), world.ask("b")
    with pytest.raises(ZeroDivisionError):
        await first

    assert text(await second) == "one two three"
    await world.stage.close()


async def test_what_cannot_be_said_otherwise_passes_by() -> None:
    """A request whose answer could be told to nobody else is called for alone."""
    world = World()
    world.provider.let()
    call = world.call("a")
    call.request = Request(request_id="a", body=b'{"model": "m", "messages": [{"role": 5}]}')
    replies = [reply async for reply in world.stage(call)]

    assert header(replies) == "BYPASS"
    assert call.cached is not None
    assert call.cached.result == "bypass"
    await world.stage.close()
