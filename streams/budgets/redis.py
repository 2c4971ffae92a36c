"""Accounts in Redis, which all workers share: one script a request, or for all that came while others ran,
and one a batch of exchanges."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
    NoScriptError,
    RedisError,
)

from schemas.tasks import Tasks
from streams.budgets.base import AccountsUnavailable, Charge, Demand, Span, Standing
from streams.budgets.scripts import RESERVE, SETTLE, Script

T = TypeVar("T")
_pack = msgspec.msgpack.Encoder().encode
_AWAY = (RedisError, OSError, TimeoutError)
CONNECTIONS = 16
# Who comes while so many scripts run waits, and is asked for together with all others that came.
UNDER_WAY = 2
BATCH = 64  # requests of one script
_SETTLE_TIMEOUT = 5.0  # seconds: nobody waits for it


class _Lines:
    """Connections on which reservations are asked for, kept in hand: of what asking costs, the pool, its
    checks and a command of many words are the larger part."""

    def __init__(self, pool: Any, prefix: str) -> None:
        self._pool = pool
        self._free: list[Any] = []
        self._head = _packed(b"EVALSHA", RESERVE.sha.encode(), b"1", prefix.encode(), more=1)
        self._whole = _packed(b"EVAL", RESERVE.text.encode(), b"1", prefix.encode(), more=1)

    async def reserve(self, packed: bytes) -> Any:
        """What the script says. One that was idle may be gone: that is seen now, and asked on another.
        A script that ran all the same does nothing a second time."""
        while self._free:
            try:
                return await self._ask(self._free.pop(), packed)
            except (ConnectionError, RedisConnectionError):
                continue
        return await self._ask(await self._pool.get_connection(), packed)

    async def _ask(self, line: Any, packed: bytes) -> Any:
        whole = False
        try:
            try:
                found = await self._told(line, self._head, packed)
            except NoScriptError:
                found = await self._told(line, self._whole, packed)
            whole = True
        finally:
            if whole:
                self._free.append(line)
            else:  # an answer may still come
                await line.disconnect(nowait=True)
                await self._pool.release(line)
        return found

    @staticmethod
    async def _told(line: Any, head: bytes, packed: bytes) -> Any:
        command = head + b"$%d\r\n%b\r\n" % (len(packed), packed)
        await line.send_packed_command((command,), check_health=False)
        return await line.read_response(timeout=math.inf)  # our own time-out is around it

    async def close(self) -> None:
        while self._free:
            await self._pool.release(self._free.pop())


def _packed(*words: bytes, more: int) -> bytes:
    """The beginning of a command of which `more` words follow."""
    head = b"*%d\r\n" % (len(words) + more)
    return head + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class _Waiting(NamedTuple):
    """A request that wants to reserve."""

    request_id: str
    demands: list[tuple[str, int, int, int, bool, str, int]]
    answer: asyncio.Future[list[int]]


class RedisAccounts:
    """Accounts of all workers that use this Redis and prefix."""

    def __init__(self, url: str, prefix: str, timeout: float) -> None:
        """`timeout`: seconds that a request may wait for its reservation."""
        # Whoever finds no connection free waits for one, within its time-out.
        pool: Any = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=None,
            socket_timeout=None,  # each question has one of its own
            retry=Retry(NoBackoff(), 1),
        )
        self._redis: Any = Redis(connection_pool=pool)
        self._prefix = f"{{{prefix}}}"
        self._lines = _Lines(pool, self._prefix)
        self._timeout = timeout
        self._waiting: list[_Waiting] = []
        self._under_way = 0
        self._tasks = Tasks()

    async def reserve(self, request_id: str, demands: Sequence[Demand], now: float) -> Standing:
        waiting = _Waiting(
            request_id,
            [
                (
                    each.account,
                    each.amount,
                    -1 if each.limit is None else each.limit,
                    int(each.until) + 1,
                    each.hold,
                    each.previous,
                    each.weight,
                )
                for each in demands
            ],
            asyncio.get_running_loop().create_future(),
        )
        self._waiting.append(waiting)
        if self._under_way < UNDER_WAY:
            self._under_way += 1
            self._tasks.start(self._reserve_all(), name="reserve")
        refused, *used = await waiting.answer
        return Standing(tuple(used), refused - 1 if refused else None)

    async def _reserve_all(self) -> None:
        """Ask for all that wait, in the order in which they came, until nobody does."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._reserve_batch(batch)
        finally:
            self._under_way -= 1

    async def _reserve_batch(self, batch: list[_Waiting]) -> None:
        packed = _pack([(each.request_id, each.demands) for each in batch])
        try:
            found = await self._asked(self._lines.reserve(packed))
            if not found:
                raise AccountsUnavailable("what was used is not known yet")
        except AccountsUnavailable as error:
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(AccountsUnavailable(str(error)))
            return
        for each, standing in zip(batch, found, strict=True):
            if (
                not each.answer.done()
            ):  # else its request was cancelled: its outcome ends the reservation
                each.answer.set_result(standing)

    async def settle(self, span: Span, charges: Sequence[Charge], now: float) -> bool:
        start = "" if span.start is None else span.start
        arguments: list[str | int | float | bytes] = [
            span.partition,
            start,
            span.end,
            now,
            int(span.behind),
        ]
        for charge in charges:
            arguments += [charge.request_id, len(charge.amounts)]
            for account, amount, until in charge.amounts:
                arguments += [account, amount, int(until) + 1]
        return bool(await self._asked(self._run(SETTLE, arguments), _SETTLE_TIMEOUT))

    async def _run(self, script: Script, arguments: list[str | int | float | bytes]) -> Any:
        """By its hash, which Redis has forgotten after a restart."""
        command = (script.sha, 1, self._prefix, *arguments)
        try:
            return await self._redis.execute_command("EVALSHA", *command)
        except NoScriptError:
            return await self._redis.execute_command("EVAL", script.text, *command[1:])

    async def position(self, partition: int) -> int | None:
        asked = self._redis.hget(f"{self._prefix}offsets", str(partition))
        found = await self._asked(asked, _SETTLE_TIMEOUT)
        return None if found is None else int(found)

    async def read(self, accounts: Sequence[str]) -> list[tuple[int, int]]:
        if not accounts:
            return []
        keys = [f"{self._prefix}{kind}:{each}" for each in accounts for kind in "sr"]
        found = await self._asked(self._redis.mget(keys), _SETTLE_TIMEOUT)
        numbers = [int(each or 0) for each in found]
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    async def _asked(self, asking: Awaitable[T], timeout: float | None = None) -> T:
        try:
            async with asyncio.timeout(timeout or self._timeout):
                return await asking
        except _AWAY as error:
            raise AccountsUnavailable(repr(error)) from error

    async def close(self) -> None:
        await self._tasks.abort()
        await self._lines.close()
        try:
            await self._redis.connection_pool.aclose()
        except _AWAY:
            return
