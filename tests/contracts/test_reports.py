"""What every store tells of the exchanges in it: sums by hour and day, lists, one of them."""

from __future__ import annotations

from schemas.analytics import BUCKETS, MEASURES
from schemas.costs import Cost
from schemas.exchange import Cached
from schemas.usage import Usage
from sinks.document import Document, document
from sinks.rollups import Key, counts_of, rolled
from tests.sinks.samples import BEGIN, exchange

HOUR = 3600.0


def view(number: int = 1, *, at: float = BEGIN, **changes: object) -> Document:
    return document(exchange(number, at=at, **changes), bodies=True, body_limit=1 << 20)


def test_what_an_exchange_adds_to_the_sums() -> None:
    """Two of one hour are summed, another hour's is beside it, and the day has all three."""
    found = rolled([view(1), view(2), view(3, at=BEGIN + HOUR, outcome="failed")])

    hour = Key("hour", "2026-01-01T00:00:00Z", "sim-1", "sim", "/team/ann", "master", "")
    later = hour._replace(start="2026-01-01T01:00:00Z")
    day = hour._replace(period="day")
    assert found.keys() == {hour, later, day}
    assert all(len(counts) == len(MEASURES) for counts in found.values())
    counts = counts_of(found[day])
    assert (counts.requests, counts.failed, counts.input_tokens, counts.output_tokens) == (
        3,
        1,
        9,
        6,
    )
    assert counts.microseconds == 1_500_000
    # 0.5 s ends its bucket, the sixth from zero; of 0.1 s it is the fourth.
    assert counts.latency == tuple(3 if n == 6 else 0 for n in range(BUCKETS))
    assert counts.first_token == tuple(3 if n == 4 else 0 for n in range(BUCKETS))
    assert counts_of(found[hour]).requests == 2


def test_hits_are_counted_apart() -> None:
    """A hit has its kind in the key, and what it saved in counts of its own; a miss is no hit."""
    saved = Usage(input_tokens=10, output_tokens=5)
    hit = view(1, usage=None, attempts=(), cache=Cached("semantic", saved=saved))
    miss = view(2, cache=Cached("miss"))

    found = {key.cache: counts_of(counts) for key, counts in rolled([hit, miss]).items()}

    assert found.keys() == {"semantic", ""}
    assert (found["semantic"].input_tokens, found["semantic"].saved_input_tokens) == (0, 10)
    assert (found["semantic"].saved_output_tokens, found[""].saved_output_tokens) == (5, 0)


def test_costs_are_sums_of_what_is_known() -> None:
    """A request whose cost is not known is not among the priced ones, and adds nothing."""
    known = view(1, cost=Cost(total=70, input=40, output=20, attempts=10))
    unknown = view(2)

    (counts, *_) = map(counts_of, rolled([known, unknown]).values())

    assert (counts.requests, counts.priced) == (2, 1)
    assert (counts.input_cost, counts.output_cost, counts.total_cost) == (40, 20, 70)
