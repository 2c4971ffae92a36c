"""What caching needs to know; `sluice/settings/` fills it in and documents each field."""

from __future__ import annotations

from msgspec import Struct

from schemas.identity import Sharing
from streams.caches.rules import Rules


class CacheConfig(Struct, frozen=True, kw_only=True):
    """Sizes are bytes, times are seconds."""

    sharing: Sharing = Sharing()
    exact: bool = True  # answers are given again to equal requests
    rules: Rules = Rules()
    ttl: float = 3600.0
    memory: int = 64 << 20
    max_entry: int = 4 << 20
    coalesce: bool = True
    redis_url: str | None = None
    redis_prefix: str = "gomodel:response:"
    redis_timeout: float = 0.1
