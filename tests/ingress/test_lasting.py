"""How long a request outlives its connection, as its headers say."""

import pytest
from sanic.compat import Header

from ingress.lasting import ON_DISCONNECT, Lasting, OnDisconnect, how_long, respond_async
from schemas.errors import InvalidRequest


def asked(*headers: tuple[str, str], default: OnDisconnect = "cancel") -> Lasting:
    return how_long(Header(headers), default)


@pytest.mark.parametrize("default", ON_DISCONNECT)
def test_without_headers_the_setting_holds(default: OnDisconnect) -> None:
    """And the same object is used for all."""
    found = asked(("accept", "*/*"), default=default)

    assert found == Lasting(default)
    assert found is asked(default=default)


@pytest.mark.parametrize(
    ("prefer", "wait"),
    [
        ("respond-async", 0.0),
        ("Respond-Async", 0.0),
        ("respond-async, wait=10", 10.0),
        ("wait=10, respond-async", 10.0),
        ('respond-async, wait="7"', 7.0),
        ("respond-async; a=b; c, wait = 3", 3.0),
        ("respond-async, wait=5, wait=9", 5.0),
        ("respond-async, wait=soon", 0.0),
        ("respond-async, wait=-1", 0.0),
        ("respond-async, wait=9999999", 0.0),
        ("wait=10", None),
        ("return=minimal, handling=lenient", None),
        ('x="respond-async"', None),
        ("", None),
    ],
)
def test_prefer(prefer: str, wait: float | None) -> None:
    """As RFC 7240 has it: unknown preferences and values are passed over, the first of a name counts."""
    assert respond_async(prefer) == wait
    assert asked(("prefer", prefer)).wait == wait


def test_several_lines_are_one() -> None:
    """A header that stands twice is a list."""
    assert asked(("prefer", "wait=4"), ("prefer", "respond-async")).wait == 4.0


@pytest.mark.parametrize(
    ("headers", "keep", "outlives"),
    [
        ((), False, False),
        ((("prefer", "respond-async"),), True, True),
        ((("sluice-event-ids", "1"),), True, False),
        ((("sluice-event-ids", "0"),), False, False),
        ((("sluice-on-disconnect", "finish"),), False, True),
        ((("sluice-on-disconnect", "background"),), True, True),
        ((("sluice-on-disconnect", "cancel"),), False, False),
    ],
)
def test_what_follows(headers: tuple[tuple[str, str], ...], keep: bool, outlives: bool) -> None:
    """Whether the answer can be fetched, and whether the request goes on without its connection."""
    found = asked(*headers)

    assert (found.keep, found.outlives) == (keep, outlives)


def test_a_request_may_say_other_than_the_setting() -> None:
    """In both directions."""
    assert asked(("sluice-on-disconnect", "cancel"), default="finish").outlives is False
    assert asked(("sluice-event-ids", "1"), default="finish").outlives is True


@pytest.mark.parametrize(
    "header", [("sluice-event-ids", "yes"), ("sluice-on-disconnect", "Cancel")]
)
def test_what_is_not_understood_is_refused(header: tuple[str, str]) -> None:
    """Headers of ours have no values that are passed over."""
    with pytest.raises(InvalidRequest, match=header[0]):
        asked(header)
