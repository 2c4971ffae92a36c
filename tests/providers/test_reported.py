"""Costs that providers report, as they stand in their usage."""

import pytest
from msgspec import Raw

from providers.dialects.openai_chat.usage import parse_usage as chat
from providers.dialects.openai_responses.usage import parse_usage as responses


@pytest.mark.parametrize(
    ("said", "nanos"),
    [
        ('"cost": 0.00093', 930_000),
        ('"cost": 0', 0),
        (
            '"cost": 0.0005, "is_byok": true, "cost_details": {"upstream_inference_cost": 0.01}',
            10_500_000,
        ),
        (
            '"cost": 0.01, "is_byok": false, "cost_details": {"upstream_inference_cost": 0.01}',
            10_000_000,
        ),
        (
            '"cost": 0.01, "is_byok": true, "cost_details": {"upstream_inference_cost": null}',
            10_000_000,
        ),
        ('"cost": {"input_tokens_cost": 0.001, "total_cost": 0.006}', 6_000_000),
        ('"cost_in_usd_ticks": 37756000', 3_775_600),
        ('"cost": null', None),
        ('"cost": true', None),
        ('"cost": -1.5', None),
        ('"cost": "0.1"', None),
        ('"total_tokens": 3', None),
    ],
    ids=[
        *("dollars", "free", "own-key", "no-own-key", "own-key-unsaid", "parts", "ticks"),
        *("null", "flag", "negative", "text", "nothing"),
    ],
)
def test_what_is_said_of_the_cost(said: str, nanos: int | None) -> None:
    """Nano-dollars, in both of OpenAI's dialects; what is no price is none."""
    for parse, names in ((chat, ("prompt", "completion")), (responses, ("input", "output"))):
        body = f'{{"{names[0]}_tokens": 1, "{names[1]}_tokens": 2, {said}}}'
        usage = parse(Raw(body.encode()))
        assert usage is not None
        assert usage.reported_cost == nanos
        assert (usage.input_tokens, usage.output_tokens) == (1, 2)
