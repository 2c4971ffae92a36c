"""Streams to the client, without a network."""

from typing import cast

import pytest

from ingress.replies import Slot
from ingress.seen import Seen
from ingress.sse import PING, relay
from ingress.wire import Answer
from schemas.errors import Interrupted
from schemas.replies import Head, ReplyRecord


class Written:
    """An answer that keeps what is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.over = False

    async def write(self, data: bytes) -> None:
        self.pieces.append(data)

    async def end(self, data: bytes = b"") -> None:
        self.pieces.append(data)
        self.over = True


class Hand:
    now = 0.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def slot() -> Slot:
    slot = Slot(b"id", 1000, lambda: None)
    slot.feed(ReplyRecord("started", 1, 0, b"", Head(200, "text/event-stream")))
    slot.deadline = 1000.0
    return slot


async def test_the_last_piece_and_the_end_are_one_write(slot: Slot) -> None:
    """What has gathered is joined; the end costs no write of its own."""
    slot.feed(ReplyRecord("chunk", 1, 1, b"a"))
    slot.feed(ReplyRecord("completed", 1, 2, b"b", None, 3))
    written = Written()

    await relay(slot, cast("Answer", written), Seen("openai_chat", b""), 15.0, Hand())

    assert (written.pieces, written.over) == ([b"ab"], True)


async def test_what_came_before_an_error_is_written_first(slot: Slot) -> None:
    """Then the error event, then the end."""
    slot.feed(ReplyRecord("chunk", 1, 1, b"data: a\n\n"))
    slot.fail(Interrupted())
    written = Written()

    await relay(slot, cast("Answer", written), Seen("openai_chat", b""), 15.0, Hand())

    assert written.pieces[0] == b"data: a\n\n"
    assert written.pieces[1].startswith(b'data: {"error":')
    assert written.over


async def test_silence_is_filled(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment when the interval has passed, with a single newline."""
    clock = Hand()
    written = Written()

    async def wait(self: Slot) -> None:
        clock.now += 15.0
        if clock.now > 40.0:
            self.feed(ReplyRecord("completed", 1, 1, b"z", None, 2))

    monkeypatch.setattr(Slot, "wait", wait)

    await relay(slot, cast("Answer", written), Seen("openai_chat", b""), 15.0, clock)

    assert PING == b": ping\n"
    assert written.pieces == [PING, PING, b"z"]


async def test_half_a_line_stays_in_one_piece(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence in the middle of a line is not filled: what is relayed may be cut anywhere."""
    clock = Hand()
    written = Written()
    steps: list[bytes | None] = [b"data: a", None, b"b\n", None, b"\n"]
    numbers = iter(range(1, 9))

    async def wait(self: Slot) -> None:
        if not steps:
            number = next(numbers)
            self.feed(ReplyRecord("completed", 1, number, b"z", None, number + 1))
        elif (step := steps.pop(0)) is None:
            clock.now += 15.0
        else:
            self.feed(ReplyRecord("chunk", 1, next(numbers), step))

    monkeypatch.setattr(Slot, "wait", wait)

    await relay(slot, cast("Answer", written), Seen("openai_chat", b""), 15.0, clock)

    assert written.pieces == [b"data: a", b"b\n", PING, b"\n", b"z"]
