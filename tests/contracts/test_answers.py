"""What every store of answers promises: one suite over MongoDB and SQLite."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from schemas.clock import SystemClock
from schemas.errors import StoreUnavailable
from schemas.kept import Answers, Kept
from sinks.base import Keeping, Sink
from sinks.config import SinkConfig
from sinks.mongodb_answers import MongoDBAnswers
from sinks.postgresql_answers import PostgreSQLAnswers
from sinks.postgresql_pool import Pool
from sinks.sqlite_answers import SQLiteAnswers
from sinks.stores import SINKS


def store(config: SinkConfig) -> Answers:
    match config.storage_type:
        case "sqlite":
            return SQLiteAnswers(config.sqlite_path)
        case "postgresql":
            return PostgreSQLAnswers(Pool(config.postgres_url or "", 4))
        case _:
            return MongoDBAnswers(config.mongodb_url or "", config.mongodb_database)


class Subject:
    """An empty store, written by a sink and looked up beside it."""

    def __init__(self, config: SinkConfig) -> None:
        self.config = config
        self.sink: Sink = SINKS[config.storage_type](config, SystemClock())
        self.answers = store(config)

    async def keep(self, *batch: Kept) -> None:
        assert isinstance(self.sink, Keeping)
        await self.sink.keep(batch)


@pytest.fixture(params=["mongodb", "postgresql", "sqlite"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    url = request.getfixturevalue("mongodb_url") if request.param == "mongodb" else None
    postgresql = request.param == "postgresql"
    config = SinkConfig(
        storage_type=request.param,
        sqlite_path=str(tmp_path / "sluice.db"),
        mongodb_url=url,
        postgres_url=request.getfixturevalue("postgres_schema") if postgresql else None,
        mongodb_database=f"t{secrets.token_hex(6)}",
        retention_days=0,
    )
    subject = Subject(config)
    await subject.sink.open()
    yield subject
    await subject.answers.close()
    await subject.sink.close()
    if url is not None:
        with MongoClient[dict[str, object]](url) as client:
            client.drop_database(config.mongodb_database)


def answer(number: int = 1, **changes: object) -> Kept:
    fields: dict[str, object] = {
        "request_id": f"request-{number}",
        "response_id": f"resp_{number}",
        "client": "master",
        "user_path": "/a",
        "created_at": "2026-01-01T00:00:00.000000Z",
        "dialect": "openai_responses",
        "provider": "sim",
        "request": b'{"input":"hi"}',
        "answer": b"\x00\xff any bytes",
    }
    return Kept(**fields | changes)  # type: ignore[arg-type]  # fields of the struct


async def test_what_was_kept_is_found_whole(subject: Subject) -> None:
    """By the request's id and by the response's, with every field and byte."""
    await subject.keep(answer(1), answer(2, response_id=None))

    assert await subject.answers.find("request-1") == answer(1)
    assert await subject.answers.find("resp_1") == answer(1)
    assert await subject.answers.find("request-2") == answer(2, response_id=None)
    assert await subject.answers.find("resp_3") is None


async def test_the_first_answer_stays(subject: Subject) -> None:
    """A batch that comes again after a crash changes nothing, nor does a second answer in it."""
    await subject.keep(answer(1), answer(1, answer=b"second"))
    await subject.keep(answer(1, answer=b"third"), answer(2))

    found = await subject.answers.find("request-1")
    assert found is not None
    assert found.answer == answer(1).answer
    assert await subject.answers.find("request-2") == answer(2)


@pytest.mark.parametrize("name", ["request-1", "resp_1"])
async def test_what_was_deleted_does_not_come_back(subject: Subject, name: str) -> None:
    """Deleted once, by either name, it is gone also when its batch comes again."""
    await subject.keep(answer(1), answer(2))

    assert await subject.answers.delete(name)
    assert not await subject.answers.delete(name)
    await subject.keep(answer(1))

    assert await subject.answers.find("request-1") is None
    assert await subject.answers.find("resp_1") is None
    assert await subject.answers.find("resp_2") == answer(2)


async def test_an_answer_that_is_too_large_stops_nothing(subject: Subject) -> None:
    """Where a store cannot hold 20 MB, the others of the batch are kept all the same."""
    await subject.keep(answer(1, answer=b"x" * (20 << 20)), answer(2))

    assert await subject.answers.find("resp_2") == answer(2)


async def test_look_ups_at_once(subject: Subject) -> None:
    """Many callers may look at the same time."""
    await subject.keep(*(answer(number) for number in range(50)))

    found = await asyncio.gather(*(subject.answers.find(f"resp_{n}") for n in range(50)))

    assert [each and each.request_id for each in found] == [f"request-{n}" for n in range(50)]


async def test_a_file_that_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    """Before the sink has made the SQLite file a look-up finds nothing, and makes no file."""
    answers = SQLiteAnswers(str(tmp_path / "none.db"))

    assert await answers.find("resp_1") is None
    assert not await answers.delete("resp_1")
    assert not (tmp_path / "none.db").exists()
    await answers.close()


async def test_a_file_that_is_no_store_says_so(tmp_path: Path) -> None:
    """A look-up that cannot be made is StoreUnavailable, not "unknown"."""
    (tmp_path / "broken.db").write_bytes(b"no database, but long enough to be read as one" * 50)
    answers = SQLiteAnswers(str(tmp_path / "broken.db"))

    with pytest.raises(StoreUnavailable):
        await answers.find("resp_1")
    with pytest.raises(StoreUnavailable):
        await answers.delete("resp_1")
    await answers.close()


async def test_a_server_that_does_not_answer_says_so() -> None:
    """A MongoDB that takes connections and says nothing is StoreUnavailable within seconds."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 16):
            pass
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answers = MongoDBAnswers(f"mongodb://127.0.0.1:{port}/", "sluice")

    with pytest.raises(StoreUnavailable):
        await answers.find("resp_1")
    with pytest.raises(StoreUnavailable):
        await answers.delete("resp_1")
    await answers.close()
    server.close()
    async with asyncio.timeout(10):
        await server.wait_closed()


@pytest.mark.parametrize("name", ["request-1", "resp_1"])
async def test_a_deletion_is_remembered(subject: Subject, name: str) -> None:
    """What was deleted is told apart from what never was, by either name."""
    await subject.keep(answer(1), answer(2))
    assert not await subject.answers.deleted(name)
    await subject.answers.delete("resp_1")

    assert await subject.answers.deleted(name)
    assert not await subject.answers.deleted("resp_2")
    assert not await subject.answers.deleted("resp_3")


async def test_what_goes_on_with_a_response(subject: Subject) -> None:
    """The requests that name it, the oldest first, as many as are asked for; deleted ones are gone."""
    later = "2026-01-01T00:00:01.000000Z"
    await subject.keep(
        answer(1),
        answer(3, previous_id="resp_1", created_at=later),
        answer(2, previous_id="resp_1"),
        answer(4, previous_id="resp_2"),
    )

    assert list(await subject.answers.continuing("resp_1", 9)) == ["request-2", "request-3"]
    assert list(await subject.answers.continuing("resp_1", 1)) == ["request-2"]
    await subject.answers.delete("resp_2")
    assert list(await subject.answers.continuing("resp_1", 9)) == ["request-3"]
    assert list(await subject.answers.continuing("resp_4", 9)) == []
