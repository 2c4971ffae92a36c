"""What a partition remembers of idempotent producers: the last batches of each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from sluice.broker.batch import Head
from sluice.broker.errors import Code, KafkaError

_REMEMBERED = 5  # batches a producer, as in Kafka: its limit of requests in flight
_WRAP = 0x7FFFFFFF


@dataclass(slots=True)
class Producer:
    """One producer id: `recent` are (first sequence, last sequence, base offset)."""

    epoch: int
    seen: float  # epoch seconds of the last append
    recent: list[tuple[int, int, int]] = field(default_factory=list)


class Producers:
    """Finds repetitions and gaps of a partition's idempotent producers."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[int, Producer] = {}

    def repetition(self, head: Head) -> int | None:
        """Base offset of an earlier append of this very batch; None for a new one.

        Raises KafkaError for an old epoch or a gap. A producer that is not known may begin
        anywhere, as in Kafka: its records may have been deleted.
        """
        known = self.known.get(head.producer_id)
        if known is None:
            return None
        last = (head.sequence + head.last_delta) & _WRAP
        if head.producer_epoch == known.epoch:
            for old_first, old_last, base in known.recent:
                if head.sequence == old_first and last == old_last:
                    return base
        if head.producer_epoch < known.epoch:
            raise KafkaError(Code.INVALID_PRODUCER_EPOCH)
        same = head.producer_epoch == known.epoch and known.recent
        expected = (known.recent[-1][1] + 1) & _WRAP if same else 0
        if head.sequence != expected:
            raise KafkaError(Code.OUT_OF_ORDER_SEQUENCE_NUMBER)
        return None

    def note(self, head: Head, base: int, now: float) -> None:
        """Remember a batch that was appended at `base`; one that is known changes nothing."""
        if head.producer_id < 0 or head.sequence < 0:
            return
        known = self.known.get(head.producer_id)
        if known is None or known.epoch != head.producer_epoch:
            known = self.known[head.producer_id] = Producer(head.producer_epoch, now)
        elif known.recent and base <= known.recent[-1][2]:
            return
        known.seen = now
        last = (head.sequence + head.last_delta) & _WRAP
        known.recent = [*known.recent[1 - _REMEMBERED :], (head.sequence, last, base)]

    def expire(self, before: float) -> int:
        """Forget producers not heard of since `before` (epoch seconds); returns how many."""
        gone = [key for key, known in self.known.items() if known.seen < before]
        for key in gone:
            del self.known[key]
        return len(gone)

    def forget_from(self, offset: int) -> None:
        """Forget batches from `offset` on: a torn tail took them, so a repetition must append."""
        for known in self.known.values():
            known.recent = [entry for entry in known.recent if entry[2] < offset]

    def encode(self) -> bytes:
        rows = [[key, known.epoch, known.seen, known.recent] for key, known in self.known.items()]
        return json.dumps(rows, separators=(",", ":")).encode()

    def decode(self, data: bytes) -> None:
        """Take over what `encode` gave."""
        self.known = {
            key: Producer(epoch, seen, [(first, last, base) for first, last, base in recent])
            for key, epoch, seen, recent in json.loads(data or b"[]")
        }
