"""A fixed sample of public questions: hits and wrong answers of both decisions. The whole is measured by
bench/semantic.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.questions import Vectors, mixb, pairs
from bench.replay import Replay, verified
from streams.caches.semantic.threshold import Threshold

REQUESTS = 2_500


@pytest.fixture(scope="module")
def vectors(shared_dir: Path) -> Vectors:
    return Vectors(shared_dir / "semantic" / "model")


async def test_both_decisions_on_a_sample(shared_dir: Path, vectors: Vectors) -> None:
    """The first 2,500 requests of the mixed stream: the verified decision serves more than the
    threshold, at no more than the error rate that it was given; and of pairs that differ in a number,
    a name, a denial, an opposite or an order neither serves more than two in a hundred."""
    stream = mixb(shared_dir / "semantic", 0)[:REQUESTS]
    plain = await Replay(Threshold()).run(stream, vectors)
    learning = await Replay(verified(1), seed=1).run(stream, vectors)

    one, other = plain.rates(), learning.rates()
    print(one, other)
    assert 0.15 <= one["hits"] <= 0.35
    assert one["wrong"] <= 0.01
    assert other["hits"] >= one["hits"] + 0.08
    assert other["wrong"] <= 0.0125
    for kind, found in pairs((text for text, _ in stream), 60, seed=2).items():
        for run in (plain, learning):
            share = await run.served_of(found, vectors)
            print(kind, share)
            if kind != "benign":
                assert share <= 0.02, kind
            elif run is plain:
                assert share >= 0.9
