"""The newest batches in memory: one limit for all partitions, the oldest go first."""

from sluice.broker.tail import Tail, Tails

PIECE = bytearray(10_000)


def test_the_oldest_of_all_partitions_go_first() -> None:
    """Beyond the limit the oldest batches go, whoever's they are; what stays has no gap."""
    tails = Tails(200_000)
    quiet, busy = Tail(tails), Tail(tails)
    quiet.append(0, PIECE)
    for offset in range(100):
        busy.append(offset, PIECE)
    assert tails.used <= 200_000
    assert quiet.read(0, 1) is None
    assert busy.read(99, 1) == [PIECE]
    assert busy.offsets == list(range(busy.offsets[0], 100))
    assert tails.used == quiet.bytes + busy.bytes


def test_small_batches_are_counted_with_their_overhead() -> None:
    """Many tiny batches cannot take much more memory than the limit."""
    tails = Tails(100_000)
    tail = Tail(tails)
    for offset in range(10_000):
        tail.append(offset, bytearray(b"x"))
    assert len(tail.batches) < 500


def test_a_cleared_tail_frees_its_memory_once() -> None:
    """Batches of a deleted or rewritten log are not counted, nor evicted from what follows."""
    tails = Tails(1_000_000)
    one, two = Tail(tails), Tail(tails)
    for offset in range(20):
        one.append(offset, PIECE)
        two.append(offset, PIECE)
    one.clear()
    assert tails.used == two.bytes
    one.append(20, PIECE)
    for offset in range(20, 200):
        two.append(offset, PIECE)
    assert tails.used == one.bytes + two.bytes <= 1_000_000
    assert one.read(5, 1) is None


def test_reads_keep_to_their_limit() -> None:
    """At least one batch comes, then as many as fit."""
    tail = Tail(Tails(1_000_000))
    for offset in range(0, 50, 5):
        tail.append(offset, PIECE)
    assert [len(tail.read(12, limit) or ()) for limit in (0, 10_000, 25_000, 10**9)] == [1, 1, 2, 8]
