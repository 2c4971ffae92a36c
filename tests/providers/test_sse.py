"""Cutting bodies into events."""

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from providers.sse import MAX_EVENT, Events, EventTooLarge, payload, terminated

EVENTS = [
    "data: one\n\n",
    ": a comment\n\n",
    "event: x\r\ndata: zwei ü€😀\r\n\r\n",
    "data: a\rdata: b\r\r",
    "id: 1\ndata:no space\r\n\n",
    "\n",
    "data\n\n",
]
# No times are asserted: the machine may be busy.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LINES = ["", "", "data: a", "data:€", "data", ": data: c", "id: 1", "event: x"]
ENDS = ["\n", "\r\n", "\r"]


def cut(body: bytes, pieces: list[bytes]) -> list[bytes]:
    events = Events()
    found = [event for piece in pieces for event in events.feed(piece)]
    assert b"".join(found) + events.rest() == body
    return found


def data_of(events: list[bytes]) -> list[bytes]:
    return [data for event in events if (data := payload(event))]


def test_every_cut_in_two() -> None:
    """Wherever a body is cut, the events hold the same data and the same bytes."""
    body = "".join(EVENTS).encode()
    expected = ["one", "zwei ü€😀", "a\nb", "no space"]
    for at in range(len(body) + 1):
        found = cut(body, [body[:at], body[at:]])
        assert [data.decode() for data in data_of(found)] == expected


def test_byte_by_byte() -> None:
    """An event is handed on with the byte that ends it, not later."""
    events = Events()
    assert [events.feed(bytes([byte])) for byte in b"data: a\n"] == [[]] * 8
    assert events.feed(b"\n") == [b"data: a\n\n"]


@UNHURRIED
@given(
    st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(ENDS)), max_size=30),
    st.lists(st.integers(0, 300), max_size=8),
)
def test_any_lines_any_cuts(lines: list[tuple[str, str]], cuts: list[int]) -> None:
    """For any lines, line ends and cuts: no byte changes, and the data are those of the whole body."""
    body = "".join(text + end for text, end in lines).encode()
    places = sorted({0, *(min(at, len(body)) for at in cuts), len(body)})
    pieces = [body[a:b] for a, b in pairwise(places)]
    found = cut(body, pieces)
    # The slow and obvious way: one kind of line end, blank lines between events.
    whole = re.sub(b"\r\n|\r", b"\n", body).split(b"\n\n")[:-1]
    assert data_of(found) == data_of([block + b"\n\n" for block in whole])


@UNHURRIED
@given(st.lists(st.sampled_from(EVENTS), max_size=12), st.integers(1, 40))
def test_equal_pieces(texts: list[str], size: int) -> None:
    """Whole events in pieces of any size give the data of the events one by one."""
    body = "".join(texts).encode()
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert data_of(cut(body, pieces)) == data_of([text.encode() for text in texts])


def test_too_large() -> None:
    """An event without an end is given up at 16 MiB; one with an end below that is not."""
    events = Events()
    piece = b"data: " + b"x" * (1 << 20)
    for _ in range(MAX_EVENT // len(piece)):
        assert events.feed(piece) == []
    with pytest.raises(EventTooLarge):
        events.feed(piece)
    assert Events().feed(b"x" * MAX_EVENT + b"\n\n") != []


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: x\n\n", b"x"),
        (b"data:x\n\n", b"x"),
        (b"data:  x\r\n\r\n", b" x"),
        (b"data: x\nid: 1\n\n", b"x"),
        (b"event: e\ndata: x\ndata: y\n\n", b"x\ny"),
        (b"\ndata: x\n\n", b"x"),
        (b": data: x\n\n", b""),
        (b"database: x\n\n", b""),
        (b"data\n\n", b""),
        (b"\n\n", b""),
    ],
)
def test_payload(event: bytes, data: bytes) -> None:
    """An event's data are its `data` lines, as the standard reads them."""
    assert payload(event) == data


def test_terminated() -> None:
    """An event whose blank line is missing gets it, and nothing more."""
    assert terminated(b"data: x") == b"data: x\n\n"
    assert terminated(b"data: x\n") == b"data: x\n\n"
    assert terminated(b"data: x\r\n") == b"data: x\r\n\n"
