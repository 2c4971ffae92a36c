"""Where kept answers are looked up: in the store that the sinks write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.kept import Answers, NoAnswers
from sluice.process import Context
from sluice.settings import Settings, configs, work


@asynccontextmanager
async def answers(context: Context) -> AsyncIterator[Answers]:
    """The store while the block runs. It need not be there: each look-up says so then."""
    store = _store(context.settings)
    try:
        yield store
    finally:
        await store.close()


def _store(settings: Settings) -> Answers:
    kind = configs.storage_type(settings)
    if kind == "mongodb" and (url := settings[work.MONGODB_URL]):
        from sinks.mongodb_answers import MongoDBAnswers  # costs memory only where it is used

        return MongoDBAnswers(url, settings[work.MONGODB_DATABASE])
    if kind == "postgresql" and (url := settings[work.POSTGRES_URL]):
        from sinks.postgresql_answers import PostgreSQLAnswers
        from sinks.postgresql_pool import Pool

        return PostgreSQLAnswers(Pool(url, settings[work.POSTGRES_MAX_CONNS]))
    if kind == "sqlite":
        from sinks.sqlite_answers import SQLiteAnswers

        return SQLiteAnswers(configs.sqlite_path(settings))
    return NoAnswers()
