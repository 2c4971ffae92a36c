"""Requests with one idempotency key: who leads, who joins, what is told later."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from schemas.bodies import envelope
from schemas.errors import InternalError, UpstreamError
from schemas.exchange import Body, Exchange, Timings, any_body
from schemas.idempotency import Kept, key_of
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.requests import Position, Relay, Request
from schemas.tasks import Tasks
from streams.keys import Keys
from streams.stages import Call
from streams.stages.idempotency import HEADER, Idempotency
from tests.streams.fakes import Clock
from tests.streams.stages.test_coalesce import Provider, event, whole


def request(name: str, *, stream: bool = False, **changes: Any) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    made = Request(request_id=name, body=json.dumps(body).encode(), idempotency_key="k")
    return replace(made, **changes)


def recorded(answer: Body, **changes: Any) -> Exchange:
    made = Exchange(
        request_id="first",
        outcome="completed",
        created_at="",
        finished_at="",
        operation="chat",
        dialect="openai_chat",
        stream=False,
        source="",
        user_path="/",
        request_model="m",
        status=200,
        delivery_attempt=1,
        kafka=Position("t", 0, 0),
        timings=Timings(1.0),
        request=Body(Raw(b"{}")),
        response=answer,
        provider="sim",
        response_model="m",
        finish_reason="stop",
        http_headers={"x-up": "1"},
    )
    return replace(made, **changes)


class World:
    """The stage between a provider and what is recorded."""

    def __init__(self) -> None:
        self.provider: Any = Provider()
        self.clock = Clock()
        self.keys = Keys("t", None, self.clock, ttl=60, limit=9)  # type: ignore[arg-type]
        self.exchanges: dict[int, Exchange] = {}
        self.stage = Idempotency(
            lambda call: self.provider(call), self.keys, self._read, self.clock, Metrics()
        )
        self.calls: dict[str, Call] = {}
        self.tasks = Tasks()

    async def _read(self, partition: int, offset: int) -> Exchange:
        if offset not in self.exchanges:
            raise LookupError
        return self.exchanges[offset]

    def call(self, asked: Request) -> Call:
        call = self.calls[asked.request_id] = Call(asked, envelope(asked))
        call.key = key_of(asked, 0)
        return call

    async def told(self, asked: Request) -> list[Reply]:
        async with aclosing(self.stage(self.call(asked))) as replies:
            return [reply async for reply in replies]

    async def asks(self, asked: Request) -> asyncio.Task[list[Reply]]:
        """It has come as far as it can alone."""
        task = self.tasks.start(self.told(asked), name=asked.request_id)
        for _ in range(5):
            await asyncio.sleep(0)
        return task

    def kept(self, offset: int, exchange: Exchange | None) -> None:
        """The key is known, and maybe its answer, too."""
        key = key_of(request("first"), 0)
        assert key is not None
        self.keys.learn(0, key.name, Kept("first", key.fingerprint, offset, 2_000_000.0))
        if exchange is not None:
            self.exchanges[offset] = exchange

    def release(self, name: str) -> None:
        """Its outcome is recorded."""
        release = self.calls[name].release
        assert release is not None
        release()


def started(replies: list[Reply]) -> Started:
    head = replies[0]
    assert isinstance(head, Started)
    return head


def body(replies: list[Reply]) -> bytes:
    return b"".join(reply.data for reply in replies if isinstance(reply, Chunk | Completed))


async def test_who_comes_while_it_runs_joins() -> None:
    """Byte for byte, and only one has the call in its outcome."""
    world = World()
    first = await world.asks(request("a", stream=True))
    second = await world.asks(request("b", stream=True))
    world.provider.let()
    one, other = await first, await second

    assert world.provider.calls == 1
    assert body(one) == body(other)
    assert (HEADER in started(one).http_headers, started(other).http_headers[HEADER]) == (
        False,
        "true",
    )
    assert [len(world.calls[name].attempts) for name in "ab"] == [1, 0]
    assert [world.calls[name].repeats for name in "ab"] == [None, "a"]
    assert [each[-1].usage is None for each in (one, other)] == [False, True]  # type: ignore[union-attr]


async def test_until_the_outcome_is_recorded() -> None:
    """Whoever comes after the end and before the record joins; afterwards the record answers."""
    world = World()
    world.provider.let()
    one = await world.told(request("a"))
    late = await world.told(request("b"))
    world.kept(7, recorded(any_body(body(one), "application/json")))
    world.release("a")
    world.release("b")
    later = await world.told(request("c"))

    assert world.provider.calls == 1
    assert body(one) == body(late) == body(later)
    assert world.calls["c"].repeats == "first"
    assert started(later).http_headers == {"x-up": "1", HEADER: "true"}


@pytest.mark.parametrize("stream", [False, True], ids=["plain first", "streamed first"])
async def test_in_the_form_that_is_asked_for(stream: bool) -> None:
    """Whoever wants it the other way round has it so, with the same text."""
    world = World()
    first = await world.asks(request("a", stream=stream))
    second = await world.asks(request("b", stream=not stream))
    world.provider.let()
    await first
    told = await second

    assert world.provider.calls == 1
    assert started(told).content_type == ("application/json" if stream else "text/event-stream")
    assert all(word in body(told) for word in (b"one", b"two", b"three"))
    assert (b"data: [DONE]" in body(told)) != stream


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_the_record_in_the_form_that_is_asked_for(stream: bool) -> None:
    """What was recorded as a stream is told whole, and the other way round."""
    world = World()
    words = b"".join(event({"content": word}) for word in ("one", " two"))
    answer = words + event({}, "stop") + b"data: [DONE]\n\n" if not stream else whole()
    world.kept(7, recorded(any_body(answer, "application/json" if stream else "text/event-stream")))
    told = await world.told(request("b", stream=stream))

    assert world.provider.calls == 0
    assert started(told).content_type == ("text/event-stream" if stream else "application/json")
    assert b"one" in body(told)


@pytest.mark.parametrize("recorded_first", [False, True], ids=["running", "recorded"])
async def test_another_question(recorded_first: bool) -> None:
    """It is refused, and nobody is called."""
    world = World()
    if recorded_first:
        world.kept(7, None)
    else:
        await world.asks(request("a"))
    other = b'{"model": "m", "messages": [{"role": "user", "content": "bye"}]}'
    (told,) = await world.told(request("b", body=other))

    assert isinstance(told, Failed)
    assert (told.status, told.error.code) == (422, "idempotency_key_reused")
    assert world.provider.calls == (0 if recorded_first else 1)
    await world.tasks.abort()


async def test_a_failure_leaves_the_key_free() -> None:
    """Who has joined is told of it; who comes afterwards has a call of its own."""
    world = World()
    world.provider.failures = [(0, UpstreamError("no"))]
    first, second = await world.asks(request("a")), await world.asks(request("b"))
    world.provider.let()
    failed = [await first, await second]
    again = await world.told(request("c"))

    assert [isinstance(each[0], Failed) for each in failed] == [True, True]
    assert body(again) == whole()
    assert world.provider.calls == 2


async def test_the_first_one_goes() -> None:
    """The call goes on for those who joined, and stands in the outcome of one of them."""
    world = World()
    first = await world.asks(request("a"))
    second = await world.asks(request("b"))
    first.cancel()
    world.provider.let()
    told = await second

    assert world.provider.calls == world.provider.closed == 1
    assert body(told) == whole()
    assert len(world.calls["b"].attempts) == 1


async def test_all_go() -> None:
    """Nobody pays for what nobody waits for, and the key is free."""
    world = World()
    asking = [await world.asks(request(name)) for name in "ab"]
    for each in asking:
        each.cancel()
    await asyncio.wait(asking)
    assert world.provider.closed == 1
    for name in "ab":
        world.release(name)
    world.provider.let()

    assert body(await world.told(request("c"))) == whole()


async def test_a_record_that_is_gone() -> None:
    """It was kept for a shorter time than its key: the request is called."""
    world = World()
    world.kept(7, None)
    world.provider.let()

    assert body(await world.told(request("a"))) == whole()


async def test_a_fault_of_ours() -> None:
    """It is raised where it can be buried, in the request that leads; who joined is told of an error."""
    world = World()
    gate = asyncio.Event()

    async def broken(call: Call) -> Any:
        await gate.wait()
        raise ZeroDivisionError
        yield  # a generator

    world.provider = broken
    first, second = await world.asks(request("a")), await world.asks(request("b"))
    gate.set()
    with pytest.raises(ZeroDivisionError):
        await first
    (told,) = await second

    assert isinstance(told, Failed)
    assert isinstance(told.error, InternalError)


async def test_what_is_relayed_is_told_as_it_is() -> None:
    """Of a request that is handed on only the answer says whether it is a stream: live to all who wait
    for it, and later from the record."""
    world = World()
    gate = asyncio.Event()

    async def relayed(call: Call) -> Any:
        call.streamed = True
        yield Started(200, "text/event-stream", "sim", "")
        yield Chunk(b"data: 1\n\n")
        await gate.wait()
        yield Completed(b"data: 2\n\n")

    world.provider = relayed
    relay = Relay("sim", "POST", "/x")
    asked = [request(name, operation="relay", relay=relay) for name in "abc"]
    first, second = [await world.asks(each) for each in asked[:2]]
    assert [world.calls[name].streamed for name in "ab"] == [True, True]
    gate.set()
    told = [await first, await second]
    key = key_of(asked[2], 0)
    assert key is not None
    world.keys.learn(0, key.name, Kept("a", key.fingerprint, 7, 2_000_000.0))
    world.exchanges[7] = recorded(any_body(body(told[0]), "text/event-stream"))
    for name in "ab":
        world.release(name)
    later = await world.told(asked[2])

    assert {body(each) for each in (*told, later)} == {b"data: 1\n\ndata: 2\n\n"}
    assert started(later).content_type == "text/event-stream"


async def test_without_a_key() -> None:
    """The stage is not there."""
    world = World()
    world.provider.let()
    for name in "ab":
        await world.told(request(name, idempotency_key=None))

    assert world.provider.calls == 2
