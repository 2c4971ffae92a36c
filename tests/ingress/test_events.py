"""Events of a stream, counted however it is cut."""

import random

import pytest

from ingress.events import Numbered, Unseen

EVENTS = [b"data: %d\n\n" % number for number in range(1, 8)]


def passed(events: Unseen, data: bytes, size: int) -> bytes:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(events.feed(piece) for piece in pieces) + events.rest()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("seen", [0, 1, 6, 7, 8])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_what_was_seen_is_left_out(line_end: bytes, seen: int, size: int) -> None:
    """The rest passes byte for byte."""
    events = [event.replace(b"\n", line_end) for event in EVENTS]

    assert passed(Unseen(seen), b"".join(events), size) == b"".join(events[seen:])


@pytest.mark.parametrize("seen", [0, 3])
def test_each_event_says_its_number(seen: int) -> None:
    """Also the first that is shown: numbers are those of the whole stream."""
    expected = [b"id: %d\n%b" % (number, event) for number, event in enumerate(EVENTS, 1)]

    assert passed(Numbered(seen), b"".join(EVENTS), 1000) == b"".join(expected[seen:])


def test_a_comment_is_no_event() -> None:
    """It passes without a number, or is left out with the events around it."""
    stream = b": working\n\nevent: a\ndata: 1\n\n: still\n\ndata: 2\n\n"

    assert passed(Numbered(0), stream, 5) == (
        b": working\n\nid: 1\nevent: a\ndata: 1\n\n: still\n\nid: 2\ndata: 2\n\n"
    )
    assert passed(Unseen(1), stream, 5) == b": still\n\ndata: 2\n\n"


def test_an_event_that_is_not_ended_is_the_last() -> None:
    """Nothing of a stream is lost because its blank line is missing."""
    assert passed(Numbered(1), b"data: 1\n\ndata: [DONE]\n", 1000) == b"id: 2\ndata: [DONE]\n"


def test_half_a_line_end_stands_before_the_number() -> None:
    """A stray LF at the front of an event would end it behind its number."""
    assert Numbered(0).feed(b"\ndata: 1\r\n\r\n") == b"\nid: 1\ndata: 1\r\n\r\n"


def test_a_restart_counts_from_the_beginning() -> None:
    """What another run has left unfinished is forgotten."""
    events = Numbered(1)
    events.feed(b"data: 1\n\ndata: hal")
    assert events.shown
    events.restart()

    assert not events.shown
    assert events.feed(b"data: a\n\ndata: b\n\n") == b"id: 2\ndata: b\n\n"


def test_any_cuts_give_the_same() -> None:
    """A long stream with comments and named events, cut at random."""
    cuts = random.Random(7)
    stream = b"".join(
        cuts.choice((b"data: x\n\n", b"event: e\ndata: y\ndata: z\n\n", b": c\n\n"))
        for _ in range(300)
    )
    whole = passed(Numbered(17), stream, len(stream))

    for _ in range(20):
        assert passed(Numbered(17), stream, cuts.randint(1, 40)) == whole
