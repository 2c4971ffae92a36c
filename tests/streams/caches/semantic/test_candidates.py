"""One candidate of many neighbours."""

from __future__ import annotations

from streams.caches.semantic.candidates import candidate, nearest
from tests.streams.caches.semantic.samples import neighbour


def test_the_answer_with_most_votes_is_the_candidate() -> None:
    """Three keys of one answer outvote a single one that is a little nearer."""
    found = candidate(
        "reset my password",
        [
            neighbour("change my password", 0.90, "other"),
            neighbour("forgot my password", 0.89, "reset"),
            neighbour("lost my password", 0.88, "reset"),
            neighbour("password reset please", 0.87, "reset"),
        ],
    )

    assert found is not None
    assert (found.key.text, found.similarity, found.keys) == ("forgot my password", 0.89, 3)
    assert found.runner_up == 0.90
    assert found.rival is not None
    assert found.rival.group == "other"
    assert 0.69 < found.share < 0.7
    assert found.known == 1.0


def test_a_veto_on_the_nearest_key_is_one_on_its_answer() -> None:
    """That another key of the answer lets the question through says little."""
    found = candidate(
        "can I not pay by card",
        [neighbour("can I pay by card", 0.97), neighbour("card payments", 0.8)],
    )

    assert found is not None
    assert found.veto == "negation"


def test_the_plain_decision_looks_past_keys_that_a_guard_stops() -> None:
    """A neighbour that means something else hides no right one."""
    found = nearest(
        "can I not pay by card",
        [neighbour("can I pay by card", 0.97, "a"), neighbour("I can not pay by card", 0.95, "b")],
    )

    assert found is not None
    assert (found.key.group, found.veto) == ("b", None)


def test_without_neighbours_there_is_none() -> None:
    """An empty cache."""
    assert candidate("x", []) is None
    assert nearest("x", []) is None
