"""Of which time usage is asked for."""

from __future__ import annotations

import pytest

from ingress.periods import span
from schemas.errors import InvalidRequest
from tests.sinks.samples import BEGIN

DAY = 86_400.0


def test_days_end_today() -> None:
    """Thirty days, of which today is the last; sums of days do."""
    found = span({}, None, BEGIN + DAY / 2)

    assert (found.since, found.until) == ("2025-12-03T00:00:00Z", "2026-01-02T00:00:00Z")
    assert found.period == "day"


def test_dates_win_over_days() -> None:
    """Both are inclusive; the end alone is counted back from."""
    both = span({"start_date": "2026-02-01", "end_date": "2026-02-03", "days": "9"}, None, BEGIN)
    end = span({"end_date": "2026-02-03", "days": "3"}, None, BEGIN)

    assert (both.since, both.until) == ("2026-02-01T00:00:00Z", "2026-02-04T00:00:00Z")
    assert (end.since, end.until) == (both.since, both.until)


def test_days_of_a_time_zone() -> None:
    """Berlin's days begin an hour before UTC's, in summer two: they are made of hours."""
    found = span({"start_date": "2026-03-28", "end_date": "2026-03-29"}, "Europe/Berlin", BEGIN)

    assert (found.since, found.until) == ("2026-03-27T23:00:00Z", "2026-03-29T22:00:00Z")
    assert found.period == "hour"
    assert found.label("2026-03-28T22:00:00Z") == "2026-03-28"
    assert found.label("2026-03-28T23:00:00Z") == "2026-03-29"


@pytest.mark.parametrize(
    ("interval", "label"),
    [
        ("hourly", "2026-01-01T05:00"),
        ("daily", "2026-01-01"),
        ("weekly", "2026-W01"),
        ("monthly", "2026-01"),
        ("yearly", "2026"),
    ],
)
def test_intervals(interval: str, label: str) -> None:
    """Each names the interval in which a period begins."""
    assert span({"interval": interval}, None, BEGIN).label("2026-01-01T05:00:00Z") == label


@pytest.mark.parametrize(
    ("said", "zone", "param"),
    [
        ({"days": "0"}, None, "days"),
        ({"days": "many"}, None, "days"),
        ({"days": "99999"}, None, "days"),
        ({"start_date": "2026-13-01"}, None, "start_date"),
        ({"end_date": "0001-01-01"}, None, "end_date"),
        ({"start_date": "2026-02-02", "end_date": "2026-02-01"}, None, "start_date"),
        ({"start_date": "2001-01-01", "end_date": "2026-02-01"}, None, "start_date"),
        ({"interval": "fortnightly"}, None, "interval"),
        ({}, "Mars/Olympus", "x-gomodel-timezone"),
        ({}, "../../etc/passwd", "x-gomodel-timezone"),
    ],
)
def test_what_is_no_time_is_refused(said: dict[str, str], zone: str | None, param: str) -> None:
    """The error names the parameter."""
    with pytest.raises(InvalidRequest) as refused:
        span(said, zone, BEGIN)
    assert refused.value.param == param
