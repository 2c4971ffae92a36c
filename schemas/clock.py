"""Time as an argument, so that tests move it by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

_LAST_SECOND = 253_402_300_799.0  # of the year 9999


class Clock(Protocol):
    """Where the time comes from."""

    def time(self) -> float:
        """Seconds since the epoch (wall clock)."""
        ...

    def monotonic(self) -> float:
        """Seconds since some start; never goes back."""
        ...


class SystemClock:
    """The machine's clocks."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


def rfc3339(seconds: float) -> str:
    """Epoch seconds as CloudEvents writes time: UTC, microseconds, `Z`."""
    # Several times a request, and most of them in the same second.
    whole = int(seconds // 1)
    micros = round((seconds - whole) * 1e6)
    if micros == 1_000_000:
        whole, micros = whole + 1, 0
    return f"{_to_the_second(whole)}.{micros:06d}Z"


@lru_cache(maxsize=64)
def _to_the_second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).isoformat()[:19]


def from_rfc3339(text: str) -> float:
    """Epoch seconds of an RFC 3339 time; ValueError if it is none, names no offset, or if `rfc3339`
    could not write it (before 1970, after 9999)."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no UTC offset in {text!r}")
    seconds = moment.timestamp()
    if seconds != within_calendar(seconds):
        raise ValueError(f"{text!r} is not between 1970 and 9999")
    return seconds


def within_calendar(seconds: float) -> float:
    """The nearest time that `rfc3339` can write: a record's own timestamp may be anything."""
    return min(max(0.0, seconds), _LAST_SECOND)
