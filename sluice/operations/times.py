"""Times as operators write them."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.clock import from_rfc3339
from sluice.settings.kinds import duration

_AGE = duration(0, 3650 * 86_400.0)


def when(text: str, now: float) -> float:
    """Epoch seconds of an RFC 3339 time, of a date, or of how long ago it was; ValueError says what a
    time is."""
    try:
        return now - _AGE.parse(text)
    except ValueError:
        pass
    try:
        if len(text) == len("2026-01-31"):
            return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
        return from_rfc3339(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r}: {error}; a time is 2h, 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from error
