"""The table `exchanges` and how older files become it."""

from __future__ import annotations

import sqlite3

from schemas.analytics import MEASURES
from sinks.columns import COLUMNS
from sinks.rollups import KEY

# Not `INSERT OR IGNORE`: that would also pass over a missing column's value in silence.
INSERT = (
    f"INSERT INTO exchanges ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
    " ON CONFLICT(request_id) DO NOTHING"
)

ADD = (
    f"INSERT INTO rollups ({', '.join((*KEY, *MEASURES))})"
    f" VALUES ({', '.join('?' * len((*KEY, *MEASURES)))}) ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in MEASURES)
)
EXPIRE_SUMS = "DELETE FROM rollups WHERE period IN ('hour', 'day') AND start < ?"

# One tuple of statements for each step from user_version n to n + 1. Never edit one that was released.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE exchanges (
            request_id TEXT PRIMARY KEY NOT NULL,
            created_at TEXT NOT NULL,
            finished_at TEXT NOT NULL,
            outcome TEXT NOT NULL,
            status INTEGER NOT NULL,
            operation TEXT NOT NULL,
            dialect TEXT NOT NULL,
            stream INTEGER NOT NULL,
            source TEXT NOT NULL,
            user_path TEXT NOT NULL,
            client TEXT,
            client_request_id TEXT,
            provider TEXT,
            request_model TEXT,
            response_model TEXT,
            finish_reason TEXT,
            error_code TEXT,
            delivery_attempt INTEGER NOT NULL,
            input_tokens INTEGER,
            output_tokens INTEGER,
            cached_input_tokens INTEGER,
            cache_creation_input_tokens INTEGER,
            reasoning_tokens INTEGER,
            total_seconds REAL NOT NULL,
            queued_seconds REAL NOT NULL,
            upstream_seconds REAL,
            first_token_seconds REAL,
            document TEXT NOT NULL
        )
        """,
        "CREATE INDEX exchanges_created_at ON exchanges (created_at)",
        "CREATE INDEX exchanges_user_path ON exchanges (user_path, created_at)",
        "CREATE INDEX exchanges_request_model ON exchanges (request_model, created_at)",
        "CREATE INDEX exchanges_provider ON exchanges (provider, created_at)",
        # Few of many: the partial indexes cost nothing for what is not in them.
        "CREATE INDEX exchanges_outcome ON exchanges (outcome, created_at) WHERE outcome <> 'completed'",
        "CREATE INDEX exchanges_client_request_id ON exchanges (client_request_id)"
        " WHERE client_request_id IS NOT NULL",
        """
        CREATE TABLE answers (
            request_id TEXT PRIMARY KEY NOT NULL,
            response_id TEXT,
            created_at TEXT NOT NULL,
            deleted INTEGER NOT NULL DEFAULT 0,
            head TEXT NOT NULL,
            request BLOB NOT NULL,
            answer BLOB NOT NULL
        )
        """,
        "CREATE INDEX answers_response_id ON answers (response_id) WHERE response_id IS NOT NULL",
        "CREATE INDEX answers_created_at ON answers (created_at)",
    ),
    (
        "ALTER TABLE exchanges ADD COLUMN model TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE exchanges ADD COLUMN cache TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE exchanges ADD COLUMN cost INTEGER",
        f"""
        CREATE TABLE rollups (
            period TEXT NOT NULL,
            start TEXT NOT NULL,
            model TEXT NOT NULL,
            provider TEXT NOT NULL,
            user_path TEXT NOT NULL,
            client TEXT NOT NULL,
            cache TEXT NOT NULL,
            {", ".join(f"{name} INTEGER NOT NULL" for name in MEASURES)},
            PRIMARY KEY (period, start, model, provider, user_path, client, cache)
        ) WITHOUT ROWID
        """,
    ),
    ("ALTER TABLE exchanges ADD COLUMN left_out TEXT NOT NULL DEFAULT ''",),
    (
        "ALTER TABLE answers ADD COLUMN previous_id TEXT",
        "CREATE INDEX answers_previous_id ON answers (previous_id) WHERE previous_id IS NOT NULL",
    ),
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest schema; sqlite3.DatabaseError if it is newer than this program.

    Of two processes that start at once, one migrates and the other finds it done.
    """
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version > len(MIGRATIONS):
            raise sqlite3.DatabaseError(
                f"the file has schema version {version}, this program knows {len(MIGRATIONS)}:"
                " it was written by a newer Sluice"
            )
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
