"""/admin/api/v1/budgets and /limits: names and shapes of budgets as GoModel has them."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import asdict, replace

from ingress.admin import Asking, Said, answered
from ingress.caller import tidy_path
from ingress.guards import IncomingRequest
from ingress.spending import spent
from ingress.wire import Answer
from schemas.budgets import (
    ANCHORS,
    ANCHORS_NAME,
    BUDGETS,
    LIMITS,
    PERIODS,
    Anchors,
    Budget,
    Limit,
    budget_name,
    window,
)
from schemas.clock import from_rfc3339, rfc3339
from schemas.costs import NANO, nano
from schemas.errors import InvalidRequest, NotFound

_HIGHEST = {"hour": 23, "minute": 59, "weekday": 7, "day": 31}
_LOWEST = {"weekday": 1, "day": 1}
_MOST_DOLLARS = 9_000_000  # what Redis compares exactly, in nano-dollars


class BudgetFields(Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of a budget: dollars, tokens, or both."""

    amount: float | None = None
    tokens: int | None = None
    hard: bool = True


class BudgetReset(Struct, frozen=True):
    """Which budget is reset."""

    user_path: str
    period: str | None = None
    period_seconds: int | None = None


class ResetConfirmation(Struct, frozen=True):
    """That all budgets are meant."""

    confirmation: str = ""
    confirm: str = ""


class LimitFields(Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of a limit; its name stands in the path."""

    user_path: str = "/"
    key: str | None = None
    model: str | None = None
    each: bool = False
    window_seconds: int = 60
    requests: int | None = None
    tokens: int | None = None
    concurrency: int | None = None


async def budgets(request: IncomingRequest) -> Answer:
    """GET: all budgets that are set here."""
    return await answered(request, _list, role="analyst")


async def budget(request: IncomingRequest, user_path: str, period: str) -> Answer:
    """PUT: set one. DELETE: it is gone."""
    return await answered(
        request, _delete if request.method == "DELETE" else _put, user_path, period
    )


async def reset_one(request: IncomingRequest) -> Answer:
    """POST: what one budget has spent does not count any more."""
    return await answered(request, _reset_one)


async def reset_all(request: IncomingRequest) -> Answer:
    """POST: the same of all."""
    return await answered(request, _reset_all)


async def settings(request: IncomingRequest) -> Answer:
    """GET and PUT: when days, weeks and months begin."""
    return await answered(request, _set_anchors if request.method == "PUT" else _anchors)


async def limits(request: IncomingRequest) -> Answer:
    """GET: all limits."""
    return await answered(request, _limits, role="analyst")


async def limit(request: IncomingRequest, name: str) -> Answer:
    """PUT: set one. DELETE: it is gone."""
    work = _delete_limit if request.method == "DELETE" else _put_limit
    return await answered(request, work, name)


async def _list(asking: Asking) -> Said:
    now = asking.gateway.clock.time()
    table = asking.objects.objects.table(BUDGETS)
    found = sorted((each for _, each in table), key=lambda each: each.name)
    shown = []
    for each in found:
        view = _view(asking, each, now)
        begin = from_rfc3339(view["period_start"])
        shown.append(view | await spent(asking.gateway.reports, each, begin, now))
    return Said({"budgets": shown, "server_time": rfc3339(now)})


async def _put(asking: Asking, user_path: str, period: str) -> Said:
    path, seconds = _path(user_path), _seconds(unquote(period))
    said = await asking.body(BudgetFields)
    if said.amount is None and said.tokens is None:
        raise InvalidRequest("A budget needs an `amount` in dollars, or `tokens`.", param="amount")
    if said.amount is not None and not 0 < said.amount <= _MOST_DOLLARS:
        raise InvalidRequest(f"`amount` must be from 0 to {_MOST_DOLLARS}.", param="amount")
    if said.tokens is not None and said.tokens < 1:
        raise InvalidRequest("`tokens` must be positive.", param="tokens")
    now = rfc3339(asking.gateway.clock.time())
    here = asking.objects.objects.table(BUDGETS).entry(budget_name(path, seconds))
    made = Budget(
        user_path=path,
        period_seconds=seconds,
        amount=None if said.amount is None else nano(said.amount),
        tokens=said.tokens,
        hard=said.hard,
        created_at=now if here.value is None else here.value.created_at,
        updated_at=now,
        last_reset_at=None if here.value is None else here.value.last_reset_at,
    )
    entry = await asking.objects.put(BUDGETS, made.name, made, expected=asking.expected)
    shown = _view(asking, made, asking.gateway.clock.time())
    return Said(shown, version=entry.version)


async def _delete(asking: Asking, user_path: str, period: str) -> Said:
    name = budget_name(_path(user_path), _seconds(unquote(period)))
    await asking.objects.delete(BUDGETS, name, expected=asking.expected)
    return Said(status=204)


async def _reset_one(asking: Asking) -> Said:
    said = await asking.body(BudgetReset)
    period = said.period if said.period is not None else str(said.period_seconds or "")
    name = budget_name(_path(said.user_path), _seconds(period))
    found = asking.objects.objects.table(BUDGETS).get(name)
    if found is None:
        raise NotFound(f"There is no budget of {said.user_path} for that period.")
    return Said(await _reset(asking, found))


async def _reset_all(asking: Asking) -> Said:
    said = await asking.body(ResetConfirmation)
    if "reset" not in (said.confirmation, said.confirm):
        raise InvalidRequest('Send {"confirmation": "reset"}.', param="confirmation")
    found = [each for _, each in asking.objects.objects.table(BUDGETS)]
    return Said({"budgets": [await _reset(asking, each) for each in found]})


async def _reset(asking: Asking, found: Budget) -> dict[str, object]:
    now = asking.gateway.clock.time()
    made = replace(found, last_reset_at=rfc3339(now), updated_at=rfc3339(now))
    await asking.objects.put(BUDGETS, made.name, made)
    return _view(asking, made, now)


async def _anchors(asking: Asking) -> Said:
    entry = asking.objects.objects.table(ANCHORS).entry(ANCHORS_NAME)
    return Said(asdict(entry.value or Anchors()), version=entry.version)


async def _set_anchors(asking: Asking) -> Said:
    said = await asking.body(Anchors)
    for name, value in asdict(said).items():
        unit = name.rpartition("_")[2]
        if not _LOWEST.get(unit, 0) <= value <= _HIGHEST[unit]:
            raise InvalidRequest(f"`{name}` must be at most {_HIGHEST[unit]}.", param=name)
    entry = await asking.objects.put(ANCHORS, ANCHORS_NAME, said, expected=asking.expected)
    return Said(asdict(said), version=entry.version)


async def _limits(asking: Asking) -> Said:
    table = asking.objects.objects.table(LIMITS)
    return Said({"limits": sorted((asdict(each) for _, each in table), key=lambda e: e["name"])})


async def _put_limit(asking: Asking, name: str) -> Said:
    said = await asking.body(LimitFields)
    counts = {"requests": said.requests, "tokens": said.tokens, "concurrency": said.concurrency}
    if all(count is None for count in counts.values()):
        raise InvalidRequest("A limit needs `requests`, `tokens` or `concurrency`.")
    for field, count in counts.items():
        if count is not None and count < 0:
            raise InvalidRequest(f"`{field}` must not be negative.", param=field)
    if not 1 <= said.window_seconds <= 7 * 86_400:
        raise InvalidRequest("`window_seconds` must be from 1 to a week.", param="window_seconds")
    fields = asdict(said) | {"user_path": tidy_path("user_path", said.user_path)}
    made = Limit(name=unquote(name), **fields)
    entry = await asking.objects.put(LIMITS, made.name, made, expected=asking.expected)
    return Said(asdict(made), version=entry.version)


async def _delete_limit(asking: Asking, name: str) -> Said:
    await asking.objects.delete(LIMITS, unquote(name), expected=asking.expected)
    return Said(status=204)


def _path(given: str) -> str:
    return tidy_path("user_path", unquote(given))


def _seconds(period: str) -> int:
    """A period by its name, or in seconds."""
    if period in PERIODS:
        return PERIODS[period]
    if period.isascii() and period.isdecimal() and 0 < int(period) <= 366 * 86_400:
        return int(period)
    raise InvalidRequest(f"`period` must be {', '.join(PERIODS)}, or seconds.", param="period")


def _view(asking: Asking, each: Budget, now: float) -> dict[str, Any]:
    anchors = asking.objects.objects.table(ANCHORS).get(ANCHORS_NAME) or Anchors()
    begin, end = window(each.period_seconds, anchors, now)
    return {
        **asdict(each),
        "amount": None if each.amount is None else each.amount / NANO,
        "period_label": each.label,
        "period_start": rfc3339(begin),
        "period_end": rfc3339(end),
        "period_ratio": round((now - begin) / (end - begin), 6),
    }
