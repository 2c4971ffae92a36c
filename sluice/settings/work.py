"""The rows for workers and stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, get_args

from sinks.config import SinkConfig, StorageType
from sluice.settings.kinds import (
    BOOLEAN,
    PATH,
    TEXT,
    Kind,
    choice,
    duration,
    integer,
    optional,
    size,
    url,
)
from sluice.settings.setting import Group, Setting
from streams.config import StreamsConfig

if TYPE_CHECKING:
    from sluice.settings.loading import Settings

_SINK = SinkConfig()
_STREAMS = StreamsConfig()

CONCURRENCY = Setting(
    name="STREAMS_CONCURRENCY",
    kind=integer(1, 100_000),
    default=_STREAMS.concurrency,
    summary="Requests that a worker runs at once.",
)
MAX_HELD = Setting(
    name="STREAMS_MAX_HELD",
    kind=integer(1, 100_000),
    default=_STREAMS.max_held,
    summary="Requests of a lane that wait in a worker beside the running ones before it stops reading "
    "that lane.",
)
MAX_HELD_BYTES = Setting(
    name="STREAMS_MAX_HELD_BYTES",
    kind=size(1 << 20, 64 << 30),
    default=_STREAMS.max_held_bytes,
    summary="Bytes of the bodies of requests that a worker holds at most, of each lane.",
)
BATCH_SHARE = Setting(
    name="STREAMS_BATCH_SHARE",
    kind=integer(1, 90),
    default=_STREAMS.batch_share,
    summary="Percent of a worker's places that `llm.requests.batch` has while interactive requests "
    "wait; at least one.",
)
TENANT_SHARE = Setting(
    name="STREAMS_TENANT_SHARE",
    kind=integer(1, 100),
    default=_STREAMS.tenant_share,
    summary="Percent of a worker's places that one client, or one user path without a client, has at "
    "most while another one waits.",
)
STREAMS_SESSION_TIMEOUT = Setting(
    name="STREAMS_SESSION_TIMEOUT",
    kind=duration(6, 1800),
    default=_STREAMS.session_timeout,
    summary="Silence after which Kafka gives a worker's partitions to others.",
)
HEARTBEAT_INTERVAL = Setting(
    name="STREAMS_HEARTBEAT_INTERVAL",
    kind=duration(0.1, 600),
    default=_STREAMS.heartbeat_interval,
    summary="Time between a worker's heartbeats to Kafka; at most a third of the session time-out.",
)
COMMIT_INTERVAL = Setting(
    name="STREAMS_COMMIT_INTERVAL",
    kind=duration(0.05, 60),
    default=_STREAMS.commit_interval,
    summary="Time between a worker's offset commits.",
)
FETCH_MAX_WAIT = Setting(
    name="STREAMS_FETCH_MAX_WAIT",
    kind=duration(0.01, 5),
    default=_STREAMS.fetch_max_wait,
    summary="How long Kafka holds a worker's fetch when there is nothing to read.",
)
PIN_LIMIT = Setting(
    name="STREAMS_PIN_LIMIT",
    kind=integer(100, 20_000),
    default=_STREAMS.pin_limit,
    summary="Finished requests above a running one before that one is moved forward in the log.",
)
IDEMPOTENCY_TTL = Setting(
    name="IDEMPOTENCY_TTL",
    kind=duration(60, 365 * 86_400),
    default=_STREAMS.idempotency_ttl,
    summary="How long an answer is given again to requests with the same `Idempotency-Key`; at most "
    "`SLUICE_RETENTION_EXCHANGES`, where the answers stand.",
)
IDEMPOTENCY_MAX_KEYS = Setting(
    name="IDEMPOTENCY_MAX_KEYS",
    kind=integer(100, 10_000_000),
    default=_STREAMS.idempotency_max_keys,
    summary="Idempotency keys that are known in each partition, at about 500 bytes of a worker's memory; "
    "beyond, the oldest are forgotten.",
)
STALL_TIMEOUT = Setting(
    name="STREAMS_STALL_TIMEOUT",
    kind=duration(5, 86_400),
    default=_STREAMS.stall_timeout,
    summary="A worker that is behind and gets nothing for so long ends itself to be restarted.",
)


def _stores(text: str) -> tuple[StorageType, ...]:
    known = {str(each): each for each in get_args(StorageType)}
    names = [each.strip() for each in text.split(",") if each.strip()]
    if unknown := [each for each in names if each not in known]:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(known)}")
    return tuple(dict.fromkeys(known[each] for each in names))


STORAGE_TYPE = Setting[StorageType | None](
    name="STORAGE_TYPE",
    kind=optional(choice(get_args(StorageType))),
    default=None,
    summary="Store of the exchanges.",
    unset="mongodb if `MONGODB_URL` is set, else postgresql if `POSTGRES_URL` is, else sqlite",
)
SINKS = Setting[tuple[StorageType, ...]](
    name="SLUICE_SINKS",
    kind=Kind("names of stores, separated by commas", _stores, ",".join),
    default=(),
    summary="Stores that are written at once, each at its own pace; the admin API reads `STORAGE_TYPE`, "
    "which must be one of them.",
    unset="the one of `STORAGE_TYPE`",
)
POSTGRES_URL = Setting[str | None](
    name="POSTGRES_URL",
    kind=optional(url("postgresql", "postgres")),
    default=None,
    secret=True,
    summary="The PostgreSQL server, with user, password and database; `?search_path=` names a schema.",
)
POSTGRES_MAX_CONNS = Setting(
    name="POSTGRES_MAX_CONNS",
    kind=integer(1, 1000),
    default=_SINK.postgres_max_conns,
    summary="Connections to PostgreSQL that an ingress or a worker has at most, for look-ups; a sink "
    "has one.",
)
SQLITE_PATH = Setting[str | None](
    name="SQLITE_PATH",
    kind=optional(PATH),
    default=None,
    summary="The SQLite database.",
    unset="`sluice.db` in `SLUICE_DATA_DIR`",
)
JSONL_PATH = Setting[str | None](
    name="JSONL_PATH",
    kind=optional(PATH),
    default=None,
    summary="The file to which `STORAGE_TYPE=jsonl` appends one line an exchange.",
    unset="`exchanges.jsonl` in `SLUICE_DATA_DIR`",
)
MONGODB_URL = Setting[str | None](
    name="MONGODB_URL",
    kind=optional(url("mongodb", "mongodb+srv")),
    default=None,
    secret=True,
    summary="The MongoDB server, with user and password if it asks for them.",
)
MONGODB_DATABASE = Setting(
    name="MONGODB_DATABASE",
    kind=TEXT,
    default=_SINK.mongodb_database,
    summary="The database whose collection `exchanges` receives the exchanges.",
)
LOGGING_ENABLED = Setting(
    name="LOGGING_ENABLED",
    kind=BOOLEAN,
    default=_SINK.bodies,
    summary="Whether stored exchanges have bodies and headers.",
)
LOG_BODIES = Setting(
    name="LOGGING_LOG_BODIES",
    kind=BOOLEAN,
    default=True,
    summary="The same; both must be on.",
)
LOGGING_BODY_LIMIT = Setting(
    name="LOGGING_BODY_LIMIT",
    kind=size(0, 15 << 20),
    default=_SINK.body_limit,
    summary="A stored body that is longer is cut and marked.",
)
RETENTION_DAYS = Setting(
    name="LOGGING_RETENTION_DAYS",
    kind=integer(0, 36_500),
    default=_SINK.retention_days,
    summary="Days that stored exchanges are kept; 0 is for ever.",
)
USAGE_RETENTION_DAYS = Setting(
    name="USAGE_RETENTION_DAYS",
    kind=integer(0, 36_500),
    default=_SINK.usage_retention_days,
    summary="Days that sums by hour and day are kept; 0 is for ever.",
)
BATCH_SIZE = Setting(
    name="SINKS_BATCH_SIZE",
    kind=integer(1, 10_000),
    default=_SINK.batch_size,
    summary="Exchanges written at once at most.",
)
BATCH_WAIT = Setting(
    name="SINKS_BATCH_WAIT",
    kind=duration(0, 60),
    default=_SINK.batch_wait,
    summary="How long a sink waits for a batch to fill.",
)
SINKS_SESSION_TIMEOUT = Setting(
    name="SINKS_SESSION_TIMEOUT",
    kind=duration(6, 1800),
    default=_SINK.session_timeout,
    summary="Silence after which Kafka gives a sink's partitions to others.",
)
REDIS_URL = Setting[str | None](
    name="REDIS_URL",
    kind=optional(url("redis", "rediss", "unix")),
    default=None,
    secret=True,
    summary="The Redis server in which workers share kept answers.",
)


def contradictions(settings: Settings) -> Iterator[str]:
    """Stores that cannot be as they are set."""
    stores, read = settings[SINKS], settings[STORAGE_TYPE]
    if stores and read is not None and read not in stores:
        yield f"STORAGE_TYPE={read} must be one of SLUICE_SINKS={','.join(stores)}: the API reads it"
    for name, url_ in (("mongodb", MONGODB_URL), ("postgresql", POSTGRES_URL)):
        if name in stores and settings[url_] is None:
            yield f"SLUICE_SINKS has {name}: set {url_.name}, too"


STREAMS_GROUP = Group(
    "Workers",
    (
        *(CONCURRENCY, MAX_HELD, MAX_HELD_BYTES, BATCH_SHARE, TENANT_SHARE),
        *(STREAMS_SESSION_TIMEOUT, HEARTBEAT_INTERVAL),
        *(COMMIT_INTERVAL, FETCH_MAX_WAIT, PIN_LIMIT, STALL_TIMEOUT),
        *(IDEMPOTENCY_TTL, IDEMPOTENCY_MAX_KEYS),
    ),
)
STORES_GROUP = Group(
    "Stores",
    (
        *(STORAGE_TYPE, SINKS, SQLITE_PATH, JSONL_PATH, MONGODB_URL, MONGODB_DATABASE),
        *(POSTGRES_URL, POSTGRES_MAX_CONNS),
        *(LOGGING_ENABLED, LOG_BODIES),
        *(
            LOGGING_BODY_LIMIT,
            RETENTION_DAYS,
            USAGE_RETENTION_DAYS,
            BATCH_SIZE,
            BATCH_WAIT,
            SINKS_SESSION_TIMEOUT,
        ),
        REDIS_URL,
    ),
)
