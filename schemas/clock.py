"""Time as an argument, so that tests move it by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

_YEAR_10000 = 253_402_300_799  # less a second: rounding to microseconds must not reach it


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
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def from_rfc3339(text: str) -> float:
    """Epoch seconds of an RFC 3339 time; ValueError if it is none, names no offset, or if `rfc3339`
    could not write it (before 1970, after 9999)."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no UTC offset in {text!r}")
    if not 0 <= (seconds := moment.timestamp()) < _YEAR_10000:
        raise ValueError(f"{text!r} is not between 1970 and 9999")
    return seconds
