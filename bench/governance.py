"""What it costs to know who asks and whether he may: key check, budgets and limits, in this process; with
Redis where REDIS_URL is set, of which only this process's part is counted."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Iterator, Sequence

import msgspec
import uvloop
from sanic.compat import Header

from bench.scenarios import Row, Rows
from bench.translation import cpu
from bench.waiting import say
from ingress.auth import Auth
from ingress.key_changes import made
from ingress.keys import Keys
from providers.base import Endpoint, Target
from schemas.bodies import envelope
from schemas.budgets import ANCHORS, BUDGETS, DAILY, LIMITS, MONTHLY, Budget, Limit
from schemas.clock import SystemClock
from schemas.costs import NANO
from schemas.keys import KEYS, new_secret
from schemas.metrics import Metrics
from schemas.objects import Objects, record
from schemas.prices import Pricing
from schemas.replies import Completed, Failed, Started
from schemas.requests import Request
from streams.budgets.base import Accounts, Span
from streams.budgets.book import Book
from streams.budgets.config import BudgetsConfig
from streams.budgets.memory import MemoryAccounts
from streams.budgets.redis import RedisAccounts
from streams.budgets.stage import Desk, Reserving
from streams.stages import Call, Replies

ROUNDS = 3_000
AT_ONCE = 16
REQUEST_US = 150.0  # target: all of it, with Redis
MANAGED = 100  # keys that there are
PLENTY = 10**6 * NANO
PRICE = Pricing(input_per_mtok=1.0, output_per_mtok=10.0)


class Plan:
    """Who may be called: one provider."""

    def targets(self, call: Call) -> Sequence[Target]:
        return (Target(Endpoint("one", {}, "", "", {}), "m"),)


async def answering(call: Call) -> Replies:
    """A provider that answers at once."""
    yield Started(200, "application/json", "one", "m")
    yield Completed()


def governed() -> Objects:
    """A hundred keys, a monthly budget for all and a daily one for a team, a limit for each key."""
    objects = Objects((KEYS, BUDGETS, LIMITS, ANCHORS))
    now = SystemClock().time()
    for number in range(MANAGED):
        key = made(new_secret(), (), key_id=f"key-{number}", role="client", now=now)
        objects.take(*record(KEYS, key.id, key, 1, 0)[:2], {})
    for each in (
        Budget(user_path="/", period_seconds=MONTHLY, amount=PLENTY),
        Budget(user_path="/acme/team", period_seconds=DAILY, amount=PLENTY),
    ):
        objects.take(*record(BUDGETS, each.name, each, 1, 0)[:2], {})
    rate = Limit(name="each", each=True, requests=10**9, tokens=10**12)
    objects.take(*record(LIMITS, rate.name, rate, 1, 0)[:2], {})
    return objects


def requests() -> Iterator[Call]:
    body = msgspec.json.encode(
        {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "word " * 80}]}
    )
    while True:
        request = Request(
            request_id=str(uuid.uuid4()), body=body, user_path="/acme/team/ann", client="key-7"
        )
        yield Call(request, envelope(request))


def stage(objects: Objects, accounts: Accounts) -> Reserving:
    book = Book((), objects)
    desk = Desk(BudgetsConfig(), book, accounts, Plan(), SystemClock(), Metrics())
    desk.prices = lambda instance, model: PRICE
    return Reserving(answering, desk)


async def reserved(handler: Reserving | None, calls: Iterator[Call], at_once: int) -> float:
    """Microseconds of CPU a request; without a handler what is not of the stage."""

    async def one() -> None:
        for _ in range(ROUNDS // at_once):
            call = next(calls)
            async for reply in answering(call) if handler is None else handler(call):
                if isinstance(reply, Failed):
                    raise TypeError(f"refused: {reply.error.message}")

    before = time.process_time()
    await asyncio.gather(*(one() for _ in range(at_once)))
    return (time.process_time() - before) / (ROUNDS // at_once * at_once) * 1e6


async def _reserving(objects: Objects, accounts: Accounts, at_once: int) -> float:
    """Of the stage alone, warm, the best of three."""
    handler, calls = stage(objects, accounts), requests()
    try:
        if await accounts.position(0) is None:
            await accounts.settle(Span(0, None, 0), (), SystemClock().time())
        await reserved(handler, calls, at_once)
        spent = [await reserved(handler, calls, at_once) for _ in range(3)]
        return min(spent) - await reserved(None, calls, at_once)
    finally:
        await accounts.close()


def checked(objects: Objects) -> float:
    """Microseconds to know a managed key among others."""
    keys = Keys(objects.table(KEYS))
    keys.read = True
    auth, value = Auth("sk-master", keys), new_secret()
    now = SystemClock().time()
    key = made(value, (), key_id="asks", role="client", now=now)
    objects.take(*record(KEYS, key.id, key, 1, 0)[:2], {})
    headers = Header({"authorization": f"Bearer {value}"})
    return cpu(lambda: auth.who(headers, now=now, ip=None), ROUNDS) * 1e6


def measure() -> Rows:
    """The key, then two budgets and a limit of requests and tokens in each kind of accounts."""
    objects = governed()
    key = checked(objects)
    yield Row("key check", key, "µs/request"), {}
    embedded = uvloop.run(_reserving(objects, MemoryAccounts(), 1))
    yield Row("budgets and limits in memory", embedded, "µs/request"), {}
    url = os.environ.get("REDIS_URL")
    if url is None:
        say("  with Redis: skipped, REDIS_URL is not set (make services)")
        return
    for at_once in (1, AT_ONCE):
        accounts = RedisAccounts(url, f"bench:{uuid.uuid4()}:", 5.0)
        spent = uvloop.run(_reserving(objects, accounts, at_once))
        name = f"key check, budgets and limits with Redis, {at_once} at once"
        yield Row(name, key + spent, "µs/request", REQUEST_US), {"stage": spent}
