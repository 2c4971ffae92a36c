"""Requests and targets as data."""

import pytest

from providers.base import Route, UpstreamRequest
from schemas.errors import InvalidRequest
from tests.providers.support import ENDPOINT, TARGET


def test_text_forms_hold_no_key() -> None:
    """What ends up in a log or a traceback names the route and not the key."""
    request = UpstreamRequest("POST", "http://h/v1", {"Authorization": "Bearer secret"}, b"12345")
    for value in (ENDPOINT, TARGET, request):
        assert "secret" not in f"{value} {value!r} {[value]}"
    assert repr(request) == "UpstreamRequest(POST http://h/v1, 5 bytes)"
    assert "east" in repr(TARGET)


def test_target() -> None:
    """A target is a model at an instance."""
    assert (TARGET.instance, TARGET.model) == ("east", "gpt-4o")


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("m-1", "http://h/m-1/chat"),
        ("publishers/google/m@1:tuned", "http://h/publishers/google/m@1:tuned/chat"),
        ("m?key=x#y z%2e", "http://h/m%3Fkey%3Dx%23y%20z%252e/chat"),
    ],
)
def test_a_model_in_an_address(model: str, url: str) -> None:
    """It is a part of the path, whatever is in it; streams may have an address of their own."""
    route = Route("http://h/{model}/chat", "http://h/{model}/stream")
    assert route.address(model, stream=False) == url
    assert route.address(model, stream=True) == url.removesuffix("chat") + "stream"
    assert Route("http://h/chat").address(model, stream=True) == "http://h/chat"


@pytest.mark.parametrize("model", ["../../v1/files", "a/./b", "a//b", "..", ""])
def test_a_model_leads_nowhere_else(model: str) -> None:
    """The gateway's key must not reach other paths of the provider."""
    with pytest.raises(InvalidRequest):
        Route("http://h/{model}/chat").address(model, stream=False)
