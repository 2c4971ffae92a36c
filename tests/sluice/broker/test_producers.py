"""What is remembered of idempotent producers."""

import pytest

from sluice.broker.batch import Head
from sluice.broker.errors import Code, KafkaError
from sluice.broker.producers import Producers


def head(sequence: int, count: int = 1, epoch: int = 0, producer: int = 7) -> Head:
    return Head(0, 100, 0, 2, 0, 0, count - 1, 0, 0, producer, epoch, sequence, count)


def appended(*sequences: int) -> Producers:
    known = Producers()
    for base, sequence in enumerate(sequences):
        assert known.repetition(head(sequence)) is None
        known.note(head(sequence), base, 100.0)
    return known


def refusal(known: Producers, batch: Head) -> int:
    with pytest.raises(KafkaError) as caught:
        known.repetition(batch)
    return caught.value.code


def test_the_last_five_batches_are_recognised() -> None:
    """Five batches may be in flight; each, repeated, gets its offset; older ones are out of order."""
    known = appended(*range(7))
    assert [known.repetition(head(n)) for n in range(2, 7)] == [2, 3, 4, 5, 6]
    assert refusal(known, head(1)) == Code.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert refusal(known, head(6, count=2)) == Code.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_gaps_and_old_epochs_are_refused() -> None:
    """A sequence that skips one, or an epoch that was replaced, cannot append."""
    known = appended(0, 1)
    assert refusal(known, head(3)) == Code.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert refusal(known, head(5, epoch=1)) == Code.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert known.repetition(head(0, epoch=1)) is None
    known.note(head(0, epoch=1), 9, 100.0)
    assert refusal(known, head(2)) == Code.INVALID_PRODUCER_EPOCH


def test_sequences_wrap() -> None:
    """After 2^31 - 1 comes 0, between batches and within one."""
    known = appended(2**31 - 1)
    assert known.repetition(head(0)) is None
    known.note(head(0, count=3), 1, 100.0)
    assert known.repetition(head(3)) is None
    within = Producers()
    within.note(head(2**31 - 2, count=4), 0, 100.0)
    assert within.repetition(head(2)) is None


def test_an_unknown_producer_may_begin_anywhere() -> None:
    """As in Kafka: what it produced before may have been deleted."""
    assert Producers().repetition(head(55)) is None


def test_they_are_read_back_and_can_lose_what_a_torn_tail_took() -> None:
    """Encoded and decoded they know the same; what lies beyond the log's end is forgotten."""
    known = Producers()
    known.decode(appended(0, 1, 2).encode())
    assert known.repetition(head(2)) == 2
    known.forget_from(2)
    assert known.repetition(head(1)) == 1
    assert known.repetition(head(2)) is None
    known.note(head(0), 0, 200.0)
    assert known.repetition(head(1)) == 1


def test_they_expire() -> None:
    """Who has not produced since a time is forgotten."""
    known = appended(0)
    known.note(head(0, producer=8), 1, 200.0)
    assert known.expire(150.0) == 1
    assert set(known.known) == {8}
