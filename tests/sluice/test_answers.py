"""Where kept answers are looked up, by the settings."""

import asyncio
import secrets
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pymongo import MongoClient

from schemas.clock import SystemClock
from schemas.kept import Kept, NoAnswers
from schemas.metrics import Metrics
from sinks.base import Keeping
from sinks.mongodb_answers import MongoDBAnswers
from sinks.stores import SINKS
from sluice.answers import answers
from sluice.process import Context
from sluice.settings import configs, load

KEPT = Kept(
    request_id="request-1",
    response_id="resp_1",
    created_at="2026-01-01T00:00:00.000000Z",
    request=b'{"input":"hi"}',
    answer=b'{"id":"resp_1"}',
)


def context(folder: Path, **environ: str) -> Context:
    settings = load({"SLUICE_DATA_DIR": str(folder), **environ}, folder)
    return Context(settings, SystemClock(), Metrics(), asyncio.Event(), lambda address: None)


async def found_again(given: Context) -> Kept | None:
    """What the look-up finds of what the sink of the same settings has kept."""
    config = configs.sink_config(given.settings)
    sink = SINKS[config.storage_type](config, SystemClock())
    await sink.open()
    assert isinstance(sink, Keeping)
    await sink.keep([KEPT])
    await sink.close()
    async with answers(given) as store:
        return await store.find("resp_1")


@pytest.mark.parametrize("path", [None, "elsewhere/mine.db"])
async def test_in_the_file_of_the_sink(tmp_path: Path, path: str | None) -> None:
    """Nothing set: SQLite's file in the data folder; else the one that is named."""
    (tmp_path / "elsewhere").mkdir()
    environ = {} if path is None else {"SQLITE_PATH": str(tmp_path / path)}

    assert await found_again(context(tmp_path, **environ)) == KEPT
    assert (tmp_path / (path or "sluice.db")).exists()


async def test_in_the_database_of_the_sink(tmp_path: Path, mongodb_url: str) -> None:
    """With MONGODB_URL it is MongoDB, in the database that is named."""
    name = f"t{secrets.token_hex(6)}"
    given = context(tmp_path, MONGODB_URL=mongodb_url, MONGODB_DATABASE=name)
    try:
        assert await found_again(given) == KEPT
        assert not (tmp_path / "sluice.db").exists()
    finally:
        with MongoClient[dict[str, object]](mongodb_url) as client:
            client.drop_database(name)


async def test_in_the_tables_of_the_sink(tmp_path: Path, postgres_schema: str) -> None:
    """With POSTGRES_URL it is PostgreSQL."""
    assert await found_again(context(tmp_path, POSTGRES_URL=postgres_schema)) == KEPT
    assert not (tmp_path / "sluice.db").exists()


async def test_a_store_that_cannot_be_asked_keeps_none(tmp_path: Path) -> None:
    """A file of lines is not looked through: there are no answers then, and MONGODB_URL beside it
    changes nothing."""
    for environ in ({}, {"MONGODB_URL": "mongodb://127.0.0.1:1/"}):
        async with answers(context(tmp_path, STORAGE_TYPE="jsonl", **environ)) as store:
            assert isinstance(store, NoAnswers)
            assert await store.find("resp_1") is None
            assert not await store.delete("resp_1")


async def test_a_store_need_not_be_there(tmp_path: Path) -> None:
    """A role starts and stops without it: nobody connects before something is looked up."""
    async with answers(context(tmp_path, MONGODB_URL="mongodb://127.0.0.1:1/")) as store:
        assert isinstance(store, MongoDBAnswers)


async def test_it_is_closed_whatever_happens(tmp_path: Path) -> None:
    """The look-up's thread ends with the block, also if that fails."""
    stack = AsyncExitStack()
    store = await stack.enter_async_context(answers(context(tmp_path)))
    assert await store.find("resp_1") is None

    await stack.__aexit__(ZeroDivisionError, ZeroDivisionError(), None)

    with pytest.raises(RuntimeError, match="shutdown"):
        await store.find("resp_1")
