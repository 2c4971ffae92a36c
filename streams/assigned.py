"""The assigned partitions, as what is in flight sees them."""

from __future__ import annotations

from schemas.requests import Position
from streams.delivery import Delivery
from streams.ledger import Ledger
from streams.transport import Consumer


class Assigned:
    """The consumer under the names of `delivery.Partitions`."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def _ledger(self, position: Position) -> Ledger | None:
        return self._consumer.ledger(position.topic, position.partition)

    def attach(self, delivery: Delivery, position: Position) -> None:
        if (ledger := self._ledger(position)) is not None:
            ledger.attach(position.offset, delivery)

    def redelivered(self, position: Position) -> bool:
        ledger = self._ledger(position)
        return ledger is not None and ledger.redelivered(position.offset)

    def finish(self, position: Position) -> None:
        if (ledger := self._ledger(position)) is not None:
            ledger.finish(position.offset)

    def owner(self, position: Position) -> str | None:
        ledger = self._ledger(position)
        return None if ledger is None else ledger.away.get(position.offset)

    def take_over(self, position: Position) -> None:
        if (ledger := self._ledger(position)) is not None:
            ledger.take_over(position.offset)

    def pause(self, topic: str) -> None:
        self._consumer.hold_back(topic)

    def resume(self, topic: str) -> None:
        self._consumer.go_on(topic)
