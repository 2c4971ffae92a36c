"""Token counts of Responses, both ways."""

import pytest
from msgspec import Raw

from providers.dialects.openai_responses.usage import parse_usage, usage_object
from schemas.usage import Usage
from tests.providers.dialects.openai_responses.support import raw


def test_all_counts() -> None:
    """Every count has its place; those without one keep their dotted names, prices are none."""
    found = parse_usage(
        raw(
            {
                "input_tokens": 10,
                "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3, "text": 2},
                "output_tokens": 6,
                "output_tokens_details": {"reasoning_tokens": 5},
                "total_tokens": 16,
                "cost": 0,
                "is_byok": False,
                "cost_details": {"upstream": 1},
            }
        )
    )
    assert found == Usage(10, 6, 4, 3, 5, {"input_tokens_details.text": 2}, reported_cost=0)


@pytest.mark.parametrize("value", [b"null", b"5", b"[]", b"{}", b"{"])
def test_no_counts(value: bytes) -> None:
    """What is no object of counts is none."""
    assert parse_usage(Raw(value)) is None


def test_counts_of_other_dialects() -> None:
    """Details of chat find their place; others keep their name, a total that differs wins."""
    usage = Usage(
        10,
        6,
        4,
        3,
        5,
        {
            "prompt_tokens_details.audio_tokens": 1,
            "completion_tokens_details.audio_tokens": 2,
            "server_tool_use.web_search_requests": 7,
            "total_tokens": 99,
        },
    )
    assert usage_object(usage) == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3, "audio_tokens": 1},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 2},
        "total_tokens": 99,
        "server_tool_use.web_search_requests": 7,
    }
    assert usage_object(None) is None
