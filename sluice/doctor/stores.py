"""Checks of the stores: SQLite, JSON lines, MongoDB, PostgreSQL, Redis."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

from sluice.doctor.finding import Finding
from sluice.doctor.surroundings import unwritable
from sluice.settings import Settings, configs, work


async def check_store(settings: Settings) -> list[Finding]:
    """The store of the exchanges."""
    sink = configs.sink_config(settings)
    if sink.storage_type == "mongodb":
        return await _check_mongodb(sink.mongodb_url or "", sink.mongodb_database)
    if sink.storage_type == "postgresql":
        return await _check_postgresql(sink.postgres_url or "")
    path = Path(sink.sqlite_path if sink.storage_type == "sqlite" else sink.jsonl_path)
    name = "SQLITE_PATH" if sink.storage_type == "sqlite" else "JSONL_PATH"
    problem = await asyncio.to_thread(unwritable, path.parent)
    if problem is None:
        problem = await asyncio.to_thread(_unusable, path, sink.storage_type == "sqlite")
    if problem:
        mend = f"Set {name} to a file that this user may write."
        return [Finding("store", "wrong", f"{path}: {problem}", mend)]
    return [Finding("store", "ok", f"{sink.storage_type} at {path}")]


def _unusable(path: Path, database: bool) -> str | None:
    if not path.exists():
        return None
    if not os.access(path, os.W_OK):
        return "this user may not write it"
    if database:
        try:
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            try:
                connection.execute("select count(*) from sqlite_schema").fetchone()
            finally:
                connection.close()
        except sqlite3.Error as error:
            return f"no SQLite database: {error}"
    return None


async def _check_mongodb(url: str, database: str) -> list[Finding]:
    from pymongo.errors import PyMongoError

    try:
        await asyncio.to_thread(_use_mongodb, url, database)
    except PyMongoError as error:
        # What follows repeats it for every server, with the topology.
        reason = str(error).partition(" (configured")[0]
        mend = "Check MONGODB_URL (address, user, password) and that the server runs."
        return [Finding("store", "wrong", f"mongodb: {type(error).__name__}: {reason}", mend)]
    return [Finding("store", "ok", f"mongodb answers; exchanges go to {database}.exchanges")]


def _use_mongodb(url: str, database: str) -> None:
    """By the blocking client: the other one leaves its socket open when nobody listens."""
    from pymongo import MongoClient

    client: MongoClient[dict[str, object]] = MongoClient(
        url, serverSelectionTimeoutMS=5_000, appname="sluice-doctor"
    )
    with client:
        client.admin.command("ping")
        client[database].list_collection_names()


async def _check_postgresql(url: str) -> list[Finding]:
    mend = "Check POSTGRES_URL (address, user, password, database) and that the server runs."
    import asyncpg

    try:
        connection = await asyncpg.connect(url, timeout=5, command_timeout=5)
        try:
            schema = await connection.fetchval("SELECT current_schema()")
            allowed = schema and await connection.fetchval(
                "SELECT has_schema_privilege(current_schema(), 'CREATE')"
            )
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        return [Finding("store", "wrong", f"postgresql: {type(error).__name__}: {error}", mend)]
    if not allowed:
        need = "Let the user create tables in the schema, or name another one in ?search_path=."
        return [Finding("store", "wrong", f"postgresql: no table can be made in {schema}", need)]
    return [Finding("store", "ok", f"postgresql answers; exchanges go to {schema}.exchanges")]


async def check_redis(settings: Settings) -> list[Finding]:
    """Redis, if it is set."""
    url = settings[work.REDIS_URL]
    if url is None:
        return []
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    try:
        client = Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5)
        try:
            await client.ping()
        finally:
            await client.aclose()
    except (RedisError, OSError, ValueError) as error:
        mend = "Check REDIS_URL (address, password, database) and that the server runs."
        return [Finding("Redis", "wrong", f"{type(error).__name__}: {error}", mend)]
    return [Finding("Redis", "ok", "answers")]
