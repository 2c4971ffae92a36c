"""Requests that other workers run."""

import asyncio
from typing import Any

from aiokafka.errors import KafkaConnectionError

from schemas.control import Handled, decode
from schemas.requests import Position
from streams import elsewhere
from streams.delivery import Delivery, parse
from streams.elsewhere import Elsewhere
from tests.streams.fakes import Clock, record

TIMEOUT = 10.0


def at(offset: int) -> Position:
    return Position("llm.requests", 0, offset)


class Bench:
    """One worker's view; it is called `me`."""

    def __init__(self, **owners: str) -> None:
        self.owners = {int(offset[1:]): owner for offset, owner in owners.items()}
        self.finished: list[int] = []
        self.again: list[str] = []
        self.refreshed: list[int] = []
        self.failures: list[Exception] = []
        self.written: list[Any] = []
        self.clock = Clock()
        self.elsewhere = Elsewhere("me", self, "llm.control", TIMEOUT, self.clock)  # type: ignore[arg-type]
        self.elsewhere.owners = self
        self.elsewhere.refresh = self.refresh
        self.elsewhere.again = lambda delivery: self.again.append(delivery.request.request_id)

    def owner(self, position: Position) -> str | None:
        return self.owners.get(position.offset)

    def take_over(self, position: Position) -> None:
        self.owners.pop(position.offset, None)

    def finish(self, position: Position) -> None:
        self.finished.append(position.offset)

    async def refresh(self, partition: int) -> None:
        if self.failures:
            raise self.failures.pop()
        self.refreshed.append(partition)

    async def write(self, topic: str, value: bytes, **kwargs: Any) -> None:
        self.written.append((topic, value, kwargs))

    def holds(self, offset: int, name: str = "a") -> bool:
        return self.elsewhere.holds(delivery(offset, name))

    def pass_time(self, seconds: float, *heard: str) -> None:
        self.clock.now += seconds
        for boot_id in heard:
            self.elsewhere.heard(boot_id)
        self.elsewhere.look()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


def delivery(offset: int, name: str = "a") -> Delivery:
    return parse(record(offset, name))


async def test_only_what_another_runs_is_held() -> None:
    """What nobody runs starts here, and so does what came back to us."""
    bench = Bench(o0="other", o1="me")
    assert bench.holds(0, "a")
    assert not bench.holds(1, "b")
    assert not bench.holds(2, "c")
    assert bench.owners == {0: "other"}


async def test_it_is_finished_when_the_other_has_handled_it() -> None:
    """Its outcome is known from then on, and nothing of it starts here."""
    bench = Bench(o0="other")
    bench.holds(0)
    bench.elsewhere.handled([at(7), at(0)])
    await bench.settle()
    assert (bench.refreshed, bench.finished, bench.again) == ([0], [0], [])
    assert bench.elsewhere.held == 0


async def test_the_word_may_come_before_the_record() -> None:
    """The other was faster than our adoption."""
    bench = Bench(o0="other")
    bench.elsewhere.handled([at(0)])
    assert bench.holds(0)
    await bench.settle()
    assert bench.finished == [0]


async def test_the_word_is_not_remembered_for_ever(monkeypatch: Any) -> None:
    """The oldest of many is forgotten."""
    monkeypatch.setattr(elsewhere, "REMEMBERED", 2)
    bench = Bench()
    for offset in range(4):
        bench.elsewhere.handled([at(offset)])
    assert list(bench.elsewhere._handled) == [at(2), at(3)]


async def test_it_starts_here_when_the_other_is_silent() -> None:
    """For the session time-out, after its outcome was looked for; and not before."""
    bench = Bench(o0="other")
    bench.holds(0)
    bench.pass_time(9, "me", "other")
    bench.pass_time(9, "me")
    await bench.settle()
    assert bench.again == []
    bench.pass_time(2, "me")
    await bench.settle()
    assert (bench.refreshed, bench.again, bench.finished) == ([0], ["/kafka/a"], [])
    assert bench.owners == {}


async def test_silence_of_all_is_no_death() -> None:
    """While the control topic cannot be read, nobody is heard, not even ourselves."""
    bench = Bench(o0="other")
    bench.holds(0)
    bench.pass_time(100)
    await bench.settle()
    assert bench.again == []


async def test_copies_and_retries_wait_with_it() -> None:
    """A record of the same request starts no second call; afterwards it is answered from the outcome."""
    bench = Bench(o0="other")
    bench.holds(0)
    assert bench.holds(5)
    assert bench.elsewhere.held == 1
    bench.elsewhere.handled([at(0)])
    assert bench.holds(6)
    await bench.settle()
    assert (bench.finished, bench.again) == ([0], ["/kafka/a", "/kafka/a"])


async def test_a_revocation_takes_it_along(monkeypatch: Any) -> None:
    """Also while its outcome is being looked for: it is the next owner's to finish or start."""
    monkeypatch.setattr(elsewhere, "RETRY", 0)
    bench = Bench(o0="other", o1="other")
    bench.holds(0, "a")
    bench.holds(1, "b")
    bench.failures = [KafkaConnectionError()]
    bench.elsewhere.handled([at(0)])
    await asyncio.sleep(0)
    bench.elsewhere.forget()
    await bench.settle()
    bench.pass_time(100, "me")
    await bench.settle()
    assert (bench.finished, bench.again) == ([], [])


async def test_what_we_ran_for_others_is_told() -> None:
    """With all records of the request, on the topic that every worker reads."""
    bench = Bench()
    mine = delivery(3)
    mine.positions.append(at(9))
    await bench.elsewhere.tell(mine)
    ((topic, value, _),) = bench.written
    said = decode(value)
    assert isinstance(said, Handled)
    assert (topic, set(said.positions)) == ("llm.control", {at(3), at(9)})


def keyed(offset: int, name: str) -> Delivery:
    """A request with an idempotency key."""
    made = record(offset, name)
    made.headers.append(("idempotency-key", b"k"))
    return parse(made)


async def test_who_has_its_key_waits_with_it() -> None:
    """It starts when the other's outcome is known; then the key is nobody's any more."""
    bench = Bench(o0="other")
    assert bench.elsewhere.holds(keyed(0, "a"))
    assert bench.elsewhere.holds(keyed(5, "b"))
    assert not bench.elsewhere.holds(delivery(6, "c"))
    bench.elsewhere.handled([at(0)])
    await bench.settle()

    assert (bench.finished, bench.again) == ([0], ["/kafka/b"])
    assert not bench.elsewhere.holds(keyed(7, "d"))
