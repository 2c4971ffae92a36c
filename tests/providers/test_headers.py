"""Headers of a request to a provider."""

import pytest
from msgspec.structs import replace

from providers.base import Endpoint
from providers.headers import upstream_headers
from schemas.requests import Request
from tests.providers.support import ENDPOINT


def made(endpoint: Endpoint = ENDPOINT, request_id: str = "r-1", **caller: str) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in caller.items()}
    request = Request(request_id=request_id, body=b"{}", http_headers=named)
    return upstream_headers(request, endpoint, stream=False)


def test_the_callers_own_win() -> None:
    """A version or beta that the caller names replaces the endpoint's, whatever its case."""
    endpoint = replace(ENDPOINT, headers={**ENDPOINT.headers, "X-Version": "1"})
    found = made(endpoint, x_version="2", x_beta="new")
    assert found["X-Version"] == "2"
    assert found["x-beta"] == "new"
    assert sum(name.lower() == "x-version" for name in found) == 1


@pytest.mark.parametrize(
    "name",
    ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "host", "content-length"],
)
def test_what_is_ours_alone(name: str) -> None:
    """No caller replaces the gateway's key or says where the body ends."""
    assert made(**{name: "theirs"}) == made()


def test_accept_says_whether_it_is_a_stream() -> None:
    """Some providers stream only to who accepts it."""
    request = Request(request_id="r", body=b"{}")
    assert upstream_headers(request, ENDPOINT, stream=True)["Accept"] == "text/event-stream"
    assert upstream_headers(request, ENDPOINT, stream=False)["Accept"] == "application/json"
