"""What Redis does for the accounts, each in one step."""

from __future__ import annotations

import hashlib


class Script:
    """A script of Redis, and the hash by which it is known there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


# Under one hash tag: the scripts touch keys of one slot. s: spent, r: reserved, h: a request's hold.
# For all requests that wait: id, demands; each of these is account, amount, limit (-1: none), until, hold,
# previous, weight.
RESERVE = Script("""
local p = KEYS[1]
if redis.call('EXISTS', p .. 'offsets') == 0 or redis.call('EXISTS', p .. 'behind') == 1 then
  return {}
end
local function reserve(rid, demands)
  local hold = p .. 'h:' .. rid
  local held = redis.call('EXISTS', hold) == 1 or redis.call('ZSCORE', p .. 'settled', rid)
  local refused, found = 0, {0}
  for i, demand in ipairs(demands) do
    local account, amount, limit, previous = demand[1], demand[2], demand[3], demand[6]
    local used = 0
    if limit >= 0 then
      local spent = p .. 's:' .. account
      local counts = redis.call('MGET', spent, p .. 'r:' .. account, p .. 's:' .. previous)
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
end
local all = {}
for i, request in ipairs(cmsgpack.unpack(ARGV[1])) do
  all[i] = reserve(request[1], request[2])
end
return all
""")
SETTLE = Script("""
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
