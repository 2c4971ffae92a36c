"""The rows for budgets and limits, and the budgets that variables seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from schemas.budgets import PERIODS, Budget
from schemas.costs import nano
from sluice.settings import work
from sluice.settings.kinds import BOOLEAN, TEXT, choice, duration, integer
from sluice.settings.setting import Group, Setting
from streams.budgets.config import BudgetsConfig, OnFailure, UnknownPrice

if TYPE_CHECKING:
    from sluice.settings.loading import Settings

_BUDGETS = BudgetsConfig()
PREFIX = "SET_BUDGET_"

ENABLED = Setting(
    name="BUDGETS_ENABLED",
    kind=BOOLEAN,
    default=True,
    summary="Budgets and limits are kept; without any, nothing is asked and nothing is read.",
)
ON_FAILURE = Setting[OnFailure](
    name="BUDGET_ON_FAILURE",
    kind=choice(get_args(OnFailure)),
    default=_BUDGETS.on_failure,
    summary="What happens to a request that is subject to a budget or limit when nobody can say what is "
    "used: it is refused with 503 (`closed`), or goes on (`open`).",
)
UNKNOWN_PRICE = Setting[UnknownPrice](
    name="BUDGET_UNKNOWN_PRICE",
    kind=choice(get_args(UnknownPrice)),
    default=_BUDGETS.unknown_price,
    summary="Whether a model without a known price may be used where a budget counts dollars. What it "
    "costs is counted nowhere.",
)
MAX_TOKENS = Setting(
    name="BUDGET_MAX_TOKENS",
    kind=integer(1, 10_000_000),
    default=_BUDGETS.max_tokens,
    summary="Tokens that are reserved for an answer to a request that does not limit it.",
)
KEY_BUDGETS = Setting(
    name="REDIS_KEY_BUDGETS",
    kind=TEXT,
    default=_BUDGETS.redis_prefix,
    summary="Begins the names of the keys in Redis in which workers share what is spent and reserved.",
)
REDIS_TIMEOUT = Setting(
    name="BUDGET_REDIS_TIMEOUT",
    kind=duration(0.001, 60),
    default=_BUDGETS.redis_timeout,
    summary="How long a request waits for Redis to reserve.",
)
GROUP = Group(
    "Budgets and limits",
    (ENABLED, ON_FAILURE, UNKNOWN_PRICE, MAX_TOKENS, KEY_BUDGETS, REDIS_TIMEOUT),
    "`SET_BUDGET_<PATH>` sets budgets of a user path, `__` for a slash (`SET_BUDGET_ACME__SALES` is "
    "`/acme/sales`, `SET_BUDGET_` is `/`): `daily=10,weekly=50` in dollars, or JSON. One that the admin "
    "API has set for the same path and period counts instead. docs/governance.md tells how they work.",
)


def config(settings: Settings) -> BudgetsConfig | None:
    """What budgets need; None if they are off."""
    if not settings[ENABLED]:
        return None
    return BudgetsConfig(
        seeds=settings.budgets,
        on_failure=settings[ON_FAILURE],
        unknown_price=settings[UNKNOWN_PRICE],
        max_tokens=settings[MAX_TOKENS],
        redis_url=settings[work.REDIS_URL],
        redis_prefix=settings[KEY_BUDGETS],
        redis_timeout=settings[REDIS_TIMEOUT],
        file=str(settings.data_dir / "accounts.json"),
    )


def seeds(environment: dict[str, str], problems: list[str]) -> tuple[Budget, ...]:
    """The budgets of `SET_BUDGET_…`, as GoModel writes them."""
    found: dict[str, Budget] = {}
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or not text.strip():
            continue
        segments = name.removeprefix(PREFIX).lower().split("__")
        path = "/" + "/".join(segment for segment in segments if segment)
        try:
            for period, amount in _amounts(text.strip()):
                budget = _budget(path, period, amount)
                found[budget.name] = budget
        except ValueError as error:
            problems.append(f"{name}: {error}; write daily=10,weekly=50")
    return tuple(found.values())


def _amounts(text: str) -> Iterator[tuple[object, object]]:
    if text[0] not in "[{":
        yield from _pairs(text)
        return
    try:
        given: Any = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
    if isinstance(given, dict):
        yield from given.items()
        return
    for entry in given:
        if not isinstance(entry, dict) or "amount" not in entry:
            raise ValueError("an entry needs `period` and `amount`")
        yield entry.get("period", entry.get("period_seconds")), entry["amount"]


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in text.replace(";", ",").replace("\n", ",").split(","):
        if part.strip():
            period, sign, amount = part.replace(":", "=").partition("=")
            if not sign:
                raise ValueError(f"no amount in {part.strip()!r}")
            yield period.strip(), amount.strip()


def _budget(path: str, period: object, amount: object) -> Budget:
    seconds = PERIODS.get(str(period).lower())
    try:
        seconds = seconds or int(str(period))
        dollars = float(str(amount))
    except ValueError as error:
        raise ValueError(f"{period!r} is no period, or {amount!r} no amount") from error
    if seconds < 1 or not 0 < dollars < 1e9:
        raise ValueError(f"period and amount must be positive: {period!r}, {amount!r}")
    return Budget(user_path=path, period_seconds=seconds, amount=nano(dollars), source="config")
