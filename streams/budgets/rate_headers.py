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
    tightest: dict[Unit, tuple[int, Demanded]] = {}
    for each, used in zip(demanded, standing.used, strict=True):
        limit = each.demand.limit
        if limit is None:
            continue
        left = max(0, limit - used)
        policies.append(_policy(each.policy, each.unit, limit, each.seconds))
        states.append(_state(each, left, now))
        if each.unit not in tightest or left < tightest[each.unit][0]:
            tightest[each.unit] = (left, each)
    if not policies:
        return {}
    found = {"ratelimit-policy": ", ".join(policies), "ratelimit": ", ".join(states)}
    units: tuple[Unit, ...] = ("requests", "tokens")
    for unit in units:
        if unit in tightest:
            left, each = tightest[unit]
            found[f"x-ratelimit-limit-{unit}"] = str(each.demand.limit)
            found[f"x-ratelimit-remaining-{unit}"] = str(left)
            found[f"x-ratelimit-reset-{unit}"] = _duration(_seconds(each, now))
    return found


def merged(headers: dict[str, str], told: dict[str, str]) -> dict[str, str]:
    """`headers` with those of ours in the place of a provider's."""
    kept = {name: value for name, value in headers.items() if not name.startswith(_PREFIXES)}
    return {**kept, **told}


@lru_cache(maxsize=1024)
def _policy(name: str, unit: Unit, limit: int, seconds: int) -> str:
    window = f";w={seconds}" if seconds else ""
    return f'{_string(name)};q={_amount(unit, limit)}{window};qu="{_NAMES[unit]}"'


def _state(each: Demanded, left: int, now: float) -> str:
    # Of requests at once nobody knows when one ends.
    reset = f";t={_seconds(each, now)}" if each.seconds else ""
    return f"{_string(each.policy)};r={_amount(each.unit, left)}{reset}"


def _amount(unit: Unit, count: int) -> int:
    return count // _NANO_A_MICRO if unit == "usd" else count


def _seconds(each: Demanded, now: float) -> int:
    return max(0, math.ceil(each.ends - now))


@lru_cache(maxsize=1024)
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
