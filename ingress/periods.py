"""Of which time usage is asked for: days of the caller's time zone, and what they are put together to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from msgspec import Struct

from schemas.analytics import Period
from schemas.errors import InvalidRequest

Interval = Literal["hourly", "daily", "weekly", "monthly", "yearly"]
INTERVALS: tuple[Interval, ...] = get_args(Interval)
DAYS = 30
MOST_DAYS = 3660
_FORMATS: dict[Interval, str] = {
    "hourly": "%Y-%m-%dT%H:00",
    "daily": "%Y-%m-%d",
    "weekly": "%G-W%V",
    "monthly": "%Y-%m",
    "yearly": "%Y",
}


class Span(Struct, frozen=True):
    """Whole days of a time zone."""

    first: date
    last: date
    zone: tzinfo
    interval: Interval

    @property
    def since(self) -> str:
        return self._moment(self.first)

    @property
    def until(self) -> str:
        """The moment after the last one."""
        return self._moment(self.last + timedelta(days=1))

    @property
    def period(self) -> Period:
        """The sums that it can be made of: days are those of UTC."""
        return "day" if self.zone == UTC and self.interval != "hourly" else "hour"

    def label(self, start: str) -> str:
        """Of the interval in which a period begins."""
        local = datetime.fromisoformat(start).astimezone(self.zone)
        return local.strftime(_FORMATS[self.interval])

    def _moment(self, day: date) -> str:
        local = datetime.combine(day, time(), self.zone).astimezone(UTC)
        return f"{local:%Y-%m-%dT%H}:00:00Z"  # sums begin at whole hours


def span(said: Mapping[str, str], zone_name: str | None, now: float) -> Span:
    """What `days`, `start_date`, `end_date` and `interval` say; InvalidRequest."""
    zone = _zone(zone_name)
    interval = said.get("interval", "daily")
    if interval not in INTERVALS:
        raise InvalidRequest(f"`interval` must be one of {', '.join(INTERVALS)}.", param="interval")
    today = datetime.fromtimestamp(now, zone).date()
    last = _day(said, "end_date") or today
    first = _day(said, "start_date") or last - timedelta(days=_days(said) - 1)
    if not 0 <= (last - first).days < MOST_DAYS:
        raise InvalidRequest(
            f"`start_date` must be before `end_date`, by at most {MOST_DAYS} days.",
            param="start_date",
        )
    return Span(first, last, zone, interval)


def _zone(name: str | None) -> tzinfo:
    if name is None or name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; no name; a folder
        raise InvalidRequest(
            f"`{name[:50]}` is no IANA time zone.", param="x-gomodel-timezone"
        ) from error


def _days(said: Mapping[str, str]) -> int:
    text = said.get("days", str(DAYS))
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= MOST_DAYS):
        raise InvalidRequest(f"`days` must be from 1 to {MOST_DAYS}.", param="days")
    return int(text)


def _day(said: Mapping[str, str], name: str) -> date | None:
    if (text := said.get(name)) is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"`{name}` must be a day: YYYY-MM-DD.", param=name) from None
    if not 2000 <= day.year <= 9000:
        raise InvalidRequest(f"`{name}` must be a day of our time.", param=name)
    return day
