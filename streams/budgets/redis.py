"""Accounts in Redis, which all workers share: one script a request, one a batch of exchanges."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from streams.budgets.base import AccountsUnavailable, Charge, Demand, Span, Standing

T = TypeVar("T")
_pack = msgspec.msgpack.Encoder().encode
_AWAY = (RedisError, OSError, TimeoutError)
CONNECTIONS = 16
_SETTLE_TIMEOUT = 5.0  # seconds: nobody waits for it


class _Script:
    """A script of Redis, and the hash by which it is known there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


# Under one hash tag: the scripts touch keys of one slot. s: spent, r: reserved, h: a request's hold.
# A demand comes as account, amount, limit (-1: none), until, hold, previous, weight.
_RESERVE = _Script("""
local p, rid = KEYS[1], ARGV[1]
local hold = p .. 'h:' .. rid
if redis.call('EXISTS', p .. 'offsets') == 0 or redis.call('EXISTS', p .. 'behind') == 1 then
  return {-1}
end
local demands = cmsgpack.unpack(ARGV[2])
local held = redis.call('EXISTS', hold) == 1 or redis.call('ZSCORE', p .. 'settled', rid)
local refused, found = 0, {0}
for i, demand in ipairs(demands) do
  local account, amount, limit, previous = demand[1], demand[2], demand[3], demand[6]
  local used = 0
  if limit >= 0 then
    local counts = redis.call('MGET', p .. 's:' .. account, p .. 'r:' .. account, p .. 's:' .. previous)
    used = tonumber(counts[1] or 0) + tonumber(counts[2] or 0)
    if previous ~= '' then
      used = used + math.floor(tonumber(counts[3] or 0) * demand[7] / 1000)
    end
    if not held and refused == 0 and used + amount > limit then refused = i end
  end
  found[i + 1] = used
end
found[1] = refused
if held or refused > 0 then return found end
local holds = {'', 0}
for i, demand in ipairs(demands) do
  local account, amount = demand[1], demand[2]
  local key = p .. 's:' .. account
  if demand[5] then
    key = p .. 'r:' .. account
    holds[#holds + 1] = account
    holds[#holds + 1] = amount
  end
  redis.call('INCRBY', key, amount)
  redis.call('EXPIREAT', key, demand[4])
  if demand[3] >= 0 then found[i + 1] = found[i + 1] + amount end
end
redis.call('HSET', hold, unpack(holds))
return found
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

    async def reserve(self, request_id: str, demands: Sequence[Demand], now: float) -> Standing:
        packed = _pack(
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
            ]
        )
        refused, *used = await self._asked(self._run(_RESERVE, [request_id, packed]))
        if refused < 0:
            raise AccountsUnavailable("what was used is not known yet")
        return Standing(tuple(used), refused - 1 if refused else None)

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
        return bool(await self._asked(self._run(_SETTLE, arguments), _SETTLE_TIMEOUT))

    async def _run(self, script: _Script, arguments: list[str | int | float | bytes]) -> Any:
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
