"""What every cache promises: one suite over memory, Redis, and the two as one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from schemas.clock import SystemClock
from schemas.metrics import Metrics
from schemas.usage import Usage
from streams.caches.base import Cache, CacheUnavailable
from streams.caches.entry import Entry, Selection
from streams.caches.levels import Levels
from streams.caches.memory import MemoryCache
from streams.caches.redis import RedisCache
from tests.services import OwnService
from tests.stack import until
from tests.streams.fakes import Clock

LIMIT = 1 << 20
PATIENCE = 5.0  # seconds: nothing but the tests of slow answers waits for a deadline


def now() -> float:
    return SystemClock().time()


def entry(key: str = "a", **changes: object) -> Entry:
    made = Entry(
        key=key,
        body=b'{"a": "\xff"}',
        stored_at=now(),
        expires_at=now() + 600,
        provider="sim",
        model="m",
        finish_reason="stop",
        response_model="m-1",
        usage=Usage(3, 4),
        user_path="/a/b",
        request_model="alias",
        tags=("x", "y"),
    )
    return replace(made, **changes)


class Subject:
    """A cache, and what can happen to it."""

    def __init__(self, kind: str, url: str, prefix: str) -> None:
        self.kind = kind
        self.url = url
        self.prefix = f"{prefix}gomodel:response:*"  # a pattern's characters mean themselves
        self.cache = self.made()

    def made(self, timeout: float = PATIENCE) -> Cache:
        clock, metrics = SystemClock(), Metrics()
        memory = MemoryCache(LIMIT, clock, metrics)
        redis = RedisCache(self.url, self.prefix, timeout, clock, metrics)
        caches: dict[str, Cache] = {"memory": memory, "redis": redis}
        return caches[self.kind] if self.kind in caches else Levels(memory, redis)

    async def get(self, key: str = "a") -> Entry | None:
        (found,) = await self.cache.get(key)
        return found


@pytest.fixture(params=["memory", "redis", "levels"])
async def subject(
    request: pytest.FixtureRequest, topic_prefix: str, redis_url: str
) -> AsyncIterator[Subject]:
    subject = Subject(request.param, redis_url, topic_prefix)
    yield subject
    await subject.cache.purge(Selection())
    await subject.cache.close()


async def test_what_was_put_is_there(subject: Subject) -> None:
    """An entry comes back as it was, bytes that are no text included."""
    kept = entry()
    await subject.cache.put(kept)

    assert await subject.get() == kept
    assert await subject.get("b") is None


async def test_several_at_once(subject: Subject) -> None:
    """Entries come in the order of their keys, with None where there is none."""
    one, two = entry("one"), entry("two")
    await subject.cache.put(one, two)

    assert await subject.cache.get("two", "none", "one") == (two, None, one)


async def test_the_last_one_counts(subject: Subject) -> None:
    """A later entry takes the place of an earlier one."""
    await subject.cache.put(entry(body=b"1"))
    await subject.cache.put(entry(body=b"2"))

    found = await subject.get()
    assert found is not None
    assert found.body == b"2"


async def test_an_entry_expires(subject: Subject) -> None:
    """What is past its time is not there, and what came with too little is never kept."""
    await subject.cache.put(
        entry("late", expires_at=now() - 1), entry("soon", expires_at=now() + 0.2)
    )
    assert await subject.get("late") is None

    await until(lambda: _gone(subject, "soon"))


async def _gone(subject: Subject, key: str) -> bool:
    return await subject.get(key) is None


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (Selection(), set()),
        (Selection(key="one"), {"two", "three"}),
        (Selection(tag="x"), {"two", "three"}),
        (Selection(model="m"), {"three"}),
        (Selection(model="sim/m"), {"three"}),
        (Selection(model="alias"), set()),
        (Selection(user_path="/a"), {"three"}),
        (Selection(user_path="/a/b"), {"two", "three"}),
        (Selection(user_path="/"), set()),
        (Selection(model="m", user_path="/a/c"), {"one", "three"}),
        (Selection(key="none"), {"one", "two", "three"}),
        (Selection(key="one", tag="z"), {"one", "two", "three"}),
        (Selection(before=1e12), set()),
        (Selection(before=1.0), {"one", "two", "three"}),
        (Selection(key="one", before=1.0), {"one", "two", "three"}),
    ],
)
async def test_purge(subject: Subject, which: Selection, left: set[str]) -> None:
    """Exactly those go that have all that is named; the number of them is told."""
    await subject.cache.put(
        entry("one"),
        entry("two", tags=(), user_path="/a/c"),
        entry("three", tags=("z",), model="n", user_path="/ab"),
    )

    assert await subject.cache.purge(which) == 3 - len(left)
    found = await subject.cache.get("one", "two", "three")
    assert {one.key for one in found if one is not None} == left


async def test_others_keep_theirs(subject: Subject) -> None:
    """A purge touches nothing under another prefix."""
    other = Subject(subject.kind, subject.url, f"other-{subject.prefix}")
    await other.cache.put(entry())
    await subject.cache.purge(Selection())

    assert await other.get() is not None
    await other.cache.purge(Selection())
    await other.cache.close()


async def test_restart(subject: Subject) -> None:
    """After a restart an entry is there as it was, or not at all."""
    kept = entry()
    await subject.cache.put(kept)
    await subject.cache.close()
    subject.cache = subject.made()

    assert await subject.get() == (None if subject.kind == "memory" else kept)


@pytest.mark.parametrize("damage", [b"", b"x", b"cut", b"flipped", b"other"])
async def test_a_corrupt_entry_is_a_miss(redis_url: str, topic_prefix: str, damage: bytes) -> None:
    """Foreign bytes, a torn entry, one with a changed bit, and one under a wrong key are not there; the
    next answer takes their place."""
    subject = Subject("redis", redis_url, topic_prefix)
    await subject.cache.put(entry("a"), entry("b", body=b"b"))
    async with Redis.from_url(redis_url) as redis:
        name = f"{subject.prefix}a"
        value = bytes(await redis.get(name))
        damaged = {
            b"cut": value[:-3],
            b"flipped": value[:-9] + bytes([value[-9] ^ 1]) + value[-8:],
            b"other": await redis.get(f"{subject.prefix}b"),
        }
        await redis.set(name, damaged.get(damage, damage))

    assert await subject.get() is None
    kept = entry(body=b"3")
    await subject.cache.put(kept)
    assert await subject.get() == kept
    await subject.cache.purge(Selection())
    await subject.cache.close()


@pytest.fixture(params=["redis", "levels"])
async def alone(
    request: pytest.FixtureRequest, own_service: Callable[[str], OwnService]
) -> AsyncIterator[tuple[Subject, OwnService]]:
    """On a Redis that may be killed."""
    service = await asyncio.to_thread(own_service, "redis")
    subject = Subject(request.param, service.endpoints["REDIS_URL"], "")
    yield subject, service
    await subject.cache.close()


async def test_outage(alone: tuple[Subject, OwnService]) -> None:
    """While the store is away an entry of its own is a miss, a purge says that it failed, and it is
    asked again when it is back."""
    subject, service = alone
    await subject.cache.put(entry())
    await asyncio.to_thread(service.kill)

    assert (await subject.get() is None) is (subject.kind == "redis")
    assert await subject.get("b") is None
    await subject.cache.put(entry("b"))
    with pytest.raises(CacheUnavailable):
        await subject.cache.purge(Selection())

    await asyncio.to_thread(service.start)
    fresh = Subject("redis", subject.url, "")
    await until(lambda: _arrives(subject, fresh))
    await fresh.cache.close()


async def _arrives(subject: Subject, fresh: Subject) -> bool:
    await subject.cache.put(entry("c"))
    return await fresh.get("c") is not None


async def test_a_slow_answer_is_a_miss(alone: tuple[Subject, OwnService]) -> None:
    """A store that does not answer is waited for no longer than the deadline, and soon not asked."""
    subject, service = alone
    subject.cache = subject.made(timeout=0.05)
    await subject.cache.put(entry("z"))
    os.kill(service.pid, signal.SIGSTOP)
    try:
        for _ in range(100):  # each would wait for ever
            assert await subject.get() is None
        await subject.cache.put(entry())
    finally:
        os.kill(service.pid, signal.SIGCONT)

    fresh = Subject("redis", subject.url, "")
    await until(lambda: _arrives(subject, fresh))
    await fresh.cache.close()


async def test_memory_is_bounded_by_bytes() -> None:
    """The least used entries go first, and one that is too large is not kept at all."""
    clock = Clock()
    cache = MemoryCache(10_000, clock, Metrics())
    body = b"x" * (1_000 - entry(body=b"").size)
    for number in range(10):
        await cache.put(entry(str(number), body=body, expires_at=clock.now + 1))
    await cache.get("0")
    await cache.put(entry("10", body=body, expires_at=clock.now + 1))

    assert [one is not None for one in await cache.get("0", "1", "2", "10")] == [
        *(True, False, True, True)
    ]
    assert cache.size == 10_000
    await cache.put(entry("large", body=b"x" * 1_000, expires_at=clock.now + 1))
    assert await cache.get("large") == (None,)
    clock.now += 1
    assert await cache.get("0") == (None,)
    assert cache.count == 9


async def test_what_is_far_comes_near(topic_prefix: str, redis_url: str) -> None:
    """An entry that another worker put into Redis is found there once, and then in memory."""
    subject = Subject("levels", redis_url, topic_prefix)
    far = Subject("redis", redis_url, topic_prefix)
    kept = entry()
    await far.cache.put(kept)

    assert await subject.get() == kept
    await far.cache.purge(Selection())
    assert await subject.get() == kept
    for each in (subject, far):
        await each.cache.purge(Selection())
        await each.cache.close()
