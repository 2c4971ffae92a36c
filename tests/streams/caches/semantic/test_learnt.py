"""What survives a restart, and reaches other workers."""

from __future__ import annotations

from streams.caches.semantic.candidates import candidate
from streams.caches.semantic.features import COUNT
from streams.caches.semantic.learnt import Learnt
from tests.streams.caches.semantic.samples import neighbour


def learnt(worker: str, requests: int, right: int) -> Learnt:
    found = candidate("a b", [neighbour("a b c", 0.9)])
    assert found is not None
    made = Learnt(worker)
    for number in range(requests):
        made.asked()
        made.row((float(number),) * COUNT, int(number < right), 1.0)
        made.note(found, number < right)
    return made


def test_a_restart_forgets_nothing() -> None:
    """Saved and merged under the same name, it goes on where it was."""
    before, after = learnt("w", 20, 15), Learnt("w")

    assert after.merge(before.save())

    assert (after.seen, after.labels, after.all_labels) == (20, 20, 20)
    assert after.ledger == before.ledger
    assert after.rows.data.tolist() == before.rows.data.tolist()
    after.row((0.0,) * COUNT, 1, 1.0)
    assert after.labels == 21


def test_workers_learn_from_each_other_once() -> None:
    """Rows and histories of all count; a second time or an older state changes nothing."""
    here, there = learnt("a", 10, 10), learnt("b", 30, 0)
    saved = there.save()
    found = candidate("a b", [neighbour("a b c", 0.9)])
    assert found is not None

    for older in (saved, saved, learnt("b", 5, 5).save()):
        assert here.merge(older)

    assert here.all_labels == 40
    past = here.past(found)
    assert (past.answer.right, past.answer.wrong) == (10, 30)
    rows, requests = here.recent(1_000)
    assert (len(rows), requests) == (40, 40)
    assert here.ledger.requests < 11, "each keeps its own account"
    assert learnt("a", 10, 10).save() == here.save(), "what came from others is not told again"


def test_the_recent_half_is_that_of_every_worker() -> None:
    """Ages below 1 are those of the window."""
    here = learnt("a", 1_000, 500)
    here.merge(learnt("b", 3_000, 500).save())

    rows, requests = here.recent(100)

    assert requests == 2_000
    assert (rows.requests < 1).sum() == 2_000


def test_what_cannot_be_read_is_left_alone() -> None:
    """Damaged, or saved by another version."""
    here = learnt("a", 3, 3)
    saved = learnt("b", 5, 5).save()

    assert not here.merge(b"")
    assert not here.merge(saved[:-9])
    assert not here.merge(saved.replace(b"similarity squared", b"similarity cubed!!"))
    assert here.all_labels == 3
