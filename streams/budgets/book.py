"""All budgets and limits in force: what a request must reserve, and where an exchange is charged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

from schemas.budgets import (
    ANCHORS,
    ANCHORS_NAME,
    BUDGETS,
    LIMITS,
    Anchors,
    Budget,
    Limit,
    ancestors,
    window,
)
from schemas.clock import from_rfc3339
from schemas.costs import NANO
from schemas.objects import Objects
from streams.budgets.base import Demand

PATHS = 10_000  # user paths of which the budgets are known by heart
GRACE = 86_400.0  # seconds for which an account is remembered after its end


What = Literal["budget", "requests", "tokens", "concurrency"]
Unit = Literal["usd", "requests", "tokens", "concurrency"]


class Asked(Struct, frozen=True):
    """What is known of a request, or of an exchange."""

    user_path: str
    client: str | None
    model: str
    cost: int | None  # nano-dollars; None: not known
    tokens: int
    budgeted: bool = True  # False: its workflow does without budgets; limits hold all the same


class Demanded(Struct, frozen=True):
    """A demand with what the caller is told of it."""

    demand: Demand
    what: What
    unit: Unit
    policy: str  # its name in `RateLimit`
    said: str  # the beginning of the message if it cannot be met
    seconds: int  # that the limit is for; 0: at once
    ends: float  # epoch seconds


class _Present(Struct, frozen=True):
    """A budget in its present period."""

    begin: float  # epoch seconds
    end: float
    said: str
    parts: tuple[tuple[Unit, str, str, int | None], ...]  # unit, account, policy, hard limit


class Book:
    """Follows `llm.config`; budgets of the settings are in force where it has none of their name."""

    def __init__(self, seeds: Sequence[Budget], objects: Objects) -> None:
        self._seeds = {seed.name: seed for seed in seeds}
        self._budgets = objects.table(BUDGETS)
        self._limits = objects.table(LIMITS)
        self._anchors = objects.table(ANCHORS)
        self._by_path: dict[str, list[Budget]] = {}
        self.counts_money = False
        self._present: dict[str, _Present] = {}  # by name of the budget
        self._at: dict[str, tuple[Budget, ...]] = {}  # by user path
        self._rates: tuple[Limit, ...] = ()
        self._budgets.watch(lambda name, value: self._sort())
        self._limits.watch(lambda name, value: self._sort())
        self._anchors.watch(lambda name, value: self._sort())
        self._sort()

    def _sort(self) -> None:
        found = self._seeds | dict(self._budgets)
        self._by_path = {}
        for budget in found.values():
            self._by_path.setdefault(budget.user_path, []).append(budget)
        self.counts_money = any(budget.amount is not None for budget in found.values())
        self._present, self._at = {}, {}
        self._rates = tuple(limit for _, limit in self._limits)

    def __len__(self) -> int:
        return len(self._by_path) + len(self._limits)

    @property
    def budgets(self) -> list[Budget]:
        """All in force."""
        return [budget for found in self._by_path.values() for budget in found]

    def period(self, budget: Budget, now: float) -> tuple[float, float]:
        """Begin and end of a budget's period; a reset in it moves the begin."""
        anchors = self._anchors.get(ANCHORS_NAME) or Anchors()
        begin, end = window(budget.period_seconds, anchors, now)
        if budget.last_reset_at is not None:
            begin = max(begin, from_rfc3339(budget.last_reset_at))
        return begin, end

    def since(self, now: float) -> float:
        """When the earliest of all periods began: what is older is charged nowhere."""
        return min((self.period(budget, now)[0] for budget in self.budgets), default=now - 3600)

    def begins(self, now: float) -> list[float]:
        """When the periods began, the earliest first: from one to the next all is charged alike."""
        return sorted({self.period(budget, now)[0] for budget in self.budgets})

    # -- before a call

    def demands(self, asked: Asked, now: float) -> list[Demanded]:
        """What a request must reserve; the budgets of the root first."""
        found = []
        for budget in self._of(asked):
            present = self._present.get(budget.name)
            if present is None or not present.begin <= now < present.end:
                present = self._present[budget.name] = _present(budget, *self.period(budget, now))
            for unit, account, policy, limit in present.parts:
                amount = asked.tokens if unit == "tokens" else asked.cost or 0
                demand = Demand(account, amount, limit, present.end + GRACE)
                seconds = budget.period_seconds
                found.append(
                    Demanded(demand, "budget", unit, policy, present.said, seconds, present.end)
                )
        for limit_ in self._applying(asked):
            found.extend(_rate_demands(limit_, asked, now))
        return found

    def _of(self, asked: Asked) -> Sequence[Budget]:
        if not asked.budgeted:
            return ()
        if (found := self._at.get(asked.user_path)) is None:
            if len(self._at) >= PATHS:
                self._at.clear()
            found = self._at[asked.user_path] = tuple(
                budget
                for path in ancestors(asked.user_path)
                for budget in self._by_path.get(path, ())
            )
        return found

    def _applying(self, asked: Asked) -> Iterator[Limit]:
        if not self._rates:
            return
        above = ancestors(asked.user_path)
        for limit in self._rates:
            if (
                limit.user_path in above
                and limit.key in (None, asked.client)
                and (limit.model is None or fnmatchcase(asked.model, limit.model))
            ):
                yield limit

    # -- after it

    def charges(self, used: Asked, at: float, now: float) -> list[tuple[str, int, float]]:
        """Account, amount and until when it counts, of what was used at `at`; nothing of what is past."""
        found = []
        for budget in self._of(used):
            begin, end = self.period(budget, at)
            if at < begin or end < now:
                continue
            if budget.amount is not None and used.cost:
                found.append((_account(budget, "usd", begin), used.cost, end + GRACE))
            if budget.tokens is not None and used.tokens:
                found.append((_account(budget, "tokens", begin), used.tokens, end + GRACE))
        for limit in self._applying(used):
            index, _ = _slide(limit, at)
            end = (index + 2) * limit.window_seconds
            if limit.tokens is not None and used.tokens and end >= now:
                found.append((_rate(limit, used, "tokens", index), used.tokens, end + GRACE))
        return found

    def spent_accounts(self, budget: Budget, now: float) -> tuple[str, str]:
        """The accounts of a budget's present period: dollars, tokens."""
        begin, _ = self.period(budget, now)
        return _account(budget, "usd", begin), _account(budget, "tokens", begin)


def _present(budget: Budget, begin: float, end: float) -> _Present:
    name = f"{budget.user_path} {budget.label}"
    limits: tuple[tuple[Unit, int | None], ...] = (
        ("usd", budget.amount),
        ("tokens", budget.tokens),
    )
    parts = tuple(
        (unit, _account(budget, unit, begin), f"{name} {unit}", limit if budget.hard else None)
        for unit, limit in limits
        if limit is not None
    )
    return _Present(begin, end, f"budget exceeded for {name} limit", parts)


def _account(budget: Budget, unit: str, begin: float) -> str:
    return f"{budget.name}|{unit}|{begin:.3f}"


def _slide(limit: Limit, now: float) -> tuple[int, int]:
    """The number of the window, and how much of the one before still counts, in thousandths."""
    index = int(now // limit.window_seconds)
    return index, 1000 - int((now % limit.window_seconds) * 1000 // limit.window_seconds)


def _rate(limit: Limit, asked: Asked, unit: str, index: int | str) -> str:
    who = f"|{asked.client or asked.user_path}" if limit.each else ""
    return f"limit {limit.name}{who}|{unit}|{index}"


def _rate_demands(limit: Limit, asked: Asked, now: float) -> Iterator[Demanded]:
    index, weight = _slide(limit, now)
    end = (index + 1) * limit.window_seconds
    until = end + limit.window_seconds + GRACE
    seconds = limit.window_seconds
    rates: tuple[tuple[Literal["requests", "tokens"], int | None, int, bool], ...] = (
        ("requests", limit.requests, 1, False),
        ("tokens", limit.tokens, asked.tokens, True),
    )
    for unit, most, amount, hold in rates:
        if most is None:
            continue
        account, before = (_rate(limit, asked, unit, each) for each in (index, index - 1))
        demand = Demand(account, amount, most, until, hold, before, weight)
        said = f"rate limit reached for {limit.name}: {unit} in {seconds}s"
        yield Demanded(demand, unit, unit, f"{limit.name} {unit}", said, seconds, end)
    if limit.concurrency is not None:
        account = _rate(limit, asked, "concurrency", "now")
        demand = Demand(account, 1, limit.concurrency, now + 30 * GRACE)
        said = f"rate limit reached for {limit.name}: requests at once"
        policy = f"{limit.name} concurrency"
        yield Demanded(demand, "concurrency", "concurrency", policy, said, 0, now + 1)


def message(refused: Demanded, used: int) -> str:
    """What the caller is told, for budgets in GoModel's words."""
    limit = refused.demand.limit or 0
    if refused.unit == "usd":
        return f"{refused.said}: spent {used / NANO:.6f} of {limit / NANO:.6f}"
    return f"{refused.said}: used {used} of {limit}"


def retry_after(refused: Demanded, used: int, now: float) -> int:
    """Seconds until there may be room; of a window that slides, as if all was used in the present one."""
    demand, wait = refused.demand, refused.ends - now
    if demand.previous and used and demand.limit is not None and demand.amount <= demand.limit:
        # What is used now leaves at an even pace when the next window has begun.
        wait += refused.seconds * max(0.0, 1 - (demand.limit - demand.amount) / used)
    return max(1, math.ceil(wait))
