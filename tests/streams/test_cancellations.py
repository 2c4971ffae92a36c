"""Who is cancelled, and who goes on."""

import pytest

from streams import cancellations
from streams.cancellations import Cancellations
from streams.delivery import Delivery, parse
from tests.streams.fakes import record

NAME = "/kafka/a"


def delivery(name: str = "a") -> Delivery:
    return parse(record(0, name))


@pytest.mark.parametrize(
    ("said", "finishes", "stops"),
    [
        ([], False, False),
        ([False], False, True),
        ([False], True, True),
        ([True], False, True),
        ([True], True, False),
        ([True, False], True, True),
        ([False, True], True, True),
    ],
    ids=["nothing", "asked", "asked anyway", "left", "goes on", "left, asked", "asked, left"],
)
def test_who_stops(said: list[bool], finishes: bool, stops: bool) -> None:
    """A request whose route finishes goes on without its client; it ends when somebody asks for that."""
    known = Cancellations()
    known.finishes = lambda request, envelope: finishes
    for left in said:
        known.note(NAME, left=left)

    assert known.stops(delivery()) == stops
    assert not known.stops(delivery("b"))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten first."""
    monkeypatch.setattr(cancellations, "REMEMBERED", 2)
    known = Cancellations()
    for name in (NAME, "b", "c"):
        known.note(name, left=False)

    assert not known.stops(delivery())
