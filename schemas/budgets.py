"""Budgets and limits: how much a user path, a key or a model may use, and in which time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from schemas.objects import Kind

HOURLY, DAILY, WEEKLY, MONTHLY = 3600, 86_400, 604_800, 2_592_000
# As GoModel has them; days, weeks and months are the calendar's.
LABELS = {HOURLY: "hourly", DAILY: "daily", WEEKLY: "weekly", MONTHLY: "monthly"}
PERIODS = {label: seconds for seconds, label in LABELS.items()}


class Budget(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a user path and all below it may use in a period. At least one of both amounts is given."""

    user_path: str
    period_seconds: int
    amount: int | None = None  # nano-dollars
    tokens: int | None = None
    hard: bool = True  # False: it is counted, and refuses nobody
    source: Literal["config", "manual"] = "manual"
    created_at: str | None = None  # RFC 3339
    updated_at: str | None = None
    last_reset_at: str | None = None  # what was used before does not count

    @property
    def name(self) -> str:
        return budget_name(self.user_path, self.period_seconds)

    @property
    def label(self) -> str:
        return LABELS.get(self.period_seconds, f"{self.period_seconds}s")


class Anchors(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When the calendar's periods begin, UTC."""

    daily_reset_hour: int = 0
    daily_reset_minute: int = 0
    weekly_reset_weekday: int = 1  # Monday
    weekly_reset_hour: int = 0
    weekly_reset_minute: int = 0
    monthly_reset_day: int = 1  # or the month's last, where that comes first
    monthly_reset_hour: int = 0
    monthly_reset_minute: int = 0


class Limit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How fast: a sliding window of so many seconds, and how many at once. What is None is not limited.

    Those to whom all of `user_path`, `key` and `model` apply share it; with `each` every key has it for
    itself.
    """

    name: str
    user_path: str = "/"  # and all below
    key: str | None = None  # id of a managed key
    model: str | None = None  # as asked for; `*` stands for anything
    each: bool = False
    window_seconds: int = 60
    requests: int | None = None
    tokens: int | None = None
    concurrency: int | None = None


BUDGETS: Kind[Budget] = Kind("budgets", Budget)
LIMITS: Kind[Limit] = Kind("limits", Limit)
ANCHORS: Kind[Anchors] = Kind("budget-settings", Anchors)
ANCHORS_NAME = "default"


def budget_name(user_path: str, period_seconds: int) -> str:
    """The name of a budget on `llm.config`."""
    return f"{period_seconds}{user_path}"


def ancestors(user_path: str) -> list[str]:
    """The path and all above it, the root first."""
    found = ["/"]
    parts = [part for part in user_path.split("/") if part]
    found.extend("/" + "/".join(parts[: n + 1]) for n in range(len(parts)))
    return found


def window(period_seconds: int, anchors: Anchors, now: float) -> tuple[float, float]:
    """Begin and end, epoch seconds, of the period in which `now` lies."""
    if period_seconds not in (DAILY, WEEKLY, MONTHLY):
        begin = now // period_seconds * period_seconds
        return begin, begin + period_seconds
    moment = datetime.fromtimestamp(now, UTC)
    if period_seconds == MONTHLY:
        begin_ = _month(moment, anchors)
        if begin_ > moment:
            begin_ = _month(_last_month(moment), anchors)
        end_ = _month(_next_month(begin_), anchors)
        return begin_.timestamp(), end_.timestamp()
    if period_seconds == DAILY:
        begin_ = moment.replace(
            hour=anchors.daily_reset_hour,
            minute=anchors.daily_reset_minute,
            second=0,
            microsecond=0,
        )
        step = timedelta(days=1)
    else:
        begin_ = moment.replace(
            hour=anchors.weekly_reset_hour,
            minute=anchors.weekly_reset_minute,
            second=0,
            microsecond=0,
        )
        begin_ -= timedelta(days=(moment.isoweekday() - anchors.weekly_reset_weekday) % 7)
        step = timedelta(days=7)
    if begin_ > moment:
        begin_ -= step
    return begin_.timestamp(), (begin_ + step).timestamp()


def _month(moment: datetime, anchors: Anchors) -> datetime:
    last = (_next_month(moment) - timedelta(days=1)).day
    return moment.replace(
        day=min(anchors.monthly_reset_day, last),
        hour=anchors.monthly_reset_hour,
        minute=anchors.monthly_reset_minute,
        second=0,
        microsecond=0,
    )


def _next_month(moment: datetime) -> datetime:
    return (moment.replace(day=1) + timedelta(days=32)).replace(day=1)


def _last_month(moment: datetime) -> datetime:
    return moment.replace(day=1) - timedelta(days=1)
