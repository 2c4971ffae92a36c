"""Idempotency keys as a worker knows them."""

import asyncio
from typing import Any

from aiokafka import ConsumerRecord

from schemas.idempotency import Kept, Key, decode, encode
from streams.keys import Keys
from tests.streams.fakes import Clock

KEY = Key(b"name", 1, "asked")


class Bench:
    """Keys over a log that is a list."""

    def __init__(self, limit: int = 100, gate: asyncio.Event | None = None) -> None:
        self.clock = Clock(1000.0)
        self.written: list[tuple[bytes, bytes]] = []
        self.scanned: list[tuple[str, int, int]] = []
        self._gate = gate
        self.keys = Keys("llm.idempotency", self, self.clock, ttl=60.0, limit=limit)  # type: ignore[arg-type]

    async def write(self, topic: str, value: bytes, **kwargs: Any) -> None:
        assert (topic, kwargs["partition"]) == ("llm.idempotency", 1)
        if self._gate is not None:
            await self._gate.wait()
        self.written.append((kwargs["key"], value))

    async def scan(self, topic: str, partition: int, since: int, take: Any) -> None:
        self.scanned.append((topic, partition, since))
        for key, value in [*self.written, (b"foreign", b"{}"), (b"gone", None)]:
            take(
                ConsumerRecord(topic, partition, 0, 0, 0, key, value, None, 0, 0, ())  # type: ignore[type-var]
            )


async def test_the_next_owner_knows_what_was_remembered() -> None:
    """As far back as a key counts; what it cannot read it passes over."""
    bench = Bench()
    await bench.keys.remember(KEY, "a", 7)
    other = Keys("llm.idempotency", bench, bench.clock, ttl=60.0, limit=100)  # type: ignore[arg-type]
    assert other.find(KEY) is None
    await other.load(1, bench.scan)

    assert other.find(KEY) == bench.keys.find(KEY) == Kept("a", "asked", 7, 1060.0)
    assert bench.scanned == [("llm.idempotency", 1, 940_000)]
    other.keep({2})
    assert other.find(KEY) is None


async def test_a_key_counts_for_its_time() -> None:
    """Then it is free, and another request's."""
    bench = Bench()
    await bench.keys.remember(KEY, "a", 7)
    bench.clock.now += 60
    assert bench.keys.find(KEY) is None
    await bench.keys.remember(KEY, "b", 9)

    found = bench.keys.find(KEY)
    assert found is not None
    assert found.request_id == "b"
    bench.keys.forget(KEY)
    assert bench.keys.find(KEY) is None


async def test_the_first_answer_stays() -> None:
    """Of many that end at once one is written, and all return when that is acknowledged."""
    gate = asyncio.Event()
    bench = Bench(gate=gate)
    several = [asyncio.create_task(bench.keys.remember(KEY, name, 7)) for name in "abc"]
    await asyncio.sleep(0)
    assert not any(each.done() for each in several)
    gate.set()
    await asyncio.gather(*several)
    await bench.keys.remember(KEY, "d", 8)

    assert [decode(value).request_id for _, value in bench.written] == ["a"]


async def test_what_an_outcome_says_is_written_down_again() -> None:
    """By the request that gave the answer and by no other: its worker died before it had done so."""
    bench = Bench()
    bench.keys.learn(1, b"name", Kept("a", "asked", 7, 1050.0))
    await bench.keys.confirm(KEY, "b")
    assert bench.written == []
    await bench.keys.confirm(KEY, "a")

    assert bench.written == [(b"name", encode(Kept("a", "asked", 7, 1050.0)))]


async def test_what_is_remembered_is_bounded() -> None:
    """The oldest are forgotten first."""
    bench = Bench(limit=3)
    for number in range(5):
        bench.keys.learn(1, b"%d" % number, Kept("a", "asked", number, 2000.0))

    found = [bench.keys.find(Key(b"%d" % number, 1, "asked")) for number in range(5)]
    assert [each is None for each in found] == [True, True, False, False, False]
