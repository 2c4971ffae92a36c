"""Reply records on their way."""

import asyncio
from typing import Any

import pytest

from schemas.replies import Address, ReplyRecord, Started, from_record
from streams.answers import RECORD_BYTES, Answer, Sender

TO = Address("llm.replies", 3, b"corr")
STARTED = Started(200, "text/event-stream", "sim", "m", {"x-ratelimit-limit": "9"})


class Producer:
    """Takes records; acknowledges when told to."""

    def __init__(self, records: list[ReplyRecord], *, slow: bool = False) -> None:
        self.records = records
        self.slow = slow
        self.waiting: list[asyncio.Future[Any]] = []

    async def send(self, topic: str, value: bytes, **kwargs: Any) -> asyncio.Future[Any]:
        assert (topic, kwargs["partition"], kwargs["key"]) == ("llm.replies", 3, b"r1")
        self.records.append(from_record(tuple(kwargs["headers"]), value))
        future = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        if not self.slow:
            future.set_result(None)
        return future

    def acknowledge(self) -> None:
        self.waiting.pop(0).set_result(None)


class FakeLog:
    """Both producers and the write that waits."""

    def __init__(self, *, slow: bool = False) -> None:
        self.records: list[ReplyRecord] = []
        self.prompt = Producer(self.records, slow=slow)
        self.chunks = Producer(self.records, slow=slow)

    async def write(self, topic: str, value: bytes, **kwargs: Any) -> None:
        self.records.append(from_record(tuple(kwargs["headers"]), value))


def answer(log: FakeLog, to: Address | None = TO, **kwargs: Any) -> Answer:
    return Answer(Sender(log), "r1", to, 2, **kwargs)  # type: ignore[arg-type]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_plain_answer_is_one_record_that_says_so() -> None:
    """One record carries head, body and count 1."""
    log = FakeLog()
    reply = answer(log)
    reply.start(STARTED)
    await reply.finish(b"body", failed=False)

    (record,) = log.records
    assert (record.kind, record.attempt, record.seq, record.count) == ("completed", 2, 0, 1)
    assert record.value == b"body"
    assert record.head is not None
    assert (record.head.status, record.head.provider) == (200, "sim")
    assert b"x-ratelimit-limit" in record.head.http_headers


async def test_chunks_are_joined_while_an_earlier_one_is_under_way() -> None:
    """The first piece leaves at once; those that come meanwhile become one record."""
    log = FakeLog(slow=True)
    reply = answer(log)
    reply.start(STARTED)
    reply.open_stream()
    for piece in (b"a", b"b", b"c"):
        await reply.chunk(piece)
    assert [record.value for record in log.records] == [b"a"]

    log.prompt.acknowledge()
    await settle()
    assert [record.value for record in log.records] == [b"a", b"bc"]

    log.prompt.acknowledge()
    await settle()
    await reply.finish(b"end", failed=False)
    assert [(r.kind, r.seq, r.count) for r in log.records] == [
        ("started", 0, None),
        ("chunk", 1, None),
        ("completed", 2, 3),
    ]
    assert b"".join(record.value for record in log.records) == b"abcend"


async def test_the_end_waits_for_what_is_under_way_and_takes_the_rest_along() -> None:
    """Order holds at the end: nothing overtakes a record that is not acknowledged."""
    log = FakeLog(slow=True)
    reply = answer(log)
    reply.start(STARTED)
    reply.open_stream()
    await reply.chunk(b"a")
    await reply.chunk(b"b")
    finishing = asyncio.get_running_loop().create_task(reply.finish(b"end", failed=True))
    await settle()
    assert len(log.records) == 1

    log.prompt.acknowledge()
    await finishing
    assert [record.value for record in log.records] == [b"a", b"bend"]
    assert log.records[-1].kind == "failed"


async def test_a_long_answer_becomes_several_records() -> None:
    """The values, concatenated, are the body; only the last one has the count."""
    log = FakeLog()
    reply = answer(log)
    reply.start(STARTED)
    body = bytes(range(256)) * (RECORD_BYTES // 64)
    await reply.finish(body, failed=False)

    assert b"".join(record.value for record in log.records) == body
    assert [record.count for record in log.records] == [None, None, None, 4]
    assert [record.seq for record in log.records] == [0, 1, 2, 3]


async def test_many_open_streams_share_the_lingering_producer() -> None:
    """Above sixteen open streams the chunks between first and last may wait for each other."""
    log = FakeLog()
    sender = Sender(log)  # type: ignore[arg-type]
    replies = [Answer(sender, "r1", TO, 1) for _ in range(17)]
    for reply in replies:
        reply.start(STARTED)
        reply.open_stream()
    sent_by = {}
    for name, reply in (("lone", replies[0]), ("crowded", replies[16])):
        before = len(log.chunks.waiting)
        await reply.chunk(b"a")
        await settle()
        await reply.chunk(b"b")
        await settle()
        sent_by[name] = len(log.chunks.waiting) - before
    for reply in replies:
        reply.close_stream()

    assert sent_by == {"lone": 0, "crowded": 1}
    assert sender.open_streams == 0


async def test_without_an_address_nothing_is_sent() -> None:
    """A request without a reply topic has an exchange and no replies."""
    log = FakeLog()
    reply = answer(log, None)
    reply.start(STARTED)
    reply.open_stream()
    await reply.chunk(b"a")
    await reply.finish(b"b", failed=False)

    assert log.records == []


@pytest.mark.parametrize("replay", [True, False])
async def test_a_replay_is_marked(replay: bool) -> None:
    """An outcome told again says that its bytes are those of the earlier attempt."""
    log = FakeLog()
    reply = answer(log, replay=replay)
    reply.start(STARTED)
    await reply.finish(b"x", failed=False)

    assert log.records[0].replay is replay


async def test_a_cancelled_piece_is_sent_with_the_end() -> None:
    """A stop while a piece is being handed to the producer loses no byte and blocks no end."""
    log = FakeLog()
    reply = answer(log)
    reply.start(STARTED)
    reply.open_stream()
    await reply.chunk(b"a")
    await settle()
    send, gate = log.prompt.send, asyncio.Event()

    async def full(*args: Any, **kwargs: Any) -> asyncio.Future[Any]:
        await gate.wait()
        return await send(*args, **kwargs)

    log.prompt.send = full  # type: ignore[method-assign]
    sending = asyncio.get_running_loop().create_task(reply.chunk(b"b"))
    await settle()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await reply.finish(b"end", failed=True)

    assert [record.value for record in log.records] == [b"a", b"bend"]
    assert [record.seq for record in log.records] == [0, 1]


async def test_that_it_has_begun_is_told_before_all_pieces() -> None:
    """Not counted, and to nobody who gave no address."""
    log, silent = FakeLog(), FakeLog()
    reply = answer(log)
    await reply.tell_begun()
    assert not reply.begun
    reply.start(STARTED)
    await reply.finish(b"{}", failed=False)
    await answer(silent, None).tell_begun()

    assert [(each.kind, each.seq, each.count) for each in log.records] == [
        ("begun", -1, None),
        ("completed", 0, 1),
    ]
    assert silent.records == []
