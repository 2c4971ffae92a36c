"""Which budgets and limits a request is subject to, and where an exchange is charged."""

from typing import Any

import msgspec

from schemas.budgets import ANCHORS, BUDGETS, DAILY, HOURLY, LIMITS, Anchors, Budget, Limit
from schemas.clock import rfc3339
from schemas.objects import Objects, record
from streams.budgets.book import Asked, Book, message, retry_after

NOW = 1_900_000_000.0 // 86_400 * 86_400 + 5000  # of a day
ASKED = Asked("/a/b", "key-1", "gpt-5", 300, 40)


def book(*found: Budget | Limit | Anchors, seeds: tuple[Budget, ...] = ()) -> Book:
    objects = Objects((BUDGETS, LIMITS, ANCHORS))
    for each in found:
        kind: Any = {Budget: BUDGETS, Limit: LIMITS, Anchors: ANCHORS}[type(each)]
        name = "default" if isinstance(each, Anchors) else each.name
        key, value, _ = record(kind, name, each, 1, 0)
        objects.take(key, value, {})
    return Book(seeds, objects)


def budget(path: str, period: int = DAILY, **fields: Any) -> Budget:
    return Budget(user_path=path, period_seconds=period, **({"amount": 1000} | fields))


def shown(found: Book, asked: Asked = ASKED) -> list[tuple[str, int, int | None]]:
    return [
        (each.said.removeprefix("budget exceeded for "), each.demand.amount, each.demand.limit)
        for each in found.demands(asked, NOW)
    ]


def test_budgets_of_a_path_and_of_all_above_it_apply() -> None:
    """Dollars and tokens of each; those of other paths do not."""
    found = book(
        budget("/"),
        budget("/a", HOURLY, amount=None, tokens=50),
        budget("/a/b", 7200, amount=5, tokens=7, hard=False),
        budget("/a/bc"),
        budget("/a/b/c"),
    )
    assert shown(found) == [
        ("/ daily limit", 300, 1000),
        ("/a hourly limit", 40, 50),
        ("/a/b 7200s limit", 300, None),
        ("/a/b 7200s limit", 40, None),
    ]
    assert len(book()) == 0


def test_what_the_admin_api_sets_counts_before_the_settings() -> None:
    """For the same path and period; seeds of others stay."""
    seeds = (budget("/a", amount=1, source="config"), budget("/", amount=2, source="config"))
    found = book(budget("/a", amount=9), seeds=seeds)
    assert [limit for _, _, limit in shown(found)] == [2, 9]


def test_what_is_reserved_and_what_is_charged_is_one_account() -> None:
    """In the same period; what was used before it, or before a reset, is charged nowhere."""
    found = book(budget("/a"))
    (demanded,) = found.demands(ASKED, NOW)
    (charge,) = found.charges(ASKED, NOW + 10, NOW + 10)
    assert charge[:2] == (demanded.demand.account, 300)
    assert found.charges(ASKED, NOW - 86_400, NOW) == []
    again = book(budget("/a", last_reset_at=rfc3339(NOW - 100)))
    (after,) = again.demands(ASKED, NOW)
    assert after.demand.account != demanded.demand.account
    assert again.charges(ASKED, NOW - 101, NOW) == []
    assert again.charges(msgspec.structs.replace(ASKED, cost=None, tokens=0), NOW, NOW) == []


def test_limits_by_key_path_and_model() -> None:
    """All that a limit names must fit; with `each` every key has its own."""
    found = book(
        Limit(name="all", requests=10, tokens=20, concurrency=3),
        Limit(name="key", key="key-1", requests=1),
        Limit(name="other", key="key-2", requests=1),
        Limit(name="model", model="gpt-*", requests=2, user_path="/a"),
        Limit(name="elsewhere", user_path="/b", requests=2),
        Limit(name="each", requests=5, each=True),
    )
    demanded = found.demands(ASKED, NOW)
    assert [(each.what, each.demand.limit, each.demand.hold) for each in demanded] == [
        ("requests", 10, False),
        ("tokens", 20, True),
        ("concurrency", 3, True),
        ("requests", 1, False),
        ("requests", 2, False),
        ("requests", 5, False),
    ]
    another = msgspec.structs.replace(ASKED, client="key-3")
    ours, theirs = (found.demands(each, NOW)[-1].demand.account for each in (ASKED, another))
    assert ours != theirs
    (charge,) = found.charges(ASKED, NOW, NOW)
    assert charge[:2] == (demanded[1].demand.account, 40)


def test_a_sliding_window_weighs_the_one_before() -> None:
    """A quarter into a minute three quarters of the last one count."""
    found = book(Limit(name="m", requests=10))
    begin = NOW // 60 * 60
    (early,) = found.demands(ASKED, begin + 15)
    (late,) = found.demands(ASKED, begin + 75)
    assert early.demand.weight == 750
    assert late.demand.previous == early.demand.account


def test_what_is_told() -> None:
    """GoModel's words for dollars, and the seconds to the end of the period."""
    (money,) = book(budget("/a", amount=1_000_000_000)).demands(ASKED, NOW)
    (pieces,) = book(budget("/a", amount=None, tokens=50)).demands(ASKED, NOW)
    assert (
        message(money, 1_234_567_000)
        == "budget exceeded for /a daily limit: spent 1.234567 of 1.000000"
    )
    assert message(pieces, 49) == "budget exceeded for /a daily limit: used 49 of 50"
    assert retry_after(money, 1_234_567_000, NOW) == 86_400 - 5000


def test_when_a_window_that_slides_has_room_again() -> None:
    """Not when the next one begins, where all of this one still counts, but when enough of it has left."""
    (rate,) = book(Limit(name="m", requests=20)).demands(ASKED, NOW)
    left = rate.ends - NOW
    assert retry_after(rate, 20, NOW) == left + 3  # one of twenty leaves every three seconds
    assert retry_after(rate, 19, NOW) == left  # there is room
    (never,) = book(Limit(name="m", tokens=10)).demands(ASKED, NOW)
    assert retry_after(never, 5, NOW) == left  # it wants more than the limit


def test_a_workflow_without_budgets_is_charged_to_none() -> None:
    """Limits hold all the same, before the call and after it."""
    found = book(budget("/a"), Limit(name="l", tokens=100))
    asked = Asked("/a/b", "key-1", "gpt-5", 300, 40, budgeted=False)

    assert {each.what for each in found.demands(ASKED, NOW)} == {"budget", "tokens"}
    assert {each.what for each in found.demands(asked, NOW)} == {"tokens"}
    assert len(found.charges(ASKED, NOW, NOW)) == 2
    assert [each[0].startswith("limit l") for each in found.charges(asked, NOW, NOW)] == [True]
