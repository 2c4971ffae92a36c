"""What the score looks at."""

from __future__ import annotations

from streams.caches.semantic.candidates import candidate
from streams.caches.semantic.features import NAMES, History, Past, features
from tests.streams.caches.semantic.samples import neighbour


def test_every_feature_has_its_name() -> None:
    """Read by their names, they say what was seen."""
    found = candidate("pay 5 euros", [neighbour("pay 7 euros", 0.9), neighbour("x", 0.5, "h")])
    assert found is not None
    answer = History()
    for same in (True, True, False):
        answer.note(same, 0.7)

    values = features("pay 5 euros", found, Past(answer, History(), History()))

    seen = dict(zip(NAMES, values, strict=True))
    assert seen["similarity"] == 0.9
    assert abs(seen["margin"] - 0.4) < 1e-9
    assert seen["rate of right answers"] == 0.6
    assert abs(seen["above the worst"] - 0.2) < 1e-9
    assert seen["rate of this key"] == 0.5
    assert (seen["numbers differ"], seen["negation differs"]) == (1.0, 0.0)
    assert seen["one word exchanged"] == 1.0
    assert seen["length ratio"] == 1.0


def test_histories_add_up() -> None:
    """What two workers saw of an answer."""
    total = History(3, 1, 0.8).plus(History(1, 1, 0.9))

    assert (total.right, total.wrong, total.worst) == (4, 2, 0.9)
