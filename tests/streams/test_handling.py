"""One request's life, step by step."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
import pytest

from schemas import exchange as exchanges
from schemas.errors import GatewayError, InvalidRequest, StreamTruncated, UpstreamError
from schemas.exchange import Exchange
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, ReplyRecord, Started, from_record
from schemas.topics import Topics
from schemas.usage import Usage
from streams.answers import Sender
from streams.delivery import Delivery, parse
from streams.handling import Handling
from streams.stages import Call
from tests.streams.fakes import Clock, record

JSON = Started(200, "application/json", "sim", "m")
SSE = Started(200, "text/event-stream", "sim", "m")


class Effects:
    """The log and the outcomes in one, so that the order of effects shows."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.replies: list[ReplyRecord] = []
        self.exchanges: list[Exchange] = []
        self.dead_letters: list[dict[str, Any]] = []
        self.known: dict[str, int] = {}
        self.counted: dict[str, int] = {}
        self.prompt = self
        self.chunks = self

    # the producers
    async def send(self, topic: str, value: bytes, **kwargs: Any) -> asyncio.Future[Any]:
        self._reply(value, kwargs)
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    async def write(self, topic: str, value: bytes, **kwargs: Any) -> None:
        if topic == "llm.dead-letters":
            self.order.append("buried")
            self.dead_letters.append({"value": value, **dict(kwargs["headers"])})
        else:
            self._reply(value, kwargs)

    async def has(self, topic: str) -> bool:
        return topic != "llm.replies.gone"

    def _reply(self, value: bytes, kwargs: Any) -> None:
        found = from_record(tuple(kwargs["headers"]), value)
        self.replies.append(found)
        self.order.append("last reply" if found.last else "reply")

    # the outcomes
    def find(self, partition: int, request_id: str) -> int | None:
        return self.known.get(request_id)

    def end(self, partition: int) -> int:
        return 40

    def redeliveries(self, partition: int, request_id: str) -> int:
        return self.counted.get(request_id, 0)

    async def count(self, partition: int, request_id: str, number: int) -> None:
        self.order.append("counted")

    async def record(self, partition: int, exchange: Exchange) -> None:
        self.order.append("recorded")
        self.exchanges.append(exchanges.decode(exchanges.encode(exchange)))

    async def read(self, partition: int, offset: int) -> Exchange:
        if offset == 404:
            raise LookupError
        return self.exchanges[offset]

    @property
    def body(self) -> bytes:
        return b"".join(reply.value for reply in self.replies)


class Bench:
    def __init__(self, *replies: Reply | BaseException, gate: asyncio.Event | None = None) -> None:
        self.effects = Effects()
        self.calls = 0
        self.closed = False
        self._replies = replies
        self._gate = gate
        self.abort: Callable[[GatewayError], bytes] | None = None
        self.handling = Handling(
            self._handle,
            self.effects,  # type: ignore[arg-type]
            Sender(self.effects),  # type: ignore[arg-type]
            Topics(),
            Clock(),
            Metrics(),
        )

    async def _handle(self, call: Call) -> AsyncGenerator[Reply, None]:
        self.calls += 1
        call.abort = self.abort or call.abort
        try:
            for reply in self._replies:
                if isinstance(reply, BaseException):
                    raise reply
                yield reply
            if self._gate is not None:
                await self._gate.wait()
        finally:
            self.closed = True

    async def run(self, delivery: Delivery, *, redelivered: bool = False) -> Effects:
        delivery.task = asyncio.current_task()
        await self.handling.run(delivery, redelivered=redelivered)
        return self.effects


def request(stream: bool = False, **headers: Any) -> Delivery:
    return parse(record(7, "a", stream, kafka_replyTopic="llm.replies", **headers))


async def test_the_outcome_is_recorded_before_the_last_reply() -> None:
    """exchange acknowledged, then the last reply: a crash between them repeats work and loses none."""
    usage = Usage(3, 4)
    effects = await Bench(JSON, Completed(b'{"ok":1}', "stop", usage, "m-1")).run(request())

    assert effects.order == ["recorded", "last reply"]
    (exchange,) = effects.exchanges
    assert (exchange.outcome, exchange.status, exchange.finish_reason) == ("completed", 200, "stop")
    assert (exchange.usage, exchange.provider, exchange.response_model) == (usage, "sim", "m-1")
    assert exchange.response is not None
    assert exchange.response.content() == effects.body == b'{"ok":1}'
    assert exchange.kafka.offset == 7


async def test_a_stream_leaves_as_it_comes_and_done_comes_last() -> None:
    """Pieces without content wait for the first that has some; `[DONE]` waits for the record."""
    effects = await Bench(
        SSE,
        Chunk(b"data: role\n\n", content=False),
        Chunk(b"data: one\n\n"),
        Chunk(b"data: stop\n\n", content=False),
        Completed(b"data: [DONE]\n\n", "stop"),
    ).run(request(stream=True))

    assert effects.order == ["reply", "recorded", "last reply"]
    assert effects.replies[0].value == b"data: role\n\ndata: one\n\n"
    assert effects.replies[1].value == b"data: stop\n\ndata: [DONE]\n\n"
    assert effects.exchanges[0].response is not None
    assert effects.exchanges[0].response.content() == effects.body


async def test_a_failure_before_any_byte_has_its_status() -> None:
    """The provider's own error body reaches the caller as it was."""
    failed = Failed(
        InvalidRequest("no"), 422, b'{"error":"theirs"}', http_headers={"retry-after": "3"}
    )
    effects = await Bench(failed).run(request(stream=True))

    (reply,) = effects.replies
    assert reply.kind == "failed"
    assert reply.head is not None
    assert (reply.head.status, reply.value) == (422, b'{"error":"theirs"}')
    assert b"retry-after" in reply.head.http_headers
    assert effects.exchanges[0].error is not None
    assert effects.exchanges[0].outcome == "failed"


async def test_a_failure_after_bytes_is_in_band_and_has_no_done() -> None:
    """No client takes a half answer for whole."""
    effects = await Bench(
        SSE, Chunk(b"data: one\n\n"), Failed(StreamTruncated(), 502, usage=Usage(1, 1))
    ).run(request(stream=True))

    assert effects.replies[-1].kind == "failed"
    assert effects.body.startswith(b'data: one\n\ndata: {"error":')
    assert b"[DONE]" not in effects.body
    assert effects.exchanges[0].usage == Usage(1, 1)


async def test_a_crash_of_ours_is_an_outcome_and_a_dead_letter() -> None:
    """The request is answered, recorded, and kept for whoever mends the fault."""
    effects = await Bench(JSON, ValueError("bug")).run(request())

    assert effects.order == ["buried", "recorded", "last reply"]
    assert effects.exchanges[0].error is not None
    assert effects.exchanges[0].error.code == "internal_error"
    assert b"bug" not in effects.body
    letter = effects.dead_letters[0]
    assert b"ValueError: bug" in letter["kafka_dlt-exception-message"]
    assert letter["kafka_dlt-original-offset"] == (7).to_bytes(8, "big")


async def test_a_crash_while_a_stream_is_ended_still_ends_it() -> None:
    """The end comes as another attempt, at which an ingress that has sent bytes ends the stream."""
    bench = Bench(SSE, Chunk(b"data: one\n\n"), ValueError("bug"))

    def fail(error: GatewayError) -> bytes:
        raise ZeroDivisionError("the mending has a bug, too")

    bench.abort = fail
    effects = await bench.run(request(stream=True))

    assert effects.order.count("recorded") == 1
    assert (effects.exchanges[0].outcome, effects.exchanges[0].status) == ("failed", 500)
    first, last = effects.replies[0], effects.replies[-1]
    assert (last.kind, last.seq, last.count) == ("failed", 0, 1)
    assert last.attempt == first.attempt + 1


@pytest.mark.parametrize(
    ("reason", "outcome", "status"), [("cancelled", "cancelled", 499), ("expired", "expired", 504)]
)
async def test_a_stop_ends_the_call_and_is_recorded(reason: Any, outcome: str, status: int) -> None:
    """The upstream call is closed; the outcome says why."""
    bench = Bench(SSE, Chunk(b"data: one\n\n"), gate=asyncio.Event())
    delivery = request(stream=True)
    delivery.task = asyncio.get_running_loop().create_task(
        bench.handling.run(delivery, redelivered=False)
    )
    while not bench.effects.replies:  # noqa: ASYNC110 - the first reply is a list entry
        await asyncio.sleep(0)
    delivery.stop(reason)
    await delivery.task

    assert bench.closed
    (exchange,) = bench.effects.exchanges
    assert exchange.outcome == outcome
    assert exchange.status == 200  # of the stream, which had begun
    assert bench.effects.replies[-1].kind == "failed"
    stopped = request()
    stopped.stop_reason = reason
    unborn = await Bench(JSON, Completed(b"{}")).run(stopped)
    assert (unborn.exchanges[0].status, unborn.exchanges[0].outcome) == (status, outcome)


async def test_what_was_stopped_first_calls_no_provider() -> None:
    """A request that expired in the queue costs nothing."""
    bench = Bench(JSON, Completed(b"{}"))
    delivery = request()
    delivery.stop_reason = "expired"
    await bench.run(delivery)

    assert bench.calls == 0


async def test_after_the_end_nothing_stops_it() -> None:
    """The first of {upstream end, cancellation, deadline} wins."""
    delivery = request()
    effects = await Bench(JSON, Completed(b"{}")).run(delivery)
    delivery.stop("cancelled")

    assert effects.exchanges[0].outcome == "completed"
    assert delivery.stop_reason is None


async def test_a_known_outcome_is_told_again_without_a_call() -> None:
    """A redelivery after the record replays it, byte for byte, under the next attempt."""
    bench = Bench(SSE, Chunk(b"data: one\n\n"), Completed(b"data: [DONE]\n\n"))
    effects = await bench.run(request(stream=True))
    told, effects.replies = effects.body, []
    effects.known["/kafka/a"] = 0
    await bench.run(request(stream=True), redelivered=True)

    assert bench.calls == 1
    assert effects.body == told
    assert {(reply.attempt, reply.replay) for reply in effects.replies} == {(2, True)}
    assert len(effects.exchanges) == 1


async def test_an_outcome_that_is_gone_is_not_run_again() -> None:
    """It was paid for once; the log kept that and not the answer."""
    bench = Bench(JSON, Completed(b"{}"))
    bench.effects.known["/kafka/a"] = 404
    effects = await bench.run(request())

    assert (bench.calls, effects.replies) == (0, [])


async def test_a_redelivery_is_counted_before_it_runs() -> None:
    """And its replies say that they are another attempt."""
    bench = Bench(JSON, Completed(b"{}"))
    delivery = request()
    effects = await bench.run(delivery, redelivered=True)

    assert effects.order == ["counted", "recorded", "last reply"]
    assert effects.replies[0].attempt == 2
    assert delivery.floor == 40


async def test_a_request_that_killed_three_workers_is_given_up() -> None:
    """Dead letter, failed outcome, error reply, and no further call."""
    bench = Bench(JSON, Completed(b"{}"))
    bench.effects.counted["/kafka/a"] = 2
    effects = await bench.run(request(), redelivered=True)

    assert bench.calls == 0
    assert effects.order == ["buried", "recorded", "last reply"]
    assert effects.exchanges[0].outcome == "failed"


async def test_a_reply_topic_that_is_not_allowed_gets_nothing() -> None:
    """The request is answered in its exchange only."""
    bench = Bench(JSON, Completed(b"{}"))
    bench.handling.may_reply_to = lambda topic: False
    effects = await bench.run(request())

    assert effects.replies == []
    assert len(effects.exchanges) == 1


async def test_a_reply_topic_that_does_not_exist_delays_no_outcome() -> None:
    """The request is answered in its exchange only, as without an address."""
    lost = parse(record(7, "a", True, kafka_replyTopic="llm.replies.gone"))
    effects = await Bench(SSE, Chunk(b"data: one\n\n"), Completed(b"data: [DONE]\n\n")).run(lost)

    assert effects.replies == []
    assert effects.exchanges[0].outcome == "completed"


async def test_an_upstream_body_that_is_no_json_is_kept_as_text() -> None:
    """The exchange stays valid JSON whatever the provider sent."""
    failed = Failed(UpstreamError(), 502, b"<html>\xff", content_type="text/html")
    effects = await Bench(failed).run(request())

    body = effects.exchanges[0].response
    assert body is not None
    assert (body.format, body.content()) == ("base64", b"<html>\xff")
    assert msgspec.json.decode(exchanges.encode(effects.exchanges[0]))


async def test_a_fault_in_settling_ends_no_worker() -> None:
    """A record that broke the worker's own code would end every worker that is given it."""
    bench = Bench(JSON, Completed(b"{}"))
    good = bench.effects.record
    failures = [ValueError("year 0 is out of range")]

    async def record_once(partition: int, exchange: Exchange) -> None:
        if failures:
            raise failures.pop()
        await good(partition, exchange)

    bench.effects.record = record_once  # type: ignore[method-assign]
    effects = await bench.run(request())

    assert effects.order == ["buried", "recorded", "last reply"]
    (exchange,) = effects.exchanges
    assert (exchange.outcome, exchange.request_id) == ("failed", "/kafka/a")
    assert effects.replies[-1].kind == "failed"


async def test_a_failure_before_the_first_byte_takes_no_piece_along() -> None:
    """A piece that was held back when the deadline came is not joined to the error."""
    effects = await Bench(
        SSE, Chunk(b"data: role\n\n", content=False), Failed(StreamTruncated(), 502)
    ).run(request(stream=True))

    (reply,) = effects.replies
    assert reply.value.startswith(b'{"error":')
    assert effects.exchanges[0].response is not None
    assert effects.exchanges[0].response.content() == reply.value


async def test_a_moved_copy_without_an_outcome_runs_only_after_a_crash() -> None:
    """Its original ended in an owner that stopped in order, or so long ago that nobody remembers."""
    copy = request(**{"sluice-request-id": "/kafka/a"})
    assert copy.moved
    bench = Bench(JSON, Completed(b"{}"))
    await bench.run(copy)
    assert bench.calls == 0
    await bench.run(request(**{"sluice-request-id": "/kafka/a"}), redelivered=True)

    assert bench.calls == 1


async def test_who_may_ask_later_is_told_that_it_has_begun() -> None:
    """Only where the answer is kept; the exchange says so, too."""
    kept = await Bench(JSON, Completed(b"{}", "stop")).run(request(**{"sluice-keep": "true"}))
    other = await Bench(JSON, Completed(b"{}", "stop")).run(request())

    assert [reply.kind for reply in kept.replies] == ["begun", "completed"]
    assert [reply.kind for reply in other.replies] == ["completed"]
    assert (kept.exchanges[0].keep, other.exchanges[0].keep) == (True, False)
