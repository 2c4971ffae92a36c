"""Batches in a worker: lines, validation, results, and a run that is left and taken up at any point."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from schemas.batch_folder import BatchFolder
from schemas.batch_lines import BatchLine
from schemas.batches import Batch, Tokens, batch_id
from schemas.clock import SystemClock
from schemas.exchange import Body, Exchange, Timings
from schemas.files import DAY, Files, StoredFile, file_id
from schemas.ids import milliseconds_of
from schemas.requests import Position, Request
from schemas.usage import Usage
from streams.batches.config import BatchConfig
from streams.batches.lines import Line, Unusable, request_id, slices, understood
from streams.batches.results import (
    Marks,
    Reading,
    Result,
    append,
    encoded,
    result_of,
)
from streams.batches.run import Run
from streams.batches.validation import Checked, Limits, check
from streams.batches.worker import Lines
from tests.stack import until
from tests.streams.fakes import Clock

ID = batch_id("0198b2c4-8f1e-7000-9b5d-3c1f0e5a7d21")
URL = "/v1/chat/completions"
LIMITS = Limits(max_requests=1000, max_line=4096)


def batch(**fields: Any) -> Batch:
    found = Batch(
        id=ID,
        endpoint=URL,
        input_file_id=file_id("in"),
        completion_window="24h",
        created_at=1_000_000,
        expires_at=1_086_400,
        client="key",
        user_path="/team",
    )
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def asked(name: str, **changed: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": name}]}
    return {"custom_id": name, "method": "POST", "url": URL, "body": body} | changed


def jsonl(*lines: Any) -> bytes:
    return b"".join(
        (each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in lines
    )


def exchange(line: BatchLine, **fields: Any) -> Exchange:
    given: dict[str, Any] = {
        "request_id": f"id-{line.number}",
        "outcome": "completed",
        "status": 200,
        "response": Body(Raw(b'{"id": "a",\n "n": 1}')),
        "usage": Usage(input_tokens=3, output_tokens=4, cached_input_tokens=1),
    }
    return Exchange(
        **given | fields,
        created_at="",
        finished_at="",
        operation="chat",
        dialect="openai_chat",
        stream=False,
        source="/x",
        user_path="/team",
        request_model="m",
        delivery_attempt=1,
        kafka=Position("t", 0, 0),
        timings=Timings(1.0),
        request=Body(Raw(b"{}")),
    )


# -- lines


async def lines_of(path: Path, most: int = 4096, begin: int = 0, line: int = 0) -> list[Line]:
    return [each async for piece in slices(path, most, begin, line) for each in piece]


async def test_lines_are_read_from_any_of_them_on(tmp_path: Path) -> None:
    """Empty ones count and are left out; the last needs no end; each says where it stands."""
    path = tmp_path / "in"
    path.write_bytes(b"one\n\n \r\nfour\nfive")
    found = await lines_of(path)

    assert [(each.number, each.raw) for each in found] == [(1, b"one"), (4, b"four"), (5, b"five")]
    for number, each in enumerate(found):
        assert await lines_of(path, begin=each.begin, line=each.number - 1) == found[number:]


async def test_a_long_line_is_not_held(tmp_path: Path) -> None:
    """It is known to be too long, and those around it are whole."""
    path = tmp_path / "in"
    path.write_bytes(b"a\n" + b"x" * 2_000_000 + b"\nb\n" + b"y" * 5000)
    found = await lines_of(path)

    assert [(each.number, each.raw) for each in found] == [(1, b"a"), (2, b""), (3, b"b"), (4, b"")]


def test_the_request_of_a_line() -> None:
    """It is its batch's owner's, in the dialect of the endpoint, and its body is as it was sent."""
    raw = b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{ "x" : 1 }}'
    line, request = understood(Line(7, 0, 9, raw), batch())

    assert line == BatchLine(ID, 7, "a")
    assert (request.body, request.client, request.user_path) == (b'{ "x" : 1 }', "key", "/team")
    assert (request.operation, request.dialect, request.line) == ("chat", "openai_chat", line)


def test_ids_of_requests_are_the_same_each_time() -> None:
    """And a UUIDv7 of the time at which the line was put into the log."""
    made = 1_796_076_965_000
    found = {request_id(ID, number, made) for number in range(1000)}

    assert len(found) == 1000
    assert request_id(ID, 5, made) in found
    assert {milliseconds_of(each) for each in found} == {made}


# -- validation


async def checked(path: Path, content: bytes, limits: Limits = LIMITS) -> Checked:
    path.write_bytes(content)
    return await check(path, batch(), limits, lambda: True)


@pytest.mark.parametrize(
    ("bad", "code", "param"),
    [
        (b"{no json", "invalid_json_line", None),
        (b"[]", "invalid_json_line", None),
        (b'{"custom_id":"\xff"}', "invalid_json_line", None),
        ({"custom_id": "b", "method": "POST", "url": URL}, "missing_required_parameter", "body"),
        ({"method": "POST", "url": URL, "body": {}}, "missing_required_parameter", "custom_id"),
        (asked("b", custom_id=5), "invalid_type", "custom_id"),
        (asked(""), "invalid_custom_id", "custom_id"),
        (asked("b", method="GET"), "invalid_method", "method"),
        (asked("b", url="/v1/embeddings"), "url_mismatch", "url"),
        (asked("b", body={"messages": []}), "invalid_request", "body.model"),
        (asked("b", body={"model": "m", "messages": []}), "invalid_request", "body.messages"),
        (asked("b", body=asked("b")["body"] | {"stream": True}), "invalid_request", "body.stream"),
        (asked("b", body=asked("b")["body"] | {"model": "n"}), "model_mismatch", "body.model"),
        (asked("a"), "duplicate_custom_id", "custom_id"),
        (b"x" * 5000, "line_too_long", None),
    ],
)
async def test_what_is_wrong_with_a_line(
    tmp_path: Path, bad: Any, code: str, param: str | None
) -> None:
    """The code that OpenAI has for it where it has one, and the number of the line."""
    found = await checked(tmp_path / "in", jsonl(asked("a"), b"", bad, asked("c")))

    assert [(each.code, each.line, each.param) for each in found.errors] == [(code, 3, param)]
    assert (found.total, found.model) == (3, "m")


async def test_a_file_without_requests_or_with_too_many(tmp_path: Path) -> None:
    """Neither is a batch."""
    path = tmp_path / "in"
    empty = await checked(path, b"\n \n")
    many = await checked(path, jsonl(*(asked(str(n)) for n in range(11))), Limits(10, 4096))

    assert [each.code for each in empty.errors] == ["empty_file"]
    assert [each.code for each in many.errors] == ["too_many_tasks"]


async def test_every_duplicate_is_named(tmp_path: Path) -> None:
    """All but the first of a name, in the order of the lines, among other mistakes."""
    names = ["a", "b", "a", "c", "b", "a"]
    found = await checked(tmp_path / "in", jsonl(b"{", *map(asked, names)))

    assert [(each.line, each.code) for each in found.errors] == [
        (1, "invalid_json_line"),
        (4, "duplicate_custom_id"),
        (6, "duplicate_custom_id"),
        (7, "duplicate_custom_id"),
    ]


# -- results


def test_the_line_of_an_answer() -> None:
    """In OpenAI's form, on one line whatever white space the provider sent; the usage is counted."""
    line = BatchLine(ID, 1, "a")
    found = result_of(line, exchange(line), in_time=True)

    assert found.line == (
        b'{"id":"batch_req_id-1","custom_id":"a","response":{"status_code":200,'
        b'"request_id":"id-1","body":{"id":"a","n":1}},"error":null}'
    )
    assert (found.succeeded, found.tokens) == (True, Tokens(3, 1, 4, 0))


@pytest.mark.parametrize(
    ("outcome", "in_time", "code"),
    [
        ("cancelled", True, "batch_cancelled"),
        ("expired", False, "batch_expired"),
        ("expired", True, "request_timeout"),
    ],
)
def test_a_line_that_was_not_answered(outcome: str, in_time: bool, code: str) -> None:
    """It has no response, and OpenAI's code."""
    line = BatchLine(ID, 1, "a")
    found = result_of(line, exchange(line, outcome=outcome, status=504), in_time=in_time)
    said = json.loads(found.line)

    assert (said["response"], said["error"]["code"]) == (None, code)
    assert not found.succeeded


def test_a_refusal_is_a_response() -> None:
    """What a provider refused has status and body, and stands in the error file."""
    line = BatchLine(ID, 1, "a")
    refused = exchange(line, outcome="failed", status=400, response=Body(Raw(b'{"error":1}')))
    found = result_of(line, refused, in_time=True)
    said = json.loads(found.line)

    assert (said["response"]["status_code"], said["response"]["body"]) == (400, {"error": 1})
    assert said["error"] is None
    assert not found.succeeded


def result(number: int, text: bytes = b"{}") -> Result:
    return Result(number, True, Tokens(1, 0, 2, 0), text)


def test_each_result_counts_once(tmp_path: Path) -> None:
    """Whichever worker wrote it, and however often; the first one counts."""
    reading = Reading(tmp_path)
    append(tmp_path / "a", [encoded(result(1)), encoded(result(2))])
    append(tmp_path / "b", [encoded(result(2, b"[]")), encoded(result(3))])
    first = list(reading.all())
    append(tmp_path / "a", [encoded(result(3)), encoded(result(4))])

    assert [each.number for each in first] == [1, 2, 3]
    assert first[1] == result(2)
    assert [each.number for each in reading.all()] == [4]
    assert list(reading.all()) == []


@pytest.mark.parametrize("left", [1, 5, 20])
def test_a_torn_result_is_none(tmp_path: Path, left: int) -> None:
    """A worker died while it wrote: what follows in the same file is read, the torn piece is not."""
    whole = encoded(result(1, b'{"a":"some text"}'))
    (tmp_path / "a").write_bytes(whole[:left])
    assert list(Reading(tmp_path).all()) == []
    append(tmp_path / "a", [encoded(result(2))])

    assert [each.number for each in Reading(tmp_path).all()] == [2]


def test_a_mark_is_a_bit() -> None:
    """A million of them need an eighth of a megabyte."""
    marks = Marks()
    for number in (1, 8, 9, 1_000_000):
        assert marks.add(number)
        assert not marks.add(number)

    assert marks.count == 4
    assert 8 in marks
    assert 7 not in marks
    assert 2_000_000 not in marks
    assert len(marks._bits) < 130_000


# -- a worker's part


class World:
    """A folder with one batch, and a lane that answers what it is given."""

    def __init__(self, folder: Path, content: bytes, **fields: Any) -> None:
        self.clock = Clock()
        self.files = Files(folder / "files", 30 * DAY)
        self.folder = BatchFolder(folder / "batches", 30 * DAY)
        about = StoredFile(
            id=file_id("in"),
            filename="in.jsonl",
            purpose="batch",
            bytes=0,
            created_at=1_000_000,
            client="key",
            user_path="/team",
        )
        kept = self.files.keep(about, [content])
        self.folder.create(batch(**fields), self.files.content(kept))
        self.config = BatchConfig(in_flight=100, poll=0.001, cancel_grace=1.0)
        self.lines = Lines(self.folder, self.config, "boot", SystemClock())
        self.published: list[Request] = []
        self.calls: list[str] = []
        self.answering = 0
        self.outcome: Callable[[BatchLine], Exchange | None] = exchange
        self.accepts: Callable[[int], bool] = lambda count: True

    @property
    def batch(self) -> Batch:
        found = self.folder.find(ID, "key", "/")
        assert found is not None
        return found

    def run(self) -> Run:
        found = self.folder.load(ID)
        assert found is not None
        return Run(found, self.folder, self.files, self.publish, self.config, self.clock)

    async def publish(self, request: Request) -> None:
        """The log, and a worker that answers at once."""
        if not self.accepts(len(self.published)):
            raise ConnectionError("killed")
        self.published.append(request)
        self.answering += 1
        await self.answer(request)
        self.answering -= 1

    async def answer(self, request: Request) -> None:
        line = request.line
        assert line is not None
        if line.again and await self.lines.has_result(line):
            return
        if not self.lines.is_open(line):
            await self.lines.put(line, None, exchange(line, outcome="cancelled", status=499))
            return
        found = self.outcome(line)
        if found is not None:
            self.calls.append(line.custom_id)
            await self.lines.put(line, request.deadline, found)

    def content(self, name: str | None) -> list[dict[str, Any]]:
        if name is None:
            return []
        found = self.files.find(name, "key", "/", self.clock.time())
        assert found is not None
        text = self.files.content(found).read_bytes()
        assert found.bytes == len(text)
        return [json.loads(each) for each in text.splitlines()]


async def test_a_batch_from_its_file_to_its_files(tmp_path: Path) -> None:
    """Each line has one result: what was answered in the output file, the rest in the error file."""
    world = World(tmp_path, jsonl(*(asked(f"n{number}") for number in range(1, 251))))

    def outcome(line: BatchLine) -> Exchange:
        if line.number % 10:
            return exchange(line)
        return exchange(line, outcome="failed", status=404, usage=None)

    world.outcome = outcome
    await world.run().run()
    found = world.batch

    assert (found.status, found.model) == ("completed", "m")
    assert (found.total, found.completed, found.failed) == (250, 225, 25)
    assert found.tokens == Tokens(225 * 3, 225, 225 * 4, 0)
    good, bad = world.content(found.output_file_id), world.content(found.error_file_id)
    assert {each["custom_id"] for each in good} == {f"n{n}" for n in range(1, 251) if n % 10}
    assert {each["custom_id"] for each in bad} == {f"n{n}" for n in range(10, 251, 10)}
    assert len(good) + len(bad) == len(world.calls) == 250
    assert world.folder.open() == []
    assert [each.deadline for each in world.published] == [1_086_400.0] * 250


async def test_only_so_many_are_in_the_log_at_once(tmp_path: Path) -> None:
    """Lines go there as others end, and a batch that nobody works on puts no more there."""
    world = World(tmp_path, jsonl(*(asked(str(number)) for number in range(1000))))
    world.outcome = lambda line: None
    run = world.run()
    running = asyncio.ensure_future(run.run())
    await until(lambda: len(world.published) >= 64)
    await asyncio.sleep(0.1)
    assert len(world.published) == 64  # with the next 64 there would be more than a hundred
    world.outcome = exchange
    for request in world.published[:]:
        await world.answer(request)
    await running

    assert world.batch.status == "completed"
    assert len(world.calls) == 1000


@pytest.mark.parametrize("reached", [0, 30, 64, 100, 128, 249])
async def test_a_run_that_is_killed_is_taken_up(tmp_path: Path, reached: int) -> None:
    """Wherever it dies, the next one goes on: one result and one call for each line."""
    world = World(tmp_path, jsonl(*(asked(str(number)) for number in range(250))))
    world.accepts = lambda count: count < reached
    with pytest.raises(ConnectionError):
        await world.run().run()
    await until(lambda: not world.answering)
    world.accepts = lambda count: True
    await world.run().run()
    found = world.batch

    assert (found.status, found.completed, found.failed) == ("completed", 250, 0)
    assert sorted(world.calls, key=int) == [str(number) for number in range(250)]
    assert len(world.content(found.output_file_id)) == 250


async def test_a_batch_that_ended_is_closed(tmp_path: Path) -> None:
    """Killed between its last note and that: nothing is done again."""
    world = World(tmp_path, jsonl(asked("a")))
    world.folder.save(batch(status="completed", completed=1))
    await world.run().run()

    assert world.published == []
    assert world.folder.open() == []
    assert world.batch.completed == 1


async def test_a_batch_that_is_cancelled(tmp_path: Path) -> None:
    """Nothing more is called; each line has its result, and those that were not called say so."""
    world = World(tmp_path, jsonl(*(asked(str(number)) for number in range(300))))

    def outcome(line: BatchLine) -> Exchange:
        if line.number == 64:
            world.folder.cancel(ID, 1_000_005)
        return exchange(line)

    world.outcome = outcome
    world.lines._seen.clear()
    await world.run().run()
    found = world.batch
    good, bad = world.content(found.output_file_id), world.content(found.error_file_id)

    assert found.status == "cancelled"
    assert (found.cancelling_at, found.cancelled_at) == (1_000_005, 1_000_000)
    assert len(world.calls) < 300
    assert {each["custom_id"] for each in good} == set(world.calls)
    assert {each["error"]["code"] for each in bad} == {"batch_cancelled"}
    assert len(good) + len(bad) == found.completed + found.failed == found.total == 300


async def test_a_batch_that_expires(tmp_path: Path) -> None:
    """What could not be called in its window is told so, and what was answered is there."""
    world = World(tmp_path, jsonl(*(asked(str(number)) for number in range(300))))

    def outcome(line: BatchLine) -> Exchange:
        if line.number == 128:
            world.clock.now = 1_086_400.0
        return exchange(line)

    world.outcome = outcome
    await world.run().run()
    found = world.batch
    bad = world.content(found.error_file_id)

    assert (found.status, found.expired_at) == ("expired", 1_086_400)
    assert (found.completed, found.failed, found.total) == (128, 172, 300)
    assert {each["error"]["code"] for each in bad} == {"batch_expired"}
    assert len({each["custom_id"] for each in bad}) == 172


async def test_a_batch_that_cannot_be_begun(tmp_path: Path) -> None:
    """It has failed, says why, and nothing of it was called."""
    world = World(tmp_path, jsonl(asked("a"), b"{", asked("a")))
    await world.run().run()
    found = world.batch

    assert found.status == "failed"
    assert [each.code for each in found.errors] == ["invalid_json_line", "duplicate_custom_id"]
    assert world.published == []
    assert world.folder.open() == []


@pytest.mark.parametrize(
    ("models", "status"),
    [((), "completed"), (("m*",), "completed"), (("east/m",), "completed"), (("n",), "failed")],
)
async def test_a_key_that_may_not_use_the_model(
    tmp_path: Path, models: tuple[str, ...], status: str
) -> None:
    """Its batch fails before anything is called; any of the model's names is enough."""
    world = World(tmp_path, jsonl(asked("a")), models=models)
    run = world.run()
    run.names = lambda model, path: (f"east/{model}",)
    await run.run()

    assert world.batch.status == status
    assert len(world.calls) == (status == "completed")
    assert [each.code for each in world.batch.errors] == (
        ["model_access_denied"] if status == "failed" else []
    )


async def test_a_run_that_is_left_goes_on_elsewhere(tmp_path: Path) -> None:
    """A worker that stops lets go of it between two pieces."""
    world = World(tmp_path, jsonl(*(asked(str(number)) for number in range(300))))
    first = world.run()

    def outcome(line: BatchLine) -> Exchange:
        first.closed = line.number >= 70
        return exchange(line)

    world.outcome = outcome
    await first.run()
    left = len(world.calls)
    piece = world.batch.piece
    assert piece is not None
    assert piece.sent
    world.outcome = exchange
    await world.run().run()

    assert left == 128
    assert not any(each.line and each.line.again for each in world.published)
    assert world.batch.status == "completed"
    assert len(world.calls) == len(set(world.calls)) == 300


async def test_results_wait_for_the_disk(tmp_path: Path) -> None:
    """Many at once are written by one after the other, and each returns when it is there."""
    world = World(tmp_path, jsonl(asked("a")))
    lines = [BatchLine(ID, number, str(number)) for number in range(1, 201)]
    await asyncio.gather(*(world.lines.put(each, None, exchange(each)) for each in lines))

    assert len(list(Reading(world.folder.parts(ID)).all())) == 200
    assert os.listdir(world.folder.parts(ID)) == ["boot.results"]
    world.folder.close(ID)
    await world.lines.put(lines[0], None, exchange(lines[0]))  # nobody reads it any more
    assert not world.folder.parts(ID).exists()


def test_the_deadline_of_a_call(tmp_path: Path) -> None:
    """A line may wait as long as its batch may last, but its call not longer than any other."""
    world = World(tmp_path, jsonl(asked("a")))
    now = world.clock.now
    lines = Lines(world.folder, world.config, "boot", world.clock)
    request = Request(request_id="x", body=b"{}", deadline=now + 86_400)

    assert lines.begun(request).deadline == now + 600
    assert lines.begun(msgspec.structs.replace(request, deadline=now + 5)).deadline == now + 5


def test_a_line_that_cannot_be_asked_says_so() -> None:
    """The mistake is an error of the batch, not of the program."""
    with pytest.raises(Unusable) as raised:
        understood(Line(3, 0, 1, b"nothing"), batch())

    assert raised.value.error.line == 3
