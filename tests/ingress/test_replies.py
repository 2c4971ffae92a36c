"""A slot: the fold over one request's reply records."""

import asyncio
from typing import Any

import pytest

from ingress.events import Numbered, Unseen
from ingress.replies import Slot
from schemas.errors import Expired, Interrupted, LogUnavailable
from schemas.replies import Head, Kind, ReplyRecord

HEAD = Head(200, "text/event-stream")


class Aborted(list[bool]):
    def __call__(self) -> None:
        self.append(True)


@pytest.fixture
def aborted() -> Aborted:
    return Aborted()


@pytest.fixture
def slot(aborted: Aborted) -> Slot:
    return Slot(b"id", 100, aborted)


def record(seq: int, value: bytes = b"x", *, attempt: int = 1, **rest: Any) -> ReplyRecord:
    kind: Kind = rest.pop("kind", "chunk")
    head = rest.pop("head", HEAD if seq == 0 else None)
    return ReplyRecord(kind, attempt, seq, value, head, **rest)


def test_a_single_record_is_a_whole_answer(slot: Slot) -> None:
    """Head, body and end in one."""
    assert slot.feed(record(0, b"{}", kind="completed", count=1))

    assert (slot.ended, slot.failed, slot.head, slot.take()) == (True, False, HEAD, b"{}")


def test_pieces_are_taken_in_order(slot: Slot) -> None:
    """What has come since the last time, in one piece; the room is free again."""
    for seq in range(3):
        slot.feed(record(seq, b"%d" % seq))

    assert slot.take() == b"012"
    assert slot.size == 0
    slot.feed(record(3, b"3"))
    assert slot.take() == b"3"


@pytest.mark.parametrize(
    "wrong",
    [
        record(2),
        record(1, kind="completed", count=3),
        record(1, kind="completed", count=1),
    ],
    ids=["gap", "count too high", "count too low"],
)
def test_what_does_not_fit_is_an_interruption(slot: Slot, wrong: ReplyRecord) -> None:
    """And nothing after it counts."""
    slot.feed(record(0))
    slot.feed(wrong)

    assert isinstance(slot.error, Interrupted)
    assert not slot.ended
    assert not slot.feed(record(1))


def test_a_beginning_needs_a_head(slot: Slot) -> None:
    slot.feed(record(0, head=None))

    assert isinstance(slot.error, Interrupted)


def test_a_whole_answer_stays_whole(slot: Slot) -> None:
    """A later attempt or error does not touch it."""
    slot.feed(record(0, kind="completed", count=1))

    assert not slot.feed(record(0, attempt=2))
    slot.fail(Expired())

    assert slot.error is None
    assert slot.take() == b"x"


def test_the_first_attempt_seen_may_have_any_number(slot: Slot) -> None:
    """A redelivered request may answer for the first time as attempt 3."""
    slot.feed(record(0, attempt=3, kind="completed", count=1))

    assert slot.ended


def test_a_new_attempt_replaces_or_interrupts(slot: Slot) -> None:
    """By whether anything was written."""
    slot.feed(record(0, b"old"))
    slot.feed(record(0, b"new", attempt=2))
    assert slot.take() == b"new"

    slot.written = True
    slot.feed(record(0, b"newer", attempt=3))
    assert isinstance(slot.error, Interrupted)
    assert slot.pieces == []


def test_a_replayed_outcome_goes_on_where_its_attempt_stopped(slot: Slot) -> None:
    """A worker that died after the outcome costs its client nothing: the same bytes, once each."""
    slot.feed(record(0, b"one "))
    slot.feed(record(1, b"two "))
    slot.written = True
    assert slot.take() == b"one two "

    slot.feed(record(0, b"one t", attempt=2, replay=True))
    slot.feed(record(1, b"wo three", attempt=2, replay=True, kind="completed", count=2))

    assert slot.take() == b"three"
    assert slot.ended
    assert slot.error is None


def test_a_replay_of_another_attempt_is_no_continuation(slot: Slot) -> None:
    """Only the outcome of the attempt that was being written has the same bytes."""
    slot.feed(record(0, b"one "))
    slot.written = True
    slot.feed(record(0, b"eins zwei", attempt=3, replay=True, kind="completed", count=1))

    assert isinstance(slot.error, Interrupted)


def test_a_full_buffer_drops_the_reader(slot: Slot, aborted: Aborted) -> None:
    """What it holds is freed at once; a last record still fits."""
    slot.feed(record(0, b"x" * 100))
    assert not aborted

    slot.feed(record(1))

    assert aborted
    assert slot.pieces == []
    assert slot.error is not None


def test_an_answer_that_ends_is_not_too_large(slot: Slot, aborted: Aborted) -> None:
    """One record of any size is already here; dropping it would save nothing."""
    slot.feed(record(0, b"x" * 1000, kind="completed", count=1))

    assert slot.ended
    assert not aborted


def test_the_clock_ends_what_was_not_acknowledged(slot: Slot) -> None:
    """Before the acknowledgement as a log that is away, after it as a deadline."""
    slot.deadline, slot.due = 100.0, 2.0
    slot.tick(2.0)
    assert isinstance(slot.error, LogUnavailable)

    other = Slot(b"id", 100, Aborted())
    other.deadline, other.due = 100.0, 2.0
    other.accept()
    assert other.due == 100.0
    other.tick(100.0)
    assert isinstance(other.error, Expired)


def test_a_reply_proves_the_acknowledgement(slot: Slot) -> None:
    """A worker can only have read what the log has."""
    slot.deadline, slot.due = 100.0, 2.0
    slot.feed(record(0))

    slot.tick(2.0)

    assert slot.error is None


async def test_waiting_ends_with_the_next_record(slot: Slot) -> None:
    """And a wait that is over leaves nothing behind."""
    waiting = asyncio.create_task(slot.wait())
    await asyncio.sleep(0)

    slot.feed(record(0))
    await waiting

    slot.feed(record(1))
    assert slot.take() == b"xx"


class TestCounted:
    """A reader that has seen some events, or wants their numbers."""

    EVENTS = b"data: 1\n\ndata: 2\n\n"

    def test_a_stream_is_numbered_over_its_records(self, slot: Slot) -> None:
        """Wherever they are cut."""
        slot.events = Numbered(0)
        slot.feed(record(0, self.EVENTS[:12]))
        slot.feed(record(1, self.EVENTS[12:] + b"data: 3", kind="completed", count=2))

        assert slot.take() == b"id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3"

    def test_what_is_no_stream_has_no_events(self, slot: Slot) -> None:
        """It passes as it is."""
        slot.events = Numbered(5)
        head = Head(200, "application/json")
        slot.feed(record(0, b"{}", head=head, kind="completed", count=1))

        assert slot.take() == b"{}"

    def test_a_replay_goes_on_in_the_middle_of_an_event(self, slot: Slot) -> None:
        """Its bytes are those of the run before."""
        slot.events = Numbered(1)
        slot.feed(record(0, self.EVENTS[:12]))
        slot.feed(
            record(0, self.EVENTS, attempt=2, replay=True, kind="completed", count=1, head=HEAD)
        )

        assert (slot.take(), slot.ended) == (b"id: 2\ndata: 2\n\n", True)

    @pytest.mark.parametrize("seen", [1, 2])
    def test_another_run_of_which_some_was_seen(self, slot: Slot, seen: int) -> None:
        """Its text may differ: it ends here, also if nothing was written yet."""
        slot.events = Unseen(seen)
        slot.feed(record(0, self.EVENTS))
        slot.feed(record(-1, attempt=2, kind="begun", head=None))

        assert isinstance(slot.error, Interrupted)

    @pytest.mark.parametrize("seen", [0, 3])
    def test_another_run_of_which_none_was_seen(self, slot: Slot, seen: int) -> None:
        """It is counted from its own beginning."""
        slot.events = Unseen(seen)
        slot.feed(record(0, self.EVENTS))
        slot.feed(record(0, self.EVENTS + self.EVENTS, attempt=2, kind="completed", count=1))

        assert slot.ended
        assert slot.take() == (self.EVENTS * 2 if seen == 0 else b"data: 2\n\n")


def test_that_a_worker_has_it_is_no_piece(slot: Slot) -> None:
    """It is neither late nor a gap."""
    assert slot.feed(record(-1, b"", kind="begun", head=None))
    assert (slot.head, slot.attempt, slot.error) == (None, 1, None)
    slot.feed(record(0, b"{}", kind="completed", count=1))

    assert slot.ended
