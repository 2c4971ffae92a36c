"""The consumer as what is in flight sees it."""

from typing import Any

from schemas.requests import Position
from streams.assigned import Assigned
from streams.delivery import parse
from streams.ledger import Commit, Ledger
from tests.streams.fakes import record


class Consumer:
    """Ledgers of one partition of either topic."""

    def __init__(self) -> None:
        self.ledgers = {
            (topic, 0): Ledger(Commit(0), 3) for topic in ("llm.requests", "llm.requests.batch")
        }
        self.flow: list[str] = []

    def ledger(self, topic: str, partition: int) -> Ledger | None:
        return self.ledgers.get((topic, partition))

    def hold_back(self, topic: str) -> None:
        self.flow.append(f"hold back {topic}")

    def go_on(self, topic: str) -> None:
        self.flow.append(f"go on {topic}")


def test_equal_offsets_of_both_topics_are_told_apart() -> None:
    """What is attached and finished of one topic leaves the other topic's partition of the same number
    alone."""
    consumer: Any = Consumer()
    assigned = Assigned(consumer)
    one, other = consumer.ledgers.values()
    for ledger in (one, other):
        ledger.deliver(0)
    delivery = parse(record(0, topic="llm.requests.batch"))
    assigned.attach(delivery, delivery.position)
    assert (one.delivery(0), other.delivery(0)) == (None, delivery)
    assigned.finish(delivery.position)
    assert (one.finished, other.finished) == (frozenset(), {0})
    assert assigned.redelivered(delivery.position)


def test_partitions_of_others_are_nobodys_business() -> None:
    """A request may outlive its partition here: nothing is attached, and it was not redelivered."""
    assigned = Assigned(Consumer())  # type: ignore[arg-type]
    gone = Position("llm.requests", 7, 0)
    assigned.attach(parse(record(0)), gone)
    assert not assigned.redelivered(gone)


def test_lanes_are_paused_by_topic() -> None:
    """Each by itself."""
    consumer: Any = Consumer()
    assigned = Assigned(consumer)
    assigned.pause("llm.requests.batch")
    assigned.resume("llm.requests.batch")
    assert consumer.flow == ["hold back llm.requests.batch", "go on llm.requests.batch"]


def test_who_runs_what_is_told_until_it_is_taken_over() -> None:
    """By the commit of the owner before; of partitions of others nothing is known."""
    consumer: Any = Consumer()
    consumer.ledgers["llm.requests", 0] = Ledger(Commit(0, away={4: "other"}), 9)
    assigned = Assigned(consumer)
    four, gone = Position("llm.requests", 0, 4), Position("llm.requests", 7, 4)
    assert (assigned.owner(four), assigned.owner(gone)) == ("other", None)
    assigned.take_over(gone)
    assigned.take_over(four)
    assert assigned.owner(four) is None
