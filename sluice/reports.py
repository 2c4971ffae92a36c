"""Where usage and audit are asked about: in the store that the sinks write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.analytics import NoReports, Reports
from sluice.process import Context
from sluice.settings import Settings, configs, work


@asynccontextmanager
async def reports(context: Context) -> AsyncIterator[Reports]:
    """The store while the block runs. It need not be there: each question says so then."""
    store = _store(context.settings)
    try:
        yield store
    finally:
        await store.close()


def _store(settings: Settings) -> Reports:
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
    return NoReports()
