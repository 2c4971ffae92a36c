"""Whole Responses of a provider."""

from typing import Any

import msgspec
import pytest

from providers.canonical.answer import Finish
from providers.canonical.request import Reasoning, Text
from schemas.errors import GatewayError, InvalidRequest, RateLimited, StreamTruncated, UpstreamError
from tests.providers.dialects.openai_responses.support import UPSTREAM, raw

BODY: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 5.5,
    "model": "gpt-5",
    "status": "completed",
    "service_tier": "default",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": None},
        {
            "type": "message",
            "content": [
                {"type": "output_text", "text": "hi", "logprobs": [{"token": "hi", "logprob": 0}]}
            ],
        },
    ],
    "usage": {"input_tokens": 5, "output_tokens": 2},
}


def test_answer() -> None:
    """Everything that the middle knows of an answer is read."""
    found = UPSTREAM.answer(msgspec.json.encode(BODY))

    assert (found.id, found.model, found.created, found.service_tier) == (
        "resp_1",
        "gpt-5",
        5,
        "default",
    )
    (choice,) = found.choices
    assert choice.parts == (Reasoning("", id="rs_1"), Text("hi"))
    assert choice.finish == Finish("stop", "completed")
    assert choice.logprobs == raw({"content": [{"token": "hi", "logprob": 0}]})


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        (
            {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": ""}},
            RateLimited,
        ),
        ({"status": "failed", "error": {"code": "invalid_image_url"}}, InvalidRequest),
        ({"error": {"code": 400, "message": "no"}}, InvalidRequest),
        ({"status": "in_progress"}, UpstreamError),
        ({"output": 5}, UpstreamError),
        ({"output": [5]}, UpstreamError),
    ],
)
def test_no_answer(changes: dict[str, Any], kind: type[GatewayError]) -> None:
    """A failed Response, one that is not finished and one that cannot be read are errors."""
    with pytest.raises(kind):
        UPSTREAM.answer(msgspec.json.encode({**BODY, **changes}))


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_cut(cut: int) -> None:
    """A body that ends early was cut."""
    with pytest.raises(StreamTruncated):
        UPSTREAM.answer(msgspec.json.encode(BODY)[:cut])


@pytest.mark.parametrize("body", [b"<html>", b'{"id":"\xff"}'])
def test_not_json(body: bytes) -> None:
    """What is no JSON is the provider's failure."""
    with pytest.raises(UpstreamError):
        UPSTREAM.answer(body)
