"""Where usage and audit are asked about: in the store that the sinks write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from schemas.analytics import NoReports, Pages, Reports, Spending
from sluice.process import Context
from sluice.settings import Settings, configs, work

if TYPE_CHECKING:
    from sinks.mongodb_reports import MongoDBReports
    from sinks.postgresql_reports import PostgreSQLReports
    from sinks.sqlite_reports import SQLiteReports


@asynccontextmanager
async def reports(context: Context) -> AsyncIterator[Reports]:
    """The store while the block runs. It need not be there: each question says so then."""
    store = _store(context.settings)
    try:
        yield store
    finally:
        await store.close()


def _store(settings: Settings) -> Reports:
    return _readable(settings) or NoReports()


def pages(settings: Settings) -> Pages | None:
    """The same store, to be read whole; None if it is one of lines. To be closed by whoever asks."""
    return _readable(settings)


def spending(settings: Settings) -> Spending | None:
    """The same store, for the rebuilding of budgets."""
    return _readable(settings)


def _readable(settings: Settings) -> MongoDBReports | PostgreSQLReports | SQLiteReports | None:
    kind = configs.storage_type(settings)
    if kind == "mongodb" and (url := settings[work.MONGODB_URL]):
        from sinks.mongodb_reports import MongoDBReports  # costs memory only where it is used

        return MongoDBReports(url, settings[work.MONGODB_DATABASE])
    if kind == "postgresql" and (url := settings[work.POSTGRES_URL]):
        from sinks.postgresql_pool import Pool
        from sinks.postgresql_reports import PostgreSQLReports

        return PostgreSQLReports(Pool(url, settings[work.POSTGRES_MAX_CONNS]))
    if kind == "sqlite":
        from sinks.sqlite_reports import SQLiteReports

        return SQLiteReports(configs.sqlite_path(settings))
    return None
