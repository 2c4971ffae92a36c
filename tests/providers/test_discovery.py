"""Lists of models as providers send them."""

import pytest

from providers.catalog import Listed
from providers.discovery import list_request, parse_list
from schemas.errors import UpstreamError
from tests.providers.support import ENDPOINT


def test_request() -> None:
    """The list is asked for with the instance's key."""
    request = list_request(ENDPOINT)
    assert (request.method, request.url, request.body) == ("GET", ENDPOINT.models_url, b"")
    assert request.headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("body", "models"),
    [
        (
            b'{"object":"list","data":[{"id":"b","created":5,"x":1},{"id":"a"},{"id":"b"}]}',
            [Listed("b", 0), Listed("a")],
        ),
        (b'[{"id":"a","created":1.7e9}]', [Listed("a", 1_700_000_000)]),
        (b'{"data":null}', []),
        (b'{"data":[{"id":"","created":null}]}', []),
    ],
)
def test_lists(body: bytes, models: list[Listed]) -> None:
    """The usual shape, a bare list, null for an empty one; each id once."""
    assert parse_list(body) == models


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data":[{"name":"x"}]}', b'"x"', b"\xff"])
def test_no_lists(body: bytes) -> None:
    """Anything else is the provider's failure."""
    with pytest.raises(UpstreamError):
        parse_list(body)
