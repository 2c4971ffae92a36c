"""The rows for answers that are given again."""

from __future__ import annotations

from typing import get_args

from schemas.identity import Scope
from sluice.settings.kinds import BOOLEAN, TEXT, choice, duration, integer, number, size
from sluice.settings.setting import Group, Setting
from streams.caches.config import CacheConfig

_CACHE = CacheConfig()

SIMPLE_ENABLED = Setting(
    name="RESPONSE_CACHE_SIMPLE_ENABLED",
    kind=BOOLEAN,
    default=False,
    summary="Whether an answer is given again to an equal request: from the worker's memory, and from "
    "Redis if `REDIS_URL` is set.",
)
KEY_RESPONSES = Setting(
    name="REDIS_KEY_RESPONSES",
    kind=TEXT,
    default=_CACHE.redis_prefix,
    summary="What the keys of kept answers begin with in Redis.",
)
TTL_RESPONSES = Setting(
    name="REDIS_TTL_RESPONSES",
    kind=integer(0, 1 << 31),
    default=int(_CACHE.ttl),
    summary="Seconds that an answer is kept, in memory and in Redis; 0 is an hour.",
)
SCOPE = Setting[Scope](
    name="RESPONSE_CACHE_SCOPE",
    kind=choice(get_args(Scope)),
    default=_CACHE.sharing.scope,
    summary="What two callers must have in common to get each other's answers: `both` key and user "
    "path, the `key`, the `user_path`, or `none` of them.",
)
MAX_TEMPERATURE = Setting(
    name="RESPONSE_CACHE_MAX_TEMPERATURE",
    kind=number(0, 10),
    default=_CACHE.sharing.max_temperature,
    summary="A request that names a higher temperature gets an answer of its own.",
)
TOOL_CALLS = Setting(
    name="RESPONSE_CACHE_TOOL_CALLS",
    kind=BOOLEAN,
    default=_CACHE.rules.tool_calls,
    summary="Whether answers that call tools, or rest on tools of the provider, are kept.",
)
COALESCING = Setting(
    name="RESPONSE_CACHE_COALESCING",
    kind=BOOLEAN,
    default=_CACHE.coalesce,
    summary="Whether equal requests that run at the same time make one call; only with the cache.",
)
MEMORY = Setting(
    name="RESPONSE_CACHE_MEMORY",
    kind=size(1 << 20, 64 << 30),
    default=_CACHE.memory,
    summary="Memory for kept answers in each worker.",
)
MAX_ENTRY = Setting(
    name="RESPONSE_CACHE_MAX_ENTRY",
    kind=size(1 << 10, 64 << 20),
    default=_CACHE.max_entry,
    summary="A longer answer is not kept.",
)
REDIS_TIMEOUT = Setting(
    name="RESPONSE_CACHE_REDIS_TIMEOUT",
    kind=duration(0.001, 10),
    default=_CACHE.redis_timeout,
    summary="A look-up in Redis that takes longer is a miss.",
)
GROUP = Group(
    "Answers that are given again",
    (
        *(SIMPLE_ENABLED, KEY_RESPONSES, TTL_RESPONSES, SCOPE, MAX_TEMPERATURE, TOOL_CALLS),
        *(COALESCING, MEMORY, MAX_ENTRY, REDIS_TIMEOUT),
    ),
)
