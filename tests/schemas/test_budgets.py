"""Periods of budgets."""

from datetime import UTC, datetime

import pytest

from schemas.budgets import DAILY, HOURLY, MONTHLY, WEEKLY, Anchors, ancestors, window

EARLY = Anchors(
    daily_reset_hour=6,
    weekly_reset_weekday=3,
    weekly_reset_hour=6,
    monthly_reset_day=31,
    monthly_reset_hour=6,
    monthly_reset_minute=30,
)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("period", "anchors", "now", "begin", "end"),
    [
        (HOURLY, Anchors(), "2026-03-04T05:06:07", "2026-03-04T05:00", "2026-03-04T06:00"),
        (DAILY, Anchors(), "2026-03-04T05:06:07", "2026-03-04T00:00", "2026-03-05T00:00"),
        (DAILY, EARLY, "2026-03-04T05:06:07", "2026-03-03T06:00", "2026-03-04T06:00"),
        (DAILY, EARLY, "2026-03-04T06:00:00", "2026-03-04T06:00", "2026-03-05T06:00"),
        # The fourth of March 2026 is a Wednesday.
        (WEEKLY, Anchors(), "2026-03-04T05:06:07", "2026-03-02T00:00", "2026-03-09T00:00"),
        (WEEKLY, EARLY, "2026-03-04T05:06:07", "2026-02-25T06:00", "2026-03-04T06:00"),
        (MONTHLY, Anchors(), "2026-02-28T23:59:59", "2026-02-01T00:00", "2026-03-01T00:00"),
        (MONTHLY, Anchors(), "2026-12-31T12:00:00", "2026-12-01T00:00", "2027-01-01T00:00"),
        # A month without a 31st begins on its last day.
        (MONTHLY, EARLY, "2026-02-28T06:29:00", "2026-01-31T06:30", "2026-02-28T06:30"),
        (MONTHLY, EARLY, "2026-02-28T06:30:00", "2026-02-28T06:30", "2026-03-31T06:30"),
        (MONTHLY, EARLY, "2026-05-15T00:00:00", "2026-04-30T06:30", "2026-05-31T06:30"),
        (7200, Anchors(), "2026-03-04T05:06:07", "2026-03-04T04:00", "2026-03-04T06:00"),
    ],
    ids=[
        *("hour", "day", "day-before", "day-begins", "week", "week-before", "february", "december"),
        *("short-month-before", "short-month-begins", "after-a-short-month", "own-period"),
    ],
)
def test_a_period_is_the_calendars(
    period: int, anchors: Anchors, now: str, begin: str, end: str
) -> None:
    """Days, weeks and months begin where the settings say, UTC; other periods where the epoch has them."""
    assert window(period, anchors, at(now)) == (at(begin), at(end))


def test_a_path_belongs_to_all_above_it() -> None:
    """The root, then every part of the path."""
    assert ancestors("/a/b") == ["/", "/a", "/a/b"]
    assert ancestors("/") == ["/"]
