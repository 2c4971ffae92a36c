"""Requests and targets as data."""

from providers.base import UpstreamRequest
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
