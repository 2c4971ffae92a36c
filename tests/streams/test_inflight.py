"""Requests in a worker's hands."""

import asyncio
from typing import Any

import pytest

from schemas.claims import Claim
from schemas.control import Handled, decode
from schemas.metrics import Metrics
from schemas.requests import Position
from schemas.topics import Topics
from streams.config import StreamsConfig
from streams.delivery import Delivery
from streams.elsewhere import Elsewhere
from streams.inflight import Inflight
from tests.streams.fakes import Clock, record

PAUSED, RESUMED = "pause llm.requests", "resume llm.requests"


class Handling:
    """Runs each request until told to end it."""

    def __init__(self) -> None:
        self.running: dict[str, asyncio.Event] = {}
        self.ran: list[tuple[str, bool, str | None]] = []
        self.refused: list[str] = []

    async def run(self, delivery: Delivery, *, redelivered: bool) -> None:
        name = delivery.request.request_id
        self.ran.append((name, redelivered, delivery.stop_reason))
        gate = self.running.setdefault(name, asyncio.Event())
        delivery.stoppable = delivery.stop_reason is None
        try:
            await gate.wait()
        except asyncio.CancelledError:
            if delivery.stop_reason is None:
                raise
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            self.ran.append((name, redelivered, delivery.stop_reason))
        delivery.decided = True

    async def refuse(self, message: Any, reason: str, to: Any) -> None:
        self.refused.append(reason)

    def end(self, name: str) -> None:
        self.running.setdefault(name, asyncio.Event()).set()


class Partitions:
    """The consumer's part."""

    def __init__(self) -> None:
        self.finished: list[int] = []
        self.may_have_run: set[int] = set()
        self.owners: dict[int, str] = {}
        self.flow: list[str] = []

    def attach(self, delivery: Delivery, position: Position) -> None: ...

    def redelivered(self, position: Position) -> bool:
        return position.offset in self.may_have_run

    def finish(self, position: Position) -> None:
        self.finished.append(position.offset)

    def owner(self, position: Position) -> str | None:
        return self.owners.get(position.offset)

    def take_over(self, position: Position) -> None:
        self.owners.pop(position.offset, None)

    def pause(self, topic: str) -> None:
        self.flow.append(f"pause {topic}")

    def resume(self, topic: str) -> None:
        self.flow.append(f"resume {topic}")


class Produced:
    """Takes what is moved forward."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    async def write(self, topic: str, value: bytes | None, **kwargs: Any) -> None:
        self.records.append({"topic": topic, "value": value, **kwargs})


class Bench:
    """An Inflight with everything around it at hand."""

    def __init__(self, **config: Any) -> None:
        self.handling = Handling()
        self.partitions = Partitions()
        self.produced = Produced()
        self.clock = Clock()
        self.inflight = Inflight(
            StreamsConfig(**config),
            Topics(),
            self.handling,  # type: ignore[arg-type]
            self.produced,  # type: ignore[arg-type]
            self.clock,
            Metrics(),
        )
        self.inflight.partitions = self.partitions
        self.elsewhere = Elsewhere("me", self.produced, "llm.control", 10.0, self.clock)  # type: ignore[arg-type]
        self.elsewhere.owners, self.elsewhere.again = self.partitions, self.inflight.again
        self.inflight.elsewhere = self.elsewhere
        self.crashes: list[BaseException] = []
        self.inflight.fatal = self.crashes.append

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    @property
    def started(self) -> list[str]:
        return [name for name, _, _ in self.handling.ran]


async def test_offsets_are_finished_in_the_order_of_the_work() -> None:
    """A later request that ends first finishes its own offset and no other."""
    bench = Bench()
    for offset, name in enumerate("ab"):
        bench.inflight.admit(record(offset, name))
    await bench.settle()
    bench.handling.end("/kafka/b")
    await bench.settle()

    assert bench.partitions.finished == [1]
    bench.handling.end("/kafka/a")
    await bench.settle()
    assert bench.partitions.finished == [1, 0]
    assert bench.inflight.running == 0


async def test_the_same_request_again_attaches_to_the_running_one() -> None:
    """A producer's retry or a redelivery starts no second call; both offsets finish together."""
    bench = Bench()
    bench.inflight.admit(record(0, "a"))
    await bench.settle()
    bench.inflight.admit(record(7, "a"))
    await bench.settle()

    assert bench.started == ["/kafka/a"]
    bench.handling.end("/kafka/a")
    await bench.settle()
    assert sorted(bench.partitions.finished) == [0, 7]


async def test_another_asker_is_answered_after_the_running_one() -> None:
    """The same request with another reply address gets its own answer, from the outcome."""
    bench = Bench()
    bench.inflight.admit(record(0, "a", kafka_replyTopic="llm.replies"))
    await bench.settle()
    bench.inflight.admit(record(1, "a", kafka_replyTopic="llm.replies.other"))
    await bench.settle()
    assert len(bench.handling.ran) == 1

    bench.handling.end("/kafka/a")
    await bench.settle()
    assert len(bench.handling.ran) == 2
    assert sorted(bench.partitions.finished) == [0, 1]


async def test_partitions_are_paused_at_the_limit_and_resumed_at_half() -> None:
    """What is held is bounded; nothing that was delivered is dropped."""
    bench = Bench(concurrency=1, max_held=4)
    for offset in range(8):
        bench.inflight.admit(record(offset, str(offset)))
    await bench.settle()
    assert bench.partitions.flow == [PAUSED]
    assert bench.inflight.held == 7

    for offset in range(8):
        bench.handling.end(f"/kafka/{offset}")
        await bench.settle()
    assert bench.partitions.flow == [PAUSED, RESUMED]
    assert sorted(bench.partitions.finished) == list(range(8))


async def test_held_requests_are_bounded_by_bytes() -> None:
    """One large body is enough to pause."""
    bench = Bench(concurrency=1, max_held_bytes=100)
    bench.inflight.admit(record(0, "a"))
    bench.inflight.admit(record(1, "b"))
    assert bench.partitions.flow == []
    bench.inflight.admit(record(2, "c"))

    assert bench.partitions.flow == [PAUSED]


async def test_a_cancellation_stops_a_running_request() -> None:
    """The request still ends by itself: its outcome is recorded and its offset finished."""
    bench = Bench()
    bench.inflight.admit(record(0, "a"))
    await bench.settle()
    bench.inflight.cancel("/kafka/a")
    await bench.settle()

    assert bench.handling.ran[-1] == ("/kafka/a", False, "cancelled")
    assert bench.partitions.finished == [0]


async def test_a_cancellation_that_comes_first_is_remembered() -> None:
    """A request that arrives after its cancellation is not run."""
    bench = Bench()
    bench.inflight.cancel("/kafka/a")
    bench.inflight.admit(record(0, "a"))
    await bench.settle()

    assert bench.handling.ran[0] == ("/kafka/a", False, "cancelled")


async def test_deadlines_stop_running_and_waiting_requests() -> None:
    """Past `ce_expirytime` a running request stops, and a waiting one is not run."""
    bench = Bench(concurrency=1)
    expiry = "1970-01-12T13:46:50Z"  # ten seconds after the clock's start
    bench.inflight.admit(record(0, "a", ce_expirytime=expiry))
    bench.inflight.admit(record(1, "b", ce_expirytime=expiry))
    await bench.settle()
    bench.clock.now += 11
    bench.inflight.expire()
    await bench.settle()

    assert bench.handling.ran[1] == ("/kafka/a", False, "expired")
    assert bench.handling.ran[2] == ("/kafka/b", False, "expired")


async def test_a_request_that_crashed_twice_runs_alone() -> None:
    """It waits until nothing else runs, and nothing starts beside it."""
    bench = Bench()
    bench.inflight.redeliveries = lambda partition, name: 1 if name == "/kafka/bad" else 0
    bench.partitions.may_have_run = {1}
    bench.inflight.admit(record(0, "a"))
    bench.inflight.admit(record(1, "bad"))
    bench.inflight.admit(record(2, "c"))
    await bench.settle()
    assert bench.started == ["/kafka/a"]

    bench.handling.end("/kafka/a")
    await bench.settle()
    assert bench.started == ["/kafka/a", "/kafka/bad"]
    bench.handling.end("/kafka/bad")
    await bench.settle()
    assert bench.started == ["/kafka/a", "/kafka/bad", "/kafka/c"]
    assert bench.handling.ran[1] == ("/kafka/bad", True, None)


async def test_a_request_that_is_to_run_alone_where_nothing_runs() -> None:
    """It starts at once: nothing that ends would start it later."""
    bench = Bench()
    bench.inflight.redeliveries = lambda partition, name: 1
    bench.partitions.may_have_run = {0}
    bench.inflight.admit(record(0, "bad"))
    await bench.settle()

    assert bench.started == ["/kafka/bad"]


async def test_revoked_partitions_take_their_held_requests_along() -> None:
    """What was not started belongs to the next owner; what runs goes on."""
    bench = Bench(concurrency=1)
    bench.inflight.admit(record(0, "a"))
    bench.inflight.admit(record(1, "b"))
    await bench.settle()
    bench.inflight.suspend()
    bench.inflight.admit(record(2, "late"))
    bench.handling.end("/kafka/a")
    await bench.settle()

    assert bench.started == ["/kafka/a"]
    assert bench.partitions.finished == [0]


async def test_a_pinned_request_is_produced_again_under_its_id() -> None:
    """The copy carries the id, so that it attaches; the old offset is finished when it has: until then
    a next owner would know of no record of a running request."""
    bench = Bench()
    bench.inflight.admit(record(5, None))
    await bench.settle()
    live = bench.inflight._live["llm.requests-0-5"]
    bench.inflight.move(live, live.position)
    await bench.settle()

    (copy,) = bench.produced.records
    assert bench.partitions.finished == []
    moved = record(9, None)
    moved.headers = copy["headers"]
    bench.inflight.admit(moved)
    await bench.settle()
    assert bench.started == ["llm.requests-0-5"]
    assert bench.partitions.finished == [5]


async def test_a_full_lane_pauses_itself_alone() -> None:
    """Batch records at their limit pause the topic of the batch lane; interactive ones are taken on,
    and start before what is held of the other lane."""
    bench = Bench(concurrency=2, max_held=4)
    for offset in range(6):
        bench.inflight.admit(record(offset, f"batch-{offset}", topic=Topics().batch))
    for offset in range(3):
        bench.inflight.admit(record(offset, f"now-{offset}"))
    await bench.settle()
    assert bench.partitions.flow == ["pause llm.requests.batch"]
    assert bench.started == ["/kafka/batch-0", "/kafka/now-0"]

    for offset in range(3):
        bench.handling.end(f"/kafka/now-{offset}")
        await bench.settle()
    assert bench.started == ["/kafka/batch-0", *(f"/kafka/now-{offset}" for offset in range(3))]


async def test_what_was_paused_goes_on_after_an_adoption() -> None:
    """A revocation takes what was held along, so that nothing is left that would resume the lane."""
    bench = Bench(concurrency=1, max_held=2)
    for offset in range(4):
        bench.inflight.admit(record(offset, str(offset)))
    assert bench.partitions.flow == [PAUSED]
    bench.inflight.suspend()
    bench.inflight.go_on()

    assert bench.partitions.flow == [PAUSED, RESUMED]


async def test_both_lanes_hold_the_same_request_once() -> None:
    """A request that was produced to both topics runs once; each record's offset is finished."""
    bench = Bench()
    bench.inflight.admit(record(3, "a"))
    bench.inflight.admit(record(3, "a", topic=Topics().batch))
    await bench.settle()
    bench.handling.end("/kafka/a")
    await bench.settle()

    assert bench.started == ["/kafka/a"]
    assert bench.partitions.finished == [3, 3]


async def test_a_request_that_another_worker_runs_is_held() -> None:
    """It starts here only when that one was silent for the session time-out; then as a redelivery."""
    bench = Bench()
    bench.partitions.owners, bench.partitions.may_have_run = {0: "other"}, {0}
    bench.inflight.admit(record(0, "a"))
    bench.inflight.admit(record(1, "b"))
    await bench.settle()
    assert (bench.started, bench.inflight.held) == (["/kafka/b"], 1)

    bench.clock.now += 11
    bench.elsewhere.heard("me")
    bench.elsewhere.look()
    await bench.settle()
    assert bench.handling.ran[1] == ("/kafka/a", True, None)


async def test_what_ran_at_a_revocation_is_told_when_it_is_over() -> None:
    """To whoever has the partition by then; what was not running needs no word."""
    bench = Bench()
    bench.inflight.admit(record(0, "a"))
    await bench.settle()
    assert bench.inflight._live["/kafka/a"].running
    bench.inflight.suspend()
    bench.inflight.go_on()
    bench.inflight.admit(record(1, "b"))
    bench.handling.end("/kafka/a")
    bench.handling.end("/kafka/b")
    await bench.settle()

    (said,) = bench.produced.records
    assert decode(said["value"]) == Handled((Position("llm.requests", 0, 0),))


async def test_a_revocation_while_a_large_body_is_removed_is_told_too() -> None:
    """Its last commit says that the request runs here; who reads that waits for the word."""
    bench = Bench()

    async def remove(claim: Claim) -> None:
        bench.inflight.suspend()

    bench.inflight.settled = remove
    bench.inflight.admit(record(0, "a", ce_dataref="a.body"))
    await bench.settle()
    bench.handling.end("/kafka/a")
    await bench.settle()

    (said,) = bench.produced.records
    assert decode(said["value"]) == Handled((Position("llm.requests", 0, 0),))


async def test_a_request_that_comes_back_attaches() -> None:
    """The partition was ours again before the request was over: nobody waits for anybody."""
    bench = Bench()
    bench.inflight.admit(record(0, "a"))
    await bench.settle()
    bench.inflight.suspend()
    bench.inflight.go_on()
    bench.partitions.owners = {0: "me"}
    bench.inflight.admit(record(0, "a"))
    await bench.settle()
    assert (bench.started, bench.partitions.owners) == (["/kafka/a"], {})


async def test_a_drain_waits_and_leaves_the_rest_to_others() -> None:
    """After the time-out what has sent nothing is left unfinished, so that it is redelivered."""
    bench = Bench()
    bench.inflight.admit(record(0, "a"))
    bench.inflight.admit(record(1, "b"))
    await bench.settle()
    bench.inflight._live["/kafka/b"].begun = True
    await bench.inflight.drain(0.01)

    assert ("/kafka/b", False, "shutdown") in bench.handling.ran
    assert bench.partitions.finished == [1]
    assert bench.inflight.running == 0


async def test_a_large_body_is_needed_until_its_request_is_settled() -> None:
    """Its file goes before the offset is finished; not while the request runs, nor when it is left to
    another worker, nor when its record is in the dead letters."""
    bench = Bench()
    removed: list[str] = []

    async def remove(claim: Claim) -> None:
        assert bench.partitions.finished == []
        removed.append(claim.dataref)

    bench.inflight.settled = remove
    for offset, name in enumerate(("done", "buried", "left")):
        bench.inflight.admit(record(offset, name, ce_dataref=f"{name}.body"))
    await bench.settle()
    assert removed == []
    bench.handling.end("/kafka/done")
    await bench.settle()
    assert (removed, bench.partitions.finished) == (["done.body"], [0])
    bench.inflight._live["/kafka/buried"].buried = True
    bench.handling.end("/kafka/buried")
    await bench.inflight.drain(0.01)

    assert removed == ["done.body"]
    assert bench.partitions.finished == [0, 1]


@pytest.mark.parametrize(
    ("value", "headers", "fragment"),
    [
        (None, [], "no value"),
        (b"", [], "not valid JSON"),
        (b"\xff\xfe", [], "not UTF-8"),
        (b"[]", [], "must be a JSON object"),
        (b'{"messages":[{}]}', [], "`model` is required"),
        (b'{"model":"m"}', [], "`messages` is required"),
        (b'{"model":"m","messages":[]}', [], "at least one"),
        (b'{"model":1,"messages":[{}]}', [], "`model`"),
        (b'{"model":"m","messages":{}}', [], "`messages`"),
        (b'{"model":"m","messages":[{}],"stream":"yes"}', [], "`stream`"),
        (b'{"model":" ","messages":[{}]}', [], "must not be empty"),
        (b"{}", [("ce_type", b"llm.request.dance")], "unknown ce_type"),
        (b"{}", [("ce_expirytime", b"tomorrow")], "isoformat"),
        (b"{}", [("ce_expirytime", b"2026-01-01T00:00:00")], "no UTC offset"),
        (b"{}", [("kafka_replyTopic", b"t"), ("kafka_replyPartition", b"abc")], "big-endian"),
        (b"{}", [("sluice-schema", b"99")], "newer"),
        (b"{}", [("sluice-user-path", b"\xff")], "not UTF-8"),
        (b"{}", [("ce_id", b"x" * 300)], "256 characters"),
        (b"{}", [("sluice-dialect", b"klingon")], "unknown sluice-dialect"),
    ],
)
async def test_bytes_that_are_no_request(
    value: bytes | None, headers: list[tuple[str, bytes]], fragment: str
) -> None:
    """They are refused with the reason, their offset is finished, and a neighbour is not disturbed."""
    bench = Bench()
    bad = record(0)
    bad.value, bad.headers = value, headers
    bench.inflight.admit(bad)
    bench.inflight.admit(record(1, "good"))
    await bench.settle()

    assert fragment in bench.handling.refused[0]
    assert bench.partitions.finished == [0]
    assert bench.started == ["/kafka/good"]
    assert not bench.crashes


async def test_a_record_without_a_time_has_ours() -> None:
    """A producer that gives no timestamp does not wait for fifty years in the analysts' tables."""
    bench = Bench()
    bare = record(0, "a")
    bare.timestamp = -0.001
    bench.inflight.admit(bare)

    assert bench.inflight._live["/kafka/a"].request.created == bench.clock.now


async def test_a_stop_between_the_steps_waits_for_the_next_look() -> None:
    """While an effect on the log is under way nothing is cancelled: the request would never end."""
    bench = Bench()
    bench.inflight.admit(record(0, "a"))
    bench.inflight.cancel("/kafka/a")
    await bench.settle()
    assert bench.handling.ran == [("/kafka/a", False, "cancelled")]
    bench.handling.end("/kafka/a")
    await bench.settle()

    assert bench.partitions.finished == [0]
    assert bench.inflight.running == 0


async def test_refusals_that_wait_for_the_log_are_bounded() -> None:
    """A flood of junk pauses the partitions like any other load."""
    bench = Bench(max_held=4)
    gate = asyncio.Event()

    async def slow(message: Any, reason: str, to: Any) -> None:
        await gate.wait()

    bench.handling.refuse = slow  # type: ignore[method-assign]
    for offset in range(6):
        junk = record(offset)
        junk.value = b"junk"
        bench.inflight.admit(junk)
    await bench.settle()
    assert bench.partitions.flow == [PAUSED]

    gate.set()
    await bench.settle()
    assert bench.partitions.flow == [PAUSED, RESUMED]
    assert sorted(bench.partitions.finished) == list(range(6))
