"""The cost of a usage, each by arithmetic that stands beside it."""

import pytest

from schemas.costs import Cost, nano, priced
from schemas.prices import Pricing, Tier
from schemas.usage import Usage

PLAIN = Pricing(input_per_mtok=2.5, output_per_mtok=10.0)  # 2500 and 10000 nano-dollars a token
PARTS = Pricing(
    input_per_mtok=3.0,
    output_per_mtok=15.0,
    cached_input_per_mtok=0.3,
    cache_write_per_mtok=3.75,
    reasoning_output_per_mtok=20.0,
    audio_input_per_mtok=100.0,
    audio_output_per_mtok=200.0,
)
TIERED = Pricing(
    input_per_mtok=1.25,
    output_per_mtok=10.0,
    cached_input_per_mtok=0.125,
    tiers=(
        Tier(0.2, 1.25, 10.0, 0.125),
        Tier(None, 2.5, 15.0, 0.25),
    ),
)
AUDIO_IN, AUDIO_OUT = "prompt_tokens_details.audio_tokens", "candidatesTokensDetails.AUDIO"
HOUR = "cache_creation.ephemeral_1h_input_tokens"


@pytest.mark.parametrize(
    ("usage", "pricing", "into", "out"),
    [
        (Usage(1000, 100), PLAIN, 1000 * 2500, 100 * 10_000),
        (Usage(0, 0), PLAIN, 0, 0),
        # Without a rate of their own parts cost what the whole does.
        (Usage(1000, 100, 400, 100, 50), PLAIN, 1000 * 2500, 100 * 10_000),
        (Usage(1000, 100, 400, 100), PARTS, 500 * 3000 + 400 * 300 + 100 * 3750, 100 * 15_000),
        (
            Usage(1000, 0, 0, 300, details={HOUR: 200}),
            PARTS,
            700 * 3000 + 100 * 3750 + 200 * 6000,
            0,
        ),
        (Usage(0, 100, reasoning_tokens=60), PARTS, 0, 40 * 15_000 + 60 * 20_000),
        (Usage(100, 0, details={AUDIO_IN: 30}), PARTS, 70 * 3000 + 30 * 100_000, 0),
        (Usage(0, 100, details={AUDIO_OUT: 10}), PARTS, 0, 90 * 15_000 + 10 * 200_000),
        # All of a long request goes by the higher tier.
        (Usage(200_000, 10, 1000), TIERED, 199_000 * 1250 + 1000 * 125, 10 * 10_000),
        (Usage(200_001, 10, 1000), TIERED, 199_001 * 2500 + 1000 * 250, 10 * 15_000),
        (Usage(5, 5), Pricing(input_per_mtok=0.0, output_per_mtok=0.0), 0, 0),
        (Usage(1, 0), Pricing(input_per_mtok=1.0, per_request=0.005), 1000, 5_000_000),
        # Half a nano-dollar goes to the even one: 37.5 and 112.5.
        (Usage(1, 0), Pricing(input_per_mtok=0.0375), 38, 0),
        (Usage(3, 0), Pricing(input_per_mtok=0.0375), 112, 0),
    ],
    ids=[
        *("plain", "nothing", "parts-as-whole", "cache", "hour", "reasoning", "audio-in"),
        *("audio-out", "tier-below", "tier-above", "free", "request", "half", "half-again"),
    ],
)
def test_tokens_by_their_rates(usage: Usage, pricing: Pricing, into: int, out: int) -> None:
    """Cached, written, thought, heard and spoken tokens by rates of their own where there are any."""
    assert priced(usage, pricing) == Cost(into + out, into, out)


@pytest.mark.parametrize(
    ("usage", "pricing"),
    [
        (Usage(1, 0), None),
        (Usage(1, 0), Pricing()),
        (Usage(1, 1), Pricing(input_per_mtok=1.0)),
        (Usage(1, 1), Pricing(currency="EUR", input_per_mtok=1.0, output_per_mtok=1.0)),
    ],
    ids=["no-prices", "no-rates", "no-output-rate", "no-dollars"],
)
def test_what_is_not_known_is_not_made_up(usage: Usage, pricing: Pricing | None) -> None:
    """A rate that is needed and missing makes the cost unknown, which is not free."""
    assert priced(usage, pricing) is None


def test_what_the_provider_says_comes_first() -> None:
    """Its own cost, with or without prices of ours."""
    usage = Usage(1000, 100, reported_cost=nano(0.00093))

    assert priced(usage, PLAIN) == priced(usage, None) == Cost(930_000, source="provider")


def test_an_estimate_says_so() -> None:
    """The cost of an estimated usage is marked."""
    assert priced(Usage(10, 0, estimated=True), PLAIN) == Cost(25_000, 25_000, estimated=True)


@pytest.mark.parametrize(
    ("dollars", "nanos"),
    [
        (0.1, 100_000_000),
        (1e-09, 1),
        (0.000000795, 795),
        (7.68e-05, 76_800),
        (1234567.89, 1_234_567_890_000_000),
    ],
)
def test_dollars_are_taken_as_they_are_written(dollars: float, nanos: int) -> None:
    """No binary fraction adds or takes a nano-dollar."""
    assert nano(dollars) == nanos
