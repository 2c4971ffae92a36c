"""Requests of our partitions that another worker still runs (docs/adr/0006).

A worker that partitions are taken from goes on with what it has. Its last commit says what that is; the
next owner holds those, and runs one only when nothing was heard of the other for the session time-out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError

from schemas import control
from schemas.clock import Clock
from schemas.control import Handled
from schemas.faultpoints import reach
from schemas.requests import Position
from schemas.tasks import Tasks
from streams.delivery import Delivery
from streams.log import Log

log = structlog.get_logger()

REMEMBERED = 100_000  # requests that others have said to be handled
RETRY = 1.0  # seconds


class Owners(Protocol):
    """What is asked of the consumer."""

    def owner(self, position: Position) -> str | None: ...
    def take_over(self, position: Position) -> None: ...
    def finish(self, position: Position) -> None: ...


class Elsewhere:
    """What others run for us, and what we run for others."""

    def __init__(
        self, boot_id: str, producers: Log, topic: str, session_timeout: float, clock: Clock
    ) -> None:
        self._boot_id = boot_id
        self._log = producers
        self._topic = topic
        self._session_timeout = session_timeout
        self._clock = clock
        self.owners: Owners
        self.refresh: Callable[[int], Awaitable[None]] = _nothing  # outcomes of a partition
        self.again: Callable[[Delivery], None] = lambda delivery: None  # it may start here
        self.tasks = Tasks()
        self._held: dict[str, list[Delivery]] = {}  # by request id, the redelivered one first
        self._owner: dict[str, str] = {}  # boot id of who runs it, by request id
        self._keys: dict[bytes, str] = {}  # request ids of these by their idempotency keys
        self._heard: dict[str, float] = {}  # when, by boot id
        self._latest = 0.0  # when anybody was heard
        self._handled: OrderedDict[Position, None] = OrderedDict()

    @property
    def held(self) -> int:
        return len(self._held)

    def holds(self, delivery: Delivery) -> bool:
        """Whether somebody else runs this request: then it is kept here until that is over."""
        name, position = delivery.request.request_id, delivery.position
        if self._held and (found := self._held.get(name)) is not None:
            found.append(delivery)  # a copy, or a producer's retry
            return True
        owner = self.owners.owner(position)
        if owner is None:
            return self._joins(delivery)
        if owner == self._boot_id:  # it came back to us
            self.owners.take_over(position)
            return False
        self._held[name] = [delivery]
        self._owner[name] = owner
        if delivery.key is not None:
            self._keys.setdefault(delivery.key.name, name)
        self._heard.setdefault(owner, self._clock.monotonic())
        if position in self._handled:
            self._settle(name, over=True)
        return True

    def _joins(self, delivery: Delivery) -> bool:
        """Whether its idempotency key is that of a request which another runs: their answer is its own."""
        if delivery.key is None or (name := self._keys.get(delivery.key.name)) is None:
            return False
        self._held[name].append(delivery)
        return True

    def forget(self) -> None:
        """The partitions are revoked: their next owner knows from the last commit what we knew."""
        self._keys.clear()
        self._held.clear()
        self._owner.clear()

    # -- what others say

    def heard(self, boot_id: str) -> None:
        """A worker lives."""
        self._heard[boot_id] = self._latest = self._clock.monotonic()

    def handled(self, positions: Iterable[Position]) -> None:
        """The request at these is recorded and answered."""
        for position in positions:
            self._handled[position] = None
            for name, held in self._held.items():
                if held[0].position == position:
                    self._settle(name, over=True)
                    break
        while len(self._handled) > REMEMBERED:
            self._handled.popitem(last=False)

    def look(self) -> None:
        """Take over what silent workers ran. Silence counts only while others are heard."""
        for name, owner in list(self._owner.items()):
            if self._latest - self._heard[owner] > self._session_timeout:
                log.warning("request_taken_over", request_id=name, owner=owner)
                self._settle(name, over=False)

    def _settle(self, name: str, *, over: bool) -> None:
        if self._owner.pop(name, None) is not None:
            held = self._held[name]
            self.tasks.start(self._settled(name, held, over=over), name=f"settle {name}")

    async def _settled(self, name: str, held: list[Delivery], *, over: bool) -> None:
        """Know the outcome, if there is one; then finish what is over, and start the rest."""
        first = held[0]
        while True:
            try:
                await self.refresh(first.message.partition)
                break
            except KafkaError as error:
                log.warning("outcomes_unreadable", error=repr(error), retry_in=RETRY)
                await asyncio.sleep(RETRY)
        if self._held.get(name) is not held:
            return  # revoked meanwhile
        del self._held[name]
        if first.key is not None and self._keys.get(first.key.name) == name:
            del self._keys[first.key.name]
        self.owners.take_over(first.position)
        if over:
            self.owners.finish(first.position)
        for delivery in held[1:] if over else held:
            self.again(delivery)

    # -- what we say

    async def tell(self, delivery: Delivery) -> None:
        """Say that a request which we ran for another owner is over. Raises Undeliverable."""
        reach("streams.handed")
        value, headers = control.encode(Handled(tuple(delivery.positions)))
        await self._log.write(self._topic, value, key=None, headers=headers, partition=0)


async def _nothing(partition: int) -> None:
    return None
