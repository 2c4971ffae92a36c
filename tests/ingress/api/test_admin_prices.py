"""What is said of a price; tests/e2e/test_price_overrides.py sets some."""

import pytest

from ingress.api.admin_prices import _check, _view
from schemas.errors import InvalidRequest
from schemas.price_overrides import PriceOverride
from schemas.prices import Pricing, Tier

PRICE = PriceOverride(pricing=Pricing(per_request=1.0))


@pytest.mark.parametrize(
    ("selector", "scope", "provider", "model"),
    [
        ("/", "global", None, None),
        ("east/", "provider", "east", None),
        ("gpt-5", "model", None, "gpt-5"),
        ("groq/openai/gpt-oss", "provider_model", "groq", "openai/gpt-oss"),
    ],
    ids=["global", "provider", "model", "both"],
)
def test_whom_a_selector_means(
    selector: str, scope: str, provider: str | None, model: str | None
) -> None:
    """As GoModel tells it."""
    found = _view(selector, PRICE)
    assert found.scope_kind == scope
    assert (found.provider_name or None, found.model or None) == (provider, model)


@pytest.mark.parametrize(
    ("pricing", "where"),
    [
        (Pricing(), "pricing"),
        (Pricing(currency="EUR", per_request=1.0), "pricing.currency"),
        (Pricing(input_per_mtok=-1.0), "pricing.input_per_mtok"),
        (Pricing(input_per_mtok=float("inf")), "pricing.input_per_mtok"),
        (Pricing(tiers=(Tier(output_per_mtok=-1.0),)), "pricing.tiers.output_per_mtok"),
    ],
    ids=["nothing", "currency", "negative", "infinite", "tier"],
)
def test_prices_that_nobody_can_count_with(pricing: Pricing, where: str) -> None:
    """They are refused, and which rate it is is said."""
    with pytest.raises(InvalidRequest) as refused:
        _check(pricing)
    assert refused.value.param == where
    _check(Pricing(output_per_mtok=0.0))
