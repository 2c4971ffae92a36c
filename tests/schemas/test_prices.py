"""Metadata and prices of models."""

import msgspec
import pytest

from schemas.prices import Metadata, Pricing, Tier, cost, merged

TIERED = Pricing(
    input_per_mtok=1.0,
    output_per_mtok=4.0,
    tiers=(
        Tier(up_to_mtok=0.2, input_per_mtok=1.0, output_per_mtok=4.0),
        Tier(input_per_mtok=2.0, output_per_mtok=6.0),
    ),
)


@pytest.mark.parametrize(
    ("pricing", "tokens", "dollars"),
    [
        (Pricing(input_per_mtok=2.0, output_per_mtok=10.0), (1000, 100), 0.003),
        (Pricing(input_per_mtok=2.0), (1000, 0), 0.002),
        (Pricing(input_per_mtok=2.0), (1000, 1), None),
        (Pricing(output_per_mtok=2.0), (1, 1), None),
        (Pricing(), (0, 0), 0.0),
        (Pricing(input_per_mtok=0.0, output_per_mtok=0.0), (5, 5), 0.0),
        (Pricing(input_per_mtok=1.0, output_per_mtok=1.0, per_request=0.5), (0, 0), 0.5),
        (TIERED, (200_000, 1000), 0.204),
        (TIERED, (200_001, 1000), 0.406002),
    ],
)
def test_cost(pricing: Pricing, tokens: tuple[int, int], dollars: float | None) -> None:
    """Tokens by their rates; a rate that is needed and not known makes the cost unknown, 0 is free.
    The rates of a tier hold for all tokens."""
    found = cost(pricing, *tokens)
    assert found == (None if dollars is None else pytest.approx(dollars))


def test_merged() -> None:
    """What is said above counts, field by field, also inside the prices; silence changes nothing."""
    under = Metadata(
        display_name="u",
        context_window=1,
        capabilities={"tools": True},
        pricing=Pricing(currency="USD", input_per_mtok=1.0),
    )
    over = Metadata(context_window=2, pricing=Pricing(output_per_mtok=3.0))
    assert merged(under, over) == Metadata(
        display_name="u",
        context_window=2,
        capabilities={"tools": True},
        pricing=Pricing(currency="USD", input_per_mtok=1.0, output_per_mtok=3.0),
    )
    assert merged(under, Metadata()) is under
    assert merged(Metadata(), under) == under


def test_what_is_unknown_is_not_written() -> None:
    """Fields that say nothing are not in the JSON; free is not unknown."""
    metadata = Metadata(context_window=8, pricing=Pricing(currency="USD", input_per_mtok=0.0))
    assert msgspec.json.decode(msgspec.json.encode(metadata)) == {
        "context_window": 8,
        "pricing": {"currency": "USD", "input_per_mtok": 0.0},
    }
