"""Token counts under the names of several vendors."""

import msgspec
import pytest
from msgspec import Raw

from providers.dialects.openai_chat.usage import parse_usage
from schemas.usage import Usage


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, Usage(1, 2)),
        (  # a total that is not the sum says something
            {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 9},
            Usage(1, 2, details={"total_tokens": 9}),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 20,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 5, "deep": {"er": 6}},
            },
            Usage(
                10,
                20,
                4,
                reasoning_tokens=5,
                details={
                    "prompt_tokens_details.audio_tokens": 1,
                    "completion_tokens_details.deep.er": 6,
                },
            ),
        ),
        (
            {"prompt_tokens": 9, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 1},
            Usage(9, 0, 8, details={"prompt_cache_miss_tokens": 1}),
        ),
        ({"prompt_tokens": 9, "num_cached_tokens": 8}, Usage(9, 0, 8)),
        ({"prompt_tokens": 9, "cached_tokens": 8}, Usage(9, 0, 8)),
        (  # times, prices and flags
            {
                "prompt_tokens": 9,
                "queue_time": 0.5,
                "is_byok": False,
                "cost": 0,
                "cost_details": {"a": 0},
            },
            Usage(9, reported_cost=0),
        ),
        ({"prompt_tokens": 9, "prompt_tokens_details": None}, Usage(9)),
        (None, None),
        ({}, None),
        (7, None),
    ],
)
def test_parse(raw: object, usage: Usage | None) -> None:
    """Every integer count arrives, under our name or under its own."""
    assert parse_usage(Raw(msgspec.json.encode(raw))) == usage
