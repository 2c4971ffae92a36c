"""Accounts in Redis, which all workers share: one script a request, one a batch of exchanges."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from streams.budgets.base import AccountsUnavailable, Charge, Demand, Refusal, Span

T = TypeVar("T")
_AWAY = (RedisError, OSError, TimeoutError)
CONNECTIONS = 16
_SETTLE_TIMEOUT = 5.0  # seconds: nobody waits for it


class _Script:
    """A script of Redis, and the hash by which it is known there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


# Under one hash tag: the scripts touch keys of one slot. s: spent, r: reserved, h: a request's hold.
_RESERVE = _Script("""
local p, rid = KEYS[1], ARGV[1]
if redis.call('EXISTS', p .. 'offsets') == 0 or redis.call('EXISTS', p .. 'behind') == 1 then
  return {-1, 0}
end
if redis.call('EXISTS', p .. 'h:' .. rid) == 1 or redis.call('ZSCORE', p .. 'settled', rid) then
  return {0, 0}
end
for i = 2, #ARGV, 7 do
  local limit = ARGV[i + 2]
  if limit ~= '' then
    local used = tonumber(redis.call('GET', p .. 's:' .. ARGV[i]) or 0)
      + tonumber(redis.call('GET', p .. 'r:' .. ARGV[i]) or 0)
    if ARGV[i + 5] ~= '' then
      local before = tonumber(redis.call('GET', p .. 's:' .. ARGV[i + 5]) or 0)
      used = used + math.floor(before * tonumber(ARGV[i + 6]) / 1000)
    end
    if used + tonumber(ARGV[i + 1]) > tonumber(limit) then
      return {(i - 2) / 7 + 1, string.format('%.0f', used)}
    end
  end
end
redis.call('HSET', p .. 'h:' .. rid, '', 0)
for i = 2, #ARGV, 7 do
  local key = p .. 's:' .. ARGV[i]
  if ARGV[i + 4] == '1' then
    key = p .. 'r:' .. ARGV[i]
    redis.call('HINCRBY', p .. 'h:' .. rid, ARGV[i], ARGV[i + 1])
  end
  redis.call('INCRBY', key, ARGV[i + 1])
  redis.call('EXPIREAT', key, ARGV[i + 3])
end
return {0, 0}
""")
_SETTLE = _Script("""
local p, partition, start, now = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[4])
if (redis.call('HGET', p .. 'offsets', partition) or '') ~= start then return 0 end
if ARGV[5] == '0' then
  redis.call('SREM', p .. 'behind', partition)
elseif start == '' then
  redis.call('SADD', p .. 'behind', partition)
end
local i = 6
while i <= #ARGV do
  local rid, count = ARGV[i], tonumber(ARGV[i + 1])
  i = i + 2
  if redis.call('ZADD', p .. 'settled', 'NX', now, rid) == 1 then
    local held = redis.call('HGETALL', p .. 'h:' .. rid)
    for j = 1, #held, 2 do
      local key = p .. 'r:' .. held[j]
      if held[j] ~= '' and redis.call('EXISTS', key) == 1 then
        redis.call('DECRBY', key, held[j + 1])
      end
    end
    redis.call('DEL', p .. 'h:' .. rid)
    for j = i, i + 3 * count - 1, 3 do
      redis.call('INCRBY', p .. 's:' .. ARGV[j], ARGV[j + 1])
      redis.call('EXPIREAT', p .. 's:' .. ARGV[j], ARGV[j + 2])
    end
  end
  i = i + 3 * count
end
redis.call('HSET', p .. 'offsets', partition, ARGV[3])
redis.call('ZREMRANGEBYSCORE', p .. 'settled', '-inf', now - 900)
return 1
""")


class RedisAccounts:
    """Accounts of all workers that use this Redis and prefix."""

    def __init__(self, url: str, prefix: str, timeout: float) -> None:
        """`timeout`: seconds that a request may wait for its reservation."""
        # Whoever finds no connection free waits for one, within its time-out.
        pool: Any = BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS, timeout=None, retry=Retry(NoBackoff(), 1)
        )
        self._redis: Any = Redis(connection_pool=pool)
        self._prefix = f"{{{prefix}}}"
        self._timeout = timeout

    async def reserve(
        self, request_id: str, demands: Sequence[Demand], now: float
    ) -> Refusal | None:
        arguments: list[str | int | float] = [request_id]
        for each in demands:
            arguments += [each.account, each.amount, "" if each.limit is None else each.limit]
            arguments += [int(each.until) + 1, int(each.hold), each.previous, each.weight]
        found = await self._asked(self._run(_RESERVE, arguments))
        index, used = int(found[0]), int(found[1])
        if index < 0:
            raise AccountsUnavailable("what was used is not known yet")
        return Refusal(index - 1, used) if index else None

    async def settle(self, span: Span, charges: Sequence[Charge], now: float) -> bool:
        start = "" if span.start is None else span.start
        arguments: list[str | int | float] = [
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
        return bool(await self._asked(self._run(_SETTLE, arguments), _SETTLE_TIMEOUT))

    async def _run(self, script: _Script, arguments: list[str | int | float]) -> Any:
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
        try:
            await self._redis.connection_pool.aclose()
        except _AWAY:
            return
