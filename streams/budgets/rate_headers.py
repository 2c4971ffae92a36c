"""What an answer says of the limits that applied to it: OpenAI's headers, and those of the IETF's draft.

https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from streams.budgets.base import Standing
from streams.budgets.book import Demanded, Unit

# A structured field's integer has 15 digits: in nano-dollars they would end at a million.
_NAMES: dict[Unit, str] = {
    "usd": "micro-usd",
    "requests": "requests",
    "tokens": "tokens",
    "concurrency": "concurrent-requests",
}
_NANO_A_MICRO = 1000
# Of a provider, they are about its account with us.
_PREFIXES = ("x-ratelimit-", "ratelimit")


def rate_headers(demanded: Sequence[Demanded], standing: Standing, now: float) -> dict[str, str]:
    """The headers, names in lower case; none where everything is only counted.

    OpenAI's two kinds, requests and tokens, are told of the limit of which the least is left.
    """
    policies, states = [], []
    tightest: dict[Unit, tuple[int, int, int]] = {}
    for each, used in zip(demanded, standing.used, strict=True):
        limit = each.demand.limit
        if limit is None:
            continue
        left = limit - used if used < limit else 0
        seconds = max(0, math.ceil(each.ends - now))
        policy, state = _said(each.policy, each.unit, limit, each.seconds)
        policies.append(policy)
        amount = left // _NANO_A_MICRO if each.unit == "usd" else left
        # Of requests at once nobody knows when one ends.
        states.append(f"{state}{amount};t={seconds}" if each.seconds else f"{state}{amount}")
        if each.unit not in tightest or left < tightest[each.unit][0]:
            tightest[each.unit] = (left, limit, seconds)
    if not policies:
        return {}
    found = {"ratelimit-policy": ", ".join(policies), "ratelimit": ", ".join(states)}
    units: tuple[Unit, ...] = ("requests", "tokens")
    for unit in units:
        if unit in tightest:
            left, limit, seconds = tightest[unit]
            found[f"x-ratelimit-limit-{unit}"] = str(limit)
            found[f"x-ratelimit-remaining-{unit}"] = str(left)
            found[f"x-ratelimit-reset-{unit}"] = _duration(seconds)
    return found


def merged(headers: dict[str, str], told: dict[str, str]) -> dict[str, str]:
    """`headers` with those of ours in the place of a provider's."""
    kept = {name: value for name, value in headers.items() if not name.startswith(_PREFIXES)}
    return {**kept, **told}


@lru_cache(maxsize=4096)
def _said(name: str, unit: Unit, limit: int, seconds: int) -> tuple[str, str]:
    """A policy, and the beginning of what is left of it."""
    quoted = _string(name)
    window = f";w={seconds}" if seconds else ""
    quota = limit // _NANO_A_MICRO if unit == "usd" else limit
    return f'{quoted};q={quota}{window};qu="{_NAMES[unit]}"', f"{quoted};r="


def _string(text: str) -> str:
    """A string of a structured field: printable ASCII."""
    readable = "".join(char if " " <= char <= "~" else "?" for char in text)
    return '"' + readable.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _duration(seconds: int) -> str:
    """`17s`, `6m0s`, `26h3m0s`, as OpenAI writes it."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
