"""What answers say of limits."""

import pytest

from streams.budgets.base import Demand, Standing
from streams.budgets.book import Demanded, Unit, What
from streams.budgets.rate_headers import merged, rate_headers

NOW = 1_000_000.0


def demanded(
    name: str, unit: Unit, limit: int | None, seconds: int = 60, ends: float = 30.2
) -> Demanded:
    what: What = "budget" if unit == "usd" else unit
    return Demanded(Demand("a", 1, limit, 0.0), what, unit, name, "", seconds, NOW + ends)


def test_openais_headers_tell_of_the_limit_with_the_least_left() -> None:
    """Requests and tokens each of their own; dollars and requests at once are none of its."""
    asked = [
        demanded("all requests", "requests", 1000),
        demanded("mine requests", "requests", 20, ends=3661),
        demanded("mine tokens", "tokens", 5000, ends=359.5),
        demanded("mine concurrency", "concurrency", 2, 0),
        demanded("/ daily usd", "usd", 7_000_000),
    ]
    found = rate_headers(asked, Standing((100, 5, 5001, 1, 1_999_001)), NOW)
    assert {name: value for name, value in found.items() if name.startswith("x-")} == {
        "x-ratelimit-limit-requests": "20",
        "x-ratelimit-remaining-requests": "15",
        "x-ratelimit-reset-requests": "1h1m1s",
        "x-ratelimit-limit-tokens": "5000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6m0s",
    }


def test_the_drafts_headers_tell_of_all() -> None:
    """As structured fields: what a limit is, and what is left of it; names may have any characters."""
    asked = [
        demanded('a"b\\é requests', "requests", 20),
        demanded("mine concurrency", "concurrency", 2, 0),
        demanded("/ daily usd", "usd", 7_000_000, 86_400),
        demanded("soft", "tokens", None),
    ]
    found = rate_headers(asked, Standing((5, 2, 1_999_001, 0)), NOW)
    assert found["ratelimit-policy"] == (
        '"a\\"b\\\\? requests";q=20;w=60;qu="requests", '
        '"mine concurrency";q=2;qu="concurrent-requests", '
        '"/ daily usd";q=7000;w=86400;qu="micro-usd"'
    )
    assert found["ratelimit"] == (
        '"a\\"b\\\\? requests";r=15;t=31, "mine concurrency";r=0, "/ daily usd";r=5000;t=31'
    )


def test_what_is_only_counted_is_not_told() -> None:
    """A soft budget refuses nobody."""
    assert rate_headers([demanded("soft", "tokens", None)], Standing((0,)), NOW) == {}


@pytest.mark.parametrize("name", ["x-ratelimit-limit-tokens", "ratelimit", "ratelimit-policy"])
def test_a_providers_own_are_replaced(name: str) -> None:
    """They speak of its account with us; what else it says stays."""
    given = {name: "9", "openai-version": "1"}
    assert merged(given, {"ratelimit": "ours"}) == {"openai-version": "1", "ratelimit": "ours"}
