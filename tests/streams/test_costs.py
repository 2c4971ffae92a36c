"""The cost of a request with all its calls."""

import pytest

from schemas.costs import Cost
from schemas.exchange import Attempt, Cached
from schemas.prices import Pricing
from schemas.requests import Operation, Request
from schemas.usage import Usage
from streams.costs import cost_of, usage_of, with_savings

AT = "2026-01-01T00:00:00Z"
PRICES = {"east": Pricing(input_per_mtok=1.0, output_per_mtok=2.0)}
BODY = b'{"messages": [{"content": "xxxxxxxx"}]}'
ANSWER = b'{"content": "yyyyyyyy"}'


def prices(instance: str, model: str) -> Pricing | None:
    return PRICES.get(instance)


def attempt(
    usage: Usage | None = None, instance: str = "east", status: int | None = 200
) -> Attempt:
    return Attempt(instance, "m", AT, 1.0, status, usage=usage)


def test_calls_that_failed_are_paid_too() -> None:
    """What an attempt used before it failed is in the total, once; the last one's is the request's own."""
    own = Usage(10, 10)
    cost = cost_of(own, [attempt(Usage(5, 5)), attempt()], "east", "m", prices)
    assert cost == Cost(45_000, 10_000, 20_000, 15_000)
    assert cost_of(own, [attempt(own)], "east", "m", prices) == Cost(30_000, 10_000, 20_000)


def test_without_a_call_nothing_is_paid() -> None:
    """A kept answer, a refusal: 0, and what was saved stands beside it."""
    assert cost_of(None, [], "west", "m", prices) == Cost(0)
    saved = with_savings(Cached("exact", saved=Usage(10, 10)), "east", "m", prices)
    assert saved is not None
    assert saved.saved_cost == 30_000
    unknown = Cached("exact", saved=Usage(10, 10))
    assert with_savings(unknown, "west", "m", prices) == unknown
    assert with_savings(None, "east", "m", prices) is None


def test_an_unknown_price_makes_the_cost_unknown() -> None:
    """Of the answer or of an attempt; a call that used nothing costs nothing anywhere."""
    assert cost_of(Usage(1, 1), [attempt()], "west", "m", prices) is None
    assert (
        cost_of(Usage(1, 1), [attempt(Usage(2, 2), "west"), attempt()], "east", "m", prices) is None
    )
    assert cost_of(None, [attempt(None, "west", 500)], "west", "m", prices) == Cost(0)


@pytest.mark.parametrize(
    ("operation", "told", "attempts", "usage"),
    [
        ("chat", None, [attempt()], Usage(2, 2, estimated=True)),
        ("chat", Usage(7, 7), [attempt()], Usage(7, 7)),
        ("chat", None, [], None),
        ("chat", None, [attempt(status=500)], None),
        ("chat", None, [attempt(status=None)], None),
        ("files", None, [attempt()], None),
        ("count_tokens", None, [attempt()], None),
    ],
    ids=["unsaid", "said", "no-call", "failed", "unreached", "files", "counting"],
)
def test_usage_that_nobody_told_is_estimated(
    operation: Operation, told: Usage | None, attempts: list[Attempt], usage: Usage | None
) -> None:
    """Where a provider began to answer and did not say; nothing is made up of calls that were refused."""
    request = Request(request_id="r", body=BODY, operation=operation)

    assert usage_of(request, told, attempts, ANSWER) == usage
