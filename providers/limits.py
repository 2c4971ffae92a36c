"""When a provider wants to be left alone, as the headers of its answers say it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from schemas.clock import from_rfc3339

_REMAINING = re.compile(r"(?:x-|anthropic-)ratelimit-(?:[a-z-]+-)?remaining(?:-[a-z-]+)?")
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_EPOCH = 1e9  # a larger number of seconds is a date
_LONGEST = 86_400.0  # seconds; what says more is no limit that one waits for


def exhausted(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until there is something left of what has run out; None if nothing has, or nothing is
    said of when. Names in lower case; `now` in epoch seconds."""
    return max(_waits(headers, now), default=None)


def _waits(headers: Mapping[str, str], now: float) -> Iterator[float]:
    for name, value in headers.items():
        if value not in ("0", "0.0") or _REMAINING.fullmatch(name) is None:
            continue
        wait = _seconds(headers.get(name.replace("remaining", "reset"), ""), now)
        if wait is not None and 0 < wait <= _LONGEST:
            yield wait


def _seconds(text: str, now: float) -> float | None:
    """`1s`, `6m0s`, `250ms`, a number of seconds, or a date: as RFC 3339, in seconds or milliseconds."""
    if _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    try:
        number = float(text)
    except ValueError:
        try:
            return from_rfc3339(text) - now
        except ValueError:
            return None
    if number > _EPOCH * 1000:
        number /= 1000
    return number - now if number > _EPOCH else number
