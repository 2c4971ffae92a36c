"""What is spent of a budget, from the sums of a store."""

from msgspec import Raw

from ingress.spending import spent
from schemas.analytics import Counts, Group, Page, Sums, Wanted, Where
from schemas.budgets import Budget
from schemas.costs import NANO

HOUR = 3600.0


class Store:
    """Says the same of everything, and remembers what it was asked."""

    def __init__(self, *counts: Counts) -> None:
        self._groups = [Group((), each) for each in counts]
        self.asked: list[Sums] = []

    async def sums(self, asked: Sums) -> list[Group]:
        self.asked.append(asked)
        return self._groups

    async def page(self, wanted: Wanted) -> Page:
        return Page([], 0)

    async def one(self, request_id: str) -> Raw | None:
        return None

    async def close(self) -> None:
        return


async def test_dollars_and_tokens() -> None:
    """What remains is told in dollars, and how much is used by the amount that is used up first."""
    store = Store(Counts(requests=3, input_tokens=60, output_tokens=30, total_cost=NANO // 4))
    budget = Budget(user_path="/a", period_seconds=86_400, amount=NANO, tokens=100)

    found = await spent(store, budget, 24 * HOUR, 30.5 * HOUR)

    assert (found["spent"], found["remaining"], found["spent_tokens"]) == (0.25, 0.75, 90)
    assert (found["usage_ratio"], found["has_usage"], found["spent_is_exact"]) == (0.9, True, True)
    assert store.asked[0].where == Where(user_path="/a", hits=False)
    assert (store.asked[0].since, store.asked[0].until) == (
        "1970-01-02T00:00:00.000000Z",
        "1970-01-02T07:00:00.000000Z",
    )


async def test_a_budget_that_was_begun_again() -> None:
    """What was used before does not count; within the hour of the reset the sums cannot tell."""
    store = Store()
    budget = Budget(
        user_path="/",
        period_seconds=86_400,
        tokens=10,
        last_reset_at="1970-01-02T05:20:00.000000Z",
    )

    found = await spent(store, budget, 24 * HOUR, 30.5 * HOUR)

    assert store.asked[0].since == "1970-01-02T05:00:00.000000Z"
    assert (found["spent_is_exact"], found["usage_ratio"], found["remaining"]) == (False, 0.0, None)
