"""Exchanges as documents."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.exchange import Exchange, Timings, decode, encode
from sinks.document import Document, document, to_builtins, to_json, with_text_bodies
from tests.sinks.samples import exchange


def view(found: Exchange) -> Document:
    return document(found, bodies=True, body_limit=1000)


def test_the_fields_are_those_of_the_exchange() -> None:
    """The document keeps schemas.exchange's names; only the id is called `_id`. What is kept to be
    fetched is an answer beside it: analysts are not told."""
    assert set(Document.__struct_fields__) == set(Exchange.__struct_fields__) - {"keep"}
    assert Document.__struct_encode_fields__[0] == "_id"


def test_an_exchange_that_went_through_the_log_is_the_same() -> None:
    """Encoding and decoding on the way changes nothing of the document."""
    assert to_json(view(decode(encode(exchange())))) == to_json(view(exchange()))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000001Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z"),
        ("2026-01-01T01:30:00.5+01:30", "2026-01-01T00:00:00.500000Z"),
    ],
)
def test_times_have_one_form(given: str, expected: str) -> None:
    """However a time was written, it is stored in the form that sorts as text."""
    found = view(exchange(created_at=given))

    assert found.created_at == expected
    assert to_builtins(found)["created_at"] == datetime.fromisoformat(expected).astimezone(UTC)


@pytest.mark.parametrize(
    "given", ["", "yesterday", "2026-01-01T00:00:00", "2026-13-01T00:00:00.000000Z"]
)
def test_what_is_no_time_is_an_error(given: str) -> None:
    """A record with a time that is none is found here, before any store sees it."""
    with pytest.raises(ValueError):  # noqa: PT011  # of three functions, in their words
        view(exchange(finished_at=given))


def test_unknown_timings_are_left_out() -> None:
    """Averages do not count what did not happen: no call, no duration of one."""
    fields = to_builtins(view(exchange(timings=Timings(total=0.1))))

    assert fields["timings"] == {"total": 0.1, "queued": 0.0}


def test_text_bodies_for_a_store_that_cannot_hold_the_json() -> None:
    """Both bodies become text; all else stays."""
    before = view(exchange())
    fields = to_builtins(with_text_bodies(before, 10))

    assert fields["request"]["format"] == fields["response"]["format"] == "text"
    assert fields["request"]["truncated"] is True
    assert fields["request"]["bytes"] == before.request.bytes
    assert fields["usage"] == to_builtins(before)["usage"]
