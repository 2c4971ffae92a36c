"""The tables in PostgreSQL and how older databases come to have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.analytics import MEASURES
from sinks.columns import COLUMNS
from sinks.rollups import KEY

if TYPE_CHECKING:
    import asyncpg

BUILD_TIMEOUT = 3600.0  # seconds: on a large table an index takes its time
LOCK = 0x51C_E00  # of the migrations: creating is not safe side by side, "if not exists" or not

_TIMES = frozenset({"created_at", "finished_at"})
_TYPES = dict.fromkeys(COLUMNS, "text") | {
    **dict.fromkeys(("status", "delivery_attempt"), "integer"),
    **dict.fromkeys(("input_tokens", "output_tokens", "cached_input_tokens"), "bigint"),
    **dict.fromkeys(("cache_creation_input_tokens", "reasoning_tokens"), "bigint"),
    **dict.fromkeys((name for name in COLUMNS if name.endswith("_seconds")), "float8"),
    "cost": "bigint",
    "stream": "boolean",
}
_CASTS = dict.fromkeys(_TIMES, "::timestamptz") | {"document": "::jsonb"}
# One array a column: a batch is one statement, whatever its length.
INSERT = (
    f"INSERT INTO exchanges ({', '.join(COLUMNS)})"
    f" SELECT {', '.join(name + _CASTS.get(name, '') for name in COLUMNS)}"
    f" FROM unnest({', '.join(f'${n}::{_TYPES[name]}[]' for n, name in enumerate(COLUMNS, 1))})"
    f" AS new ({', '.join(COLUMNS)})"
    " ON CONFLICT (request_id) DO NOTHING RETURNING request_id"
)
_SUMS = (*KEY, *MEASURES)
ADD = (
    f"INSERT INTO rollups ({', '.join(_SUMS)}) SELECT"
    f" {', '.join('start::timestamptz' if name == 'start' else name for name in _SUMS)} FROM unnest("
    + ", ".join(f"${n}::{'text' if name in KEY else 'bigint'}[]" for n, name in enumerate(_SUMS, 1))
    + f") AS new ({', '.join(_SUMS)}) ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = rollups.{name} + excluded.{name}" for name in MEASURES)
)
INSERT_ANSWER = (
    "INSERT INTO answers (request_id, response_id, previous_id, created_at, head, request, answer)"
    " VALUES ($1, $2, $3, $4::text::timestamptz, $5, $6, $7) ON CONFLICT (request_id) DO NOTHING"
)
EXPIRE_SUMS = (
    "DELETE FROM rollups WHERE period IN ('hour', 'day') AND start < $1::text::timestamptz"
)

# One tuple of statements for each step from version n to n + 1. Never edit one that was released.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # Paths are compared byte by byte: what is below one is a range.
        """
        CREATE TABLE exchanges (
            request_id text COLLATE "C" PRIMARY KEY,
            created_at timestamptz NOT NULL,
            finished_at timestamptz NOT NULL,
            outcome text NOT NULL,
            status integer NOT NULL,
            operation text NOT NULL,
            dialect text NOT NULL,
            stream boolean NOT NULL,
            source text NOT NULL,
            user_path text COLLATE "C" NOT NULL,
            client text,
            client_request_id text,
            provider text,
            request_model text,
            response_model text,
            finish_reason text,
            error_code text,
            delivery_attempt integer NOT NULL,
            input_tokens bigint,
            output_tokens bigint,
            cached_input_tokens bigint,
            cache_creation_input_tokens bigint,
            reasoning_tokens bigint,
            total_seconds float8 NOT NULL,
            queued_seconds float8 NOT NULL,
            upstream_seconds float8,
            first_token_seconds float8,
            model text NOT NULL,
            cache text NOT NULL,
            cost bigint,
            document jsonb NOT NULL
        )
        """,
        "CREATE INDEX exchanges_created_at ON exchanges (created_at DESC, request_id DESC)",
        "CREATE INDEX exchanges_user_path ON exchanges (user_path, created_at)",
        "CREATE INDEX exchanges_request_model ON exchanges (request_model, created_at)",
        "CREATE INDEX exchanges_model ON exchanges (model, created_at)",
        "CREATE INDEX exchanges_provider ON exchanges (provider, created_at)",
        "CREATE INDEX exchanges_outcome ON exchanges (outcome, created_at) WHERE outcome <> 'completed'",
        "CREATE INDEX exchanges_client_request_id ON exchanges USING hash (client_request_id)",
        f"""
        CREATE TABLE rollups (
            period text NOT NULL,
            start timestamptz NOT NULL,
            model text NOT NULL,
            provider text NOT NULL,
            user_path text COLLATE "C" NOT NULL,
            client text NOT NULL,
            cache text NOT NULL,
            {", ".join(f"{name} bigint NOT NULL" for name in MEASURES)},
            PRIMARY KEY (period, start, model, provider, user_path, client, cache)
        )
        """,
        """
        CREATE TABLE answers (
            request_id text PRIMARY KEY,
            response_id text,
            created_at timestamptz NOT NULL,
            deleted boolean NOT NULL DEFAULT false,
            head text NOT NULL,
            request bytea NOT NULL,
            answer bytea NOT NULL
        )
        """,
        "CREATE INDEX answers_response_id ON answers USING hash (response_id)",
        "CREATE INDEX answers_created_at ON answers (created_at)",
    ),
    ("ALTER TABLE exchanges ADD COLUMN left_out text NOT NULL DEFAULT ''",),
    (
        "ALTER TABLE answers ADD COLUMN previous_id text",
        "CREATE INDEX answers_previous_id ON answers USING hash (previous_id)"
        " WHERE previous_id IS NOT NULL",
    ),
)


class NewerSchema(Exception):
    """The tables were made by a newer Sluice than this one."""


async def migrate(connection: asyncpg.Connection) -> None:
    """Bring the tables to the newest schema. Of two processes that start at once, one migrates and
    the other finds it done."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK, timeout=BUILD_TIMEOUT)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS sluice_schema (version integer NOT NULL)"
        )
        version: int = await connection.fetchval("SELECT max(version) FROM sluice_schema") or 0
        if version > len(MIGRATIONS):
            raise NewerSchema(
                f"the tables have schema version {version}, this program knows {len(MIGRATIONS)}:"
                " they were made by a newer Sluice"
            )
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            for statement in statements:
                await connection.execute(statement, timeout=BUILD_TIMEOUT)
            await connection.execute("INSERT INTO sluice_schema VALUES ($1)", number)
