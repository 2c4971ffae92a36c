"""The master key."""

import pytest
from sanic.compat import Header

from ingress.auth import Auth
from schemas.errors import Unauthorized

AUTH = Auth("sk-1")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer sk-1"},
        {"Authorization": "bearer sk-1"},
        {"authorization": "BEARER  sk-1 "},
        {"x-api-key": "sk-1"},
        {"X-API-Key": "sk-1", "authorization": ""},
        {"x-goog-api-key": "sk-1"},
        {"api-key": "sk-1"},
        {"authorization": "Bearer other", "x-api-key": "sk-1"},
        {"authorization": "Basic other", "x-api-key": "sk-1"},
    ],
)
def test_the_key_is_known_as_master(headers: dict[str, str]) -> None:
    """In any SDK's header, the scheme in any case; an SDK that sends two keys needs one that is valid."""
    assert AUTH.client(Header(headers)) == "master"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer sk-2"},
        {"authorization": "Bearer sk-1x"},
        {"authorization": "sk-1"},
        {"authorization": "Basic sk-1"},
        {"x-api-key": ""},
        {"x-api-key": "\udcff"},
        {"authorization": "Bearer wrong", "x-api-key": "sk-2"},
    ],
)
def test_anything_else_is_refused(headers: dict[str, str]) -> None:
    """A missing, wrong or unreadable key."""
    with pytest.raises(Unauthorized):
        AUTH.client(Header(headers))


def test_a_key_in_the_query() -> None:
    """As Google's API takes it; a wrong one is refused."""
    assert AUTH.client(Header({}), "alt=sse&key=sk-1") == "master"
    with pytest.raises(Unauthorized):
        AUTH.client(Header({}), "key=sk-2")


def test_without_a_key_the_gateway_is_open() -> None:
    """Nobody is asked, and nobody has a name."""
    assert Auth(None).open
    assert Auth(None).client(Header({"authorization": "Bearer anything"})) is None
