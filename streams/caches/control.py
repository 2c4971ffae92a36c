"""What a caller says of caches: HTTP's directives for requests, and our own beside them.

One text carries them all through the log: `no-cache, max-age=60, type=exact, ttl=300, tag=docs`.
"""

from __future__ import annotations

import math

from msgspec import Struct

LONGEST = 30 * 24 * 3600.0  # seconds that a caller may have an answer kept


class Control(Struct, frozen=True):
    """What may answer one request, and what may be kept of it."""

    read: bool = True
    write: bool = True
    only_if_cached: bool = False
    exact: bool = True
    semantic: bool = True
    max_age: float | None = None  # seconds
    ttl: float | None = None  # seconds
    threshold: float | None = None  # least similarity
    tags: tuple[str, ...] = ()

    @property
    def bypasses(self) -> bool:
        """No kept answer may be given, and none be kept."""
        return not self.read and not self.write


def control(text: str | None) -> Control:
    """HTTP's rule: what is not understood says nothing."""
    if not text:
        return Control()
    said: dict[str, str] = {}
    tags = []
    for directive in text.split(","):
        name, _, value = directive.partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "tag" and value:
            tags.append(value)
        else:
            said.setdefault(name, value)
    ttl = _seconds(said.get("ttl"))
    kind = said.get("type", "both").lower()
    return Control(
        read="no-cache" not in said and "no-store" not in said,
        write="no-store" not in said and ttl != 0.0,
        only_if_cached="only-if-cached" in said,
        exact=kind != "semantic",
        semantic=kind != "exact",
        max_age=_seconds(said.get("max-age")),
        ttl=ttl if ttl is None else min(ttl, LONGEST),
        threshold=_seconds(said.get("threshold")),
        tags=tuple(dict.fromkeys(tags)),
    )


def _seconds(value: str | None) -> float | None:
    try:
        found = float(value) if value else math.nan
    except ValueError:
        return None
    return found if 0 <= found < math.inf else None
