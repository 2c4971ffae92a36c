"""Errors inside of a 200."""

import msgspec
import pytest

from providers.dialects.openai_responses.failures import failure
from schemas.errors import GatewayError, InvalidRequest, RateLimited, UpstreamError


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        ("server_error", UpstreamError, 502),
        ("vector_store_timeout", UpstreamError, 502),
        ("rate_limit_exceeded", RateLimited, 429),
        ("invalid_prompt", InvalidRequest, 400),
        ("image_too_large", InvalidRequest, 400),
        ("new_code", UpstreamError, 502),
        (None, UpstreamError, 502),
    ],
)
def test_classes(code: str | None, kind: type[GatewayError], status: int) -> None:
    """An error is what its code says; a code that we do not know is the provider's failure."""
    body = msgspec.json.encode({"error": {"code": code, "message": "why", "param": "p"}})
    error, found = failure(body)

    assert type(error) is kind
    assert (found, error.message, error.param) == (status, "why", "p")
