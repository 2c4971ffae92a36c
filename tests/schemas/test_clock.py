"""Time on the wire."""

import time

import pytest

from schemas.clock import SystemClock, from_rfc3339, rfc3339


def test_times_are_written_as_cloudevents_wants_them() -> None:
    """UTC, microseconds, Z."""
    assert rfc3339(0.5) == "1970-01-01T00:00:00.500000Z"


def test_times_come_back_whole() -> None:
    """A deadline survives the log to the microsecond."""
    assert from_rfc3339(rfc3339(1_790_000_000.123456)) == pytest.approx(
        1_790_000_000.123456, abs=1e-6
    )


@pytest.mark.parametrize("text", ["2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z"])
def test_offsets_are_understood(text: str) -> None:
    """Producers write their own time zone."""
    assert rfc3339(from_rfc3339(text)) == "2026-01-01T00:00:00.000000Z"


@pytest.mark.parametrize("text", ["", "now", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """Without an offset a time means nothing."""
    with pytest.raises(ValueError, match=r"."):
        from_rfc3339(text)


def test_the_system_clock_is_the_machines() -> None:
    """Wall clock and monotonic clock, each where it belongs."""
    clock = SystemClock()
    before = time.monotonic()

    assert abs(clock.time() - time.time()) < 60
    assert before <= clock.monotonic() <= time.monotonic()
