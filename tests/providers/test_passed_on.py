"""Response headers that reach the caller."""

import pytest

from providers.passed_on import passed_on, retry_after


def test_allow_list() -> None:
    """Limits, times and ids of the provider are passed on; everything else stays inside."""
    given = {
        "Retry-After": "3",
        "X-RateLimit-Remaining-Tokens": "9",
        "OpenAI-Processing-Ms": "12",
        "X-Request-Id": "req_1",
        "Set-Cookie": "a=b",
        "Content-Length": "3",
        "Transfer-Encoding": "chunked",
        "Server": "x",
        "Authorization": "x",
    }
    assert passed_on(given) == {
        "retry-after": "3",
        "x-ratelimit-remaining-tokens": "9",
        "openai-processing-ms": "12",
        "x-upstream-request-id": "req_1",
    }


@pytest.mark.parametrize("value", ["a\r\nb: c", "ä", "x" * 513])
def test_values_that_no_header_takes(value: str) -> None:
    """A value that could break our own answer is left out."""
    assert passed_on({"retry-after": value}) == {}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.2"}, 2),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 2),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: int | None) -> None:
    """Seconds, rounded up; a date is not read, since adapters have no clock."""
    assert retry_after(headers) == seconds
