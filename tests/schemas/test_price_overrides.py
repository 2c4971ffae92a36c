"""Prices that an operator has set."""

from schemas.price_overrides import overridden, selectors
from schemas.prices import Pricing, Tier


def test_the_narrowest_selector_comes_first() -> None:
    """The model of the instance, of its vendor, of anybody; then all of the instance's, and all."""
    assert list(selectors("east", "openai", "gpt-5")) == [
        *("east/gpt-5", "openai/gpt-5", "gpt-5"),
        *("east/", "openai/", "/"),
    ]


def test_rates_that_are_not_set_stay() -> None:
    """Rate by rate; a model of which nothing is known costs what is set."""
    known = Pricing(input_per_mtok=1.0, output_per_mtok=2.0, cached_input_per_mtok=0.1)
    own = Pricing(output_per_mtok=0.0)
    assert overridden(known, own) == Pricing(
        input_per_mtok=1.0, output_per_mtok=0.0, cached_input_per_mtok=0.1
    )
    assert overridden(None, own) == own


def test_a_plain_rate_counts_for_any_length() -> None:
    """Known tiers would stand against it; one that sets tiers, or only other rates, has them."""
    tier = Tier(up_to_mtok=0.2, input_per_mtok=9.0)
    known = Pricing(input_per_mtok=1.0, tiers=(tier,))
    assert overridden(known, Pricing(input_per_mtok=3.0)).tiers == ()
    assert overridden(known, Pricing(per_request=3.0)).tiers == (tier,)
    own = Tier(input_per_mtok=4.0)
    assert overridden(known, Pricing(input_per_mtok=3.0, tiers=(own,))).tiers == (own,)
